"""What people read of runs over the API."""

from typing import Any

import pytest

from rollback.catalog.models import Action
from rollback.ownership.models import Role
from tests.factories import make_person, make_team
from tests.office import MAIL, REFUND, Office


def listed(office: Office, person: Any, query: str = "") -> list[str]:
    """The ids of the runs that ``person`` sees."""
    return [run["id"] for run in office.person(person).get(f"/runs{query}").ok()["results"]]


def test_a_run_is_shown_with_its_steps(office: Office) -> None:
    run = office.run(goal="Ada starts", input={"name": "Ada"})
    step = office.did(run)
    office.step(run, MAIL)
    shown = office.person(office.owner).get(f"/runs/{run}").ok()

    assert (shown["goal"], shown["input"], shown["agent"]) == ("Ada starts", {"name": "Ada"}, "onboarder")
    assert shown["started_at"].endswith("Z")
    first, second = shown["steps"]
    assert (first["id"], first["status"], first["undo_state"]) == (step, "succeeded", "resolved")
    assert first["effects"][0] == {
        "system": "directory",
        "kind": "user",
        "ref": "u-1",
        "count": 1,
        "amount": None,
        "currency": "",
    }
    assert (second["status"], second["undo"], "approval" in second) == ("awaiting_approval", None, True)


def test_a_long_run_is_read_in_portions(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rollback.runs.api.STEPS_SHOWN", 2)
    run = office.run()
    steps = [office.step(run) for _ in range(3)]
    lead = office.person(office.lead)

    first = lead.get(f"/runs/{run}").ok()
    assert ([step["id"] for step in first["steps"]], first["more_after"]) == (steps[:2], 2)
    rest = lead.get(f"/runs/{run}?after=2").ok()
    assert ([step["id"] for step in rest["steps"]], rest["more_after"]) == (steps[2:], None)
    lead.get(f"/runs/{run}?after=x").refused(422, "invalid")


def test_runs_are_narrowed_by_status_workflow_and_text(office: Office) -> None:
    failed, running = office.run(goal="Ada"), office.run(goal="Bob")
    office.finish(failed, "failed")
    foreign = office.other_agent.post("/runs", {"workflow": "other"}).ok(201)["id"]

    assert listed(office, office.lead, "?status=failed") == [failed]
    assert listed(office, office.lead, "?status=failed&status=running&workflow=onboard") == [running, failed]
    assert listed(office, office.lead, "?workflow=other") == [foreign]
    assert listed(office, office.lead, "?q=bob") == [running]


@pytest.mark.parametrize("role", [Role.LEAD, Role.MANAGER, Role.ADMIN, Role.VIEWER])
def test_some_roles_see_every_run(office: Office, role: str) -> None:
    run = office.run()

    assert listed(office, make_person(role)) == [run]


def test_an_owner_sees_what_they_or_their_team_own_or_are_asked_about(office: Office) -> None:
    team = make_team()
    office.onboard.team, office.onboard.backup = team, make_person(name="Bo Backup")
    office.onboard.save()
    run = office.run()

    assert office.directory.owner is not None
    seeing = [office.owner, office.onboard.backup, make_person(team=team), office.system_owner, office.directory.owner]
    for person in seeing:
        assert listed(office, person) == [run]
    for person in (office.stranger, make_person()):
        assert listed(office, person) == []
        office.person(person).get(f"/runs/{run}").refused(404, "unknown-run")


def test_who_is_asked_to_decide_sees_the_run(office: Office) -> None:
    Action.objects.filter(key=REFUND).update(approval={"when": "true", "from": [office.stranger.email]})
    run = office.run()
    office.step(run, REFUND)

    assert run in listed(office, office.stranger)

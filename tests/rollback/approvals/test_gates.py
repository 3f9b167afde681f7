"""Which steps need a yes, and whose."""

from typing import Any

import pytest

from rollback.approvals.models import Approval
from rollback.catalog.models import Action
from rollback.ownership.models import Role
from tests.factories import make_person, make_team
from tests.office import MAIL, REFUND, Office, stored_step


def ask(office: Office, action: str = REFUND, **body: Any) -> Approval:
    """The approval that a proposed step waits for."""
    return stored_step(office.step(office.run(goal="Refund Ada"), action, **body)).approvals.get()


def asked(approval: Approval) -> set[str]:
    """The names of the people who may decide."""
    return set(approval.deciders.values_list("name", flat=True))


def set_rule(key: str, **rule: Any) -> None:
    """Change the approval rule of an action."""
    Action.objects.filter(key=key).update(approval={"when": "true", "from": ["workflow_owner"], **rule})


def test_a_rule_over_the_input_decides_whether_a_yes_is_needed(office: Office) -> None:
    run = office.run()
    small = office.agent.post(f"/runs/{run}/steps", {"action": REFUND, "input": {"amount": 500}}).ok(201)
    large = office.agent.post(f"/runs/{run}/steps", {"action": REFUND, "input": {"amount": 501}}).ok(201)

    assert (small["verdict"], large["verdict"]) == ("go", "wait")
    assert "approval" not in small
    assert set(large["approval"]) == {"id", "url", "expires_at"}


def test_an_irreversible_step_always_needs_a_yes(office: Office) -> None:
    assert ask(office, MAIL).rule == "Irreversible actions always need a yes."
    set_rule(MAIL, when="false")
    assert ask(office, MAIL).rule == "Irreversible actions always need a yes."


def test_an_undeclared_irreversible_step_needs_a_yes_too(office: Office) -> None:
    run = office.other_agent.post("/runs", {"workflow": "other"}).ok(201)["id"]
    body = {"action": "new.thing", "input": {}, "system": "elsewhere", "reversibility": "irreversible"}
    step = office.other_agent.post(f"/runs/{run}/steps", body).ok(201)

    assert step["verdict"] == "wait"
    assert asked(Approval.objects.get(pk=step["approval"]["id"])) == {"Sue Stranger"}


@pytest.mark.parametrize("when", ["input.no.such > 1", "input.amount", "1 / 0 > 1"])
def test_a_rule_that_gives_no_answer_asks_a_person(office: Office, when: str) -> None:
    set_rule(REFUND, when=when)

    assert when in ask(office, input={"amount": 1}).rule


def test_those_named_are_asked(office: Office) -> None:
    team = make_team("finance")
    for name in ("Fay Finance", "Finn Finance"):
        make_person(name=name, team=team)
    make_person(name="Gone", team=team, is_active=False)
    make_person(Role.VIEWER, name="Only Looks", team=team)
    expected = {
        "workflow_owner": {"Olu Owner"},
        "system_owner": {"Sam System"},
        "team:finance": {"Fay Finance", "Finn Finance"},
        office.stranger.email: {"Sue Stranger"},
    }
    for name, people in expected.items():
        set_rule(REFUND, **{"from": [name]})
        assert asked(ask(office)) == people
    set_rule(REFUND, **{"from": list(expected)})
    assert asked(ask(office)) == set.union(*expected.values())


def test_when_the_owner_has_left_backup_and_team_are_asked(office: Office) -> None:
    team = make_team()
    make_person(name="Tia Team", team=team)
    office.billing.backup, office.billing.team = make_person(name="Bo Backup"), team
    office.billing.save()
    office.system_owner.is_active = False
    office.system_owner.save()

    assert asked(ask(office, input={"amount": 1000})) == {"Bo Backup", "Tia Team"}


def test_when_the_quorum_is_larger_than_those_named_stand_ins_are_asked_too(office: Office) -> None:
    office.onboard.backup = make_person(name="Bo Backup")
    office.onboard.save()
    set_rule(REFUND, quorum=2)

    assert asked(ask(office)) == {"Olu Owner", "Bo Backup"}


def test_when_nobody_is_there_the_request_is_made_all_the_same(office: Office) -> None:
    office.system_owner.is_active = False
    office.system_owner.save()
    approval = ask(office, input={"amount": 1000})

    assert (asked(approval), approval.state) == (set(), "pending")


def test_the_decider_is_shown_the_act_its_reach_and_whether_it_can_be_undone(office: Office) -> None:
    office.directory.depends_on.add(office.billing)
    shown = ask(office, input={"amount": 1000, "to": "Ada", "card_token": "4111"}).shown

    assert (shown["action"], shown["system"]["slug"], shown["dependents"]) == (REFUND, "billing", ["Directory"])
    assert shown["input"] == {"amount": 1000, "to": "Ada", "card_token": "[redacted]"}
    assert shown["run"] == {"id": shown["run"]["id"], "goal": "Refund Ada", "agent": "onboarder"}
    assert (shown["reversibility"], shown["undo_declared"]) == ("compensatable", True)
    assert shown["undo"] == {"method": "POST", "path": "/charges", "body": {"for": "Ada"}}
    assert shown["rule"] == "The rule of this action: input.amount > 500"


def test_the_request_expires_as_the_rule_says_or_after_two_hours(office: Office) -> None:
    for approval, hours in ((ask(office, input={"amount": 1000}), 1), (ask(office, MAIL), 2)):
        left = approval.expires_at - approval.created_at
        assert abs(left.total_seconds() - hours * 3600) < 5

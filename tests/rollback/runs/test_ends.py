"""How a run ends: finished by its agent, lost, or halted from outside."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from rollback import signals
from rollback.audit.actors import RECOURSE
from rollback.errors import Conflict
from rollback.runs.models import Run
from rollback.runs.services import halt_run, lose_silent_runs
from tests.office import MAIL, Office, stored_run, stored_step


@pytest.mark.parametrize("status", ["succeeded", "failed"])
def test_finishing_is_answered_with_the_run_and_can_be_repeated(office: Office, status: str) -> None:
    run = office.run()
    answer = office.finish(run, status, error="why" if status == "failed" else "")

    assert (answer["id"], answer["status"], answer["verdict"]) == (run, status, "halt")
    assert office.finish(run, status) == answer
    assert stored_run(run).ended_at is not None


def test_finishing_otherwise_afterwards_is_refused(office: Office) -> None:
    run = office.run()
    office.finish(run, "failed")

    document = office.agent.post(f"/runs/{run}/finish", {"status": "succeeded"}).refused(409, "run-not-running")
    assert document["verdict"] == "halt"


def test_a_status_that_is_none_is_refused(office: Office) -> None:
    office.agent.post(f"/runs/{office.run()}/finish", {"status": "lost"}).refused(422, "invalid")


def test_steps_without_a_result_are_in_doubt_when_the_run_ends(office: Office) -> None:
    run = office.run()
    known, unknown = office.did(run), office.step(run)
    office.finish(run, "failed")

    assert (stored_step(known).state, stored_step(unknown).state) == ("succeeded", "in_doubt")


def test_open_requests_are_withdrawn_when_the_run_ends(office: Office) -> None:
    run = office.run()
    step = office.step(run, MAIL)
    office.finish(run, "failed")

    assert stored_step(step).state == "expired"
    assert stored_step(step).approvals.get().state == "withdrawn"


def test_the_end_is_announced_within_its_transaction(office: Office) -> None:
    heard: list[tuple[str, bool]] = []

    def listen(run: Run, **_: Any) -> None:
        heard.append((run.state, Run.objects.filter(pk=run.pk, state=run.state).exists()))

    signals.run_ended.connect(listen)
    try:
        office.finish(office.run(), "failed")
    finally:
        signals.run_ended.disconnect(listen)

    assert heard == [("failed", True)]


def test_a_run_without_a_sign_of_life_is_lost(office: Office, settings: Any) -> None:
    silent, alive = office.run(), office.run()
    step = office.step(silent)
    now = timezone.now()
    Run.objects.filter(pk=silent).update(heartbeat_at=now - timedelta(seconds=settings.RUN_LOST_AFTER_SECONDS + 1))

    assert (lose_silent_runs(now), lose_silent_runs(now)) == (1, 0)
    assert (stored_run(silent).state, stored_run(alive).state) == ("lost", "running")
    assert stored_step(step).state == "in_doubt"


def test_a_run_that_cannot_be_given_up_does_not_keep_the_others_from_it(office: Office) -> None:
    first, second = office.run(), office.run()
    Run.objects.update(heartbeat_at=timezone.now() - timedelta(days=1))

    def fail(run: Run, **_: Any) -> None:
        if str(run.pk) == first:
            raise RuntimeError("no")

    signals.run_ended.connect(fail)
    try:
        assert lose_silent_runs(timezone.now()) == 1
    finally:
        signals.run_ended.disconnect(fail)

    assert (stored_run(first).state, stored_run(second).state) == ("running", "lost")


def test_a_halted_run_tells_its_agent_everywhere(office: Office) -> None:
    run = office.run()
    waiting, cleared = office.step(run, MAIL), office.step(run)
    halt_run(stored_run(run), "The lead stopped it.", office.lead.actor())

    assert office.agent.get(f"/steps/{waiting}").ok()["verdict"] == "halt"
    assert office.agent.get(f"/steps/{cleared}").ok()["verdict"] == "halt"
    assert office.agent.post(f"/runs/{run}/heartbeat").ok()["verdict"] == "halt"
    assert office.result(cleared, output={"id": "7"})["verdict"] == "halt"
    with pytest.raises(Conflict):
        halt_run(stored_run(run), "again", RECOURSE)

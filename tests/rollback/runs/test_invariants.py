"""Invariants 2, 6 and 7 of DESIGN.md, as far as they are kept where agents report."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from rollback import signals
from rollback.audit.models import AuditEvent
from rollback.catalog.models import Action
from rollback.recovery.preview import preview
from rollback.recovery.services import start_rollback
from rollback.runs.models import Run, Step
from rollback.runs.services import lose_silent_runs
from tests.office import CREATE, MAIL, Office, stored_run, stored_step

ALL = {"kind": "all", "cascade": False}


@pytest.fixture
def late() -> Any:
    """The ids of the steps whose late results were announced."""
    heard: list[str] = []

    def listen(step: Step, **_: Any) -> None:
        heard.append(str(step.pk))

    signals.step_result_late.connect(listen)
    yield heard
    signals.step_result_late.disconnect(listen)


def lose(run: str) -> None:
    """The run's agent has fallen silent."""
    Run.objects.filter(pk=run).update(heartbeat_at=timezone.now() - timedelta(days=1))
    lose_silent_runs(timezone.now())


def roll_back(office: Office, run: str) -> None:
    """The lead starts the rollback of the whole run."""
    shown = preview(stored_run(run), ALL)
    start_rollback(stored_run(run), ALL, "It went wrong.", shown.hash, office.lead)


def test_invariant_2_the_undo_is_frozen_when_its_step_lands(office: Office) -> None:
    step = office.did(office.run())
    frozen = stored_step(step).undo
    Action.objects.filter(key=CREATE).update(
        compensation={"executor": "http", "request": {"method": "GET", "path": "/"}}
    )

    assert stored_step(step).undo == frozen
    assert frozen["compensation"]["request"]["path"] == "/users/u-1"  # type: ignore[index]


def test_invariant_2_secrets_are_never_frozen(office: Office, settings: Any) -> None:
    headers = {"Authorization": "Bearer ${secret.test_token}"}
    request = {"method": "DELETE", "path": "/users/${output.id}", "headers": headers}
    Action.objects.filter(key=CREATE).update(compensation={"executor": "http", "request": request})
    undo: Any = stored_step(office.did(office.run())).undo

    assert undo["compensation"]["request"]["headers"] == headers


def test_invariant_2_what_an_agent_reports_never_becomes_a_reference_to_a_secret(office: Office) -> None:
    request = {"method": "POST", "path": "/undo", "body": {"id": "${output.id}"}}
    Action.objects.filter(key=CREATE).update(compensation={"executor": "http", "request": request}, verification=None)
    undo: Any = stored_step(office.did(office.run(), "${secret.test_token}")).undo

    assert undo["compensation"]["request"]["body"] == {"id": "$${secret.test_token}"}


def test_invariant_6_the_intent_is_recorded_before_the_agent_may_act(office: Office) -> None:
    run = office.run()
    answer = office.agent.post(f"/runs/{run}/steps", {"action": CREATE, "input": {"name": "Ada"}}).ok(201)

    assert answer["verdict"] == "go"
    assert stored_step(answer["id"]).input == {"name": "Ada"}
    types = AuditEvent.objects.filter(subject=run).order_by("number").values_list("type", flat=True)
    assert list(types) == ["run.open", "step.propose", "step.clear"]


def test_invariant_6_a_step_in_doubt_is_undone_too_as_far_as_its_input_tells(office: Office) -> None:
    request = {"method": "DELETE", "path": "/users/${input.id}"}
    Action.objects.filter(key=CREATE).update(compensation={"executor": "http", "request": request}, verification=None)
    run = office.run()
    step = office.step(run, input={"id": "ada"})
    lose(run)

    assert stored_step(step).state == "in_doubt"
    planned = preview(stored_run(run), ALL).items
    assert [(str(item.step.pk), item.treatment, item.in_doubt) for item in planned] == [(step, "undo", True)]
    assert planned[0].sends is not None
    assert planned[0].sends["request"]["path"] == "/users/ada"


def test_invariant_6_a_step_in_doubt_whose_undo_needs_the_output_goes_to_a_person(office: Office) -> None:
    run = office.run()
    step = office.step(run)
    lose(run)

    assert [(str(item.step.pk), item.treatment) for item in preview(stored_run(run), ALL).items] == [(step, "by_hand")]


def test_invariant_6_the_undo_of_the_proposal_serves_when_no_result_comes(office: Office) -> None:
    run = office.run()
    step = office.step(run, undo={"executor": "http", "request": {"method": "DELETE", "path": "/people/9"}})
    lose(run)

    undo: Any = stored_step(step).undo
    assert undo["compensation"]["request"]["path"] == "/people/9"


def test_invariant_7_a_result_for_a_finished_run_is_not_lost(office: Office, late: list[str]) -> None:
    run = office.run()
    succeeds, fails = office.step(run), office.step(run)
    office.finish(run, "failed")

    answer = office.result(succeeds, output={"id": "7"}, effects=[{"kind": "user", "ref": "7"}])
    assert (answer["undo"]["state"], answer["verdict"]) == ("resolved", "halt")
    office.result(fails, "failed", error="timed out")
    assert (stored_step(succeeds).state, stored_step(fails).state) == ("succeeded", "failed")
    assert stored_step(succeeds).effects.count() == 1
    assert late == [succeeds, fails]


def test_invariant_7_a_result_after_the_rollback_began_is_taken_and_announced(office: Office, late: list[str]) -> None:
    run = office.run()
    office.did(run)
    step = office.step(run)
    roll_back(office, run)
    assert stored_step(step).state == "in_doubt"

    assert office.result(step, output={"id": "8"})["verdict"] == "halt"
    assert stored_step(step).state == "succeeded"
    assert late == [step]


def test_invariant_7_finished_steps_in_a_batch_are_late_results_too(office: Office, late: list[str]) -> None:
    run = office.run()
    office.did(run)
    roll_back(office, run)
    done = {"action": CREATE, "input": {}, "status": "succeeded", "output": {"id": "9"}}
    answer = office.agent.post(f"/runs/{run}/steps/batch", {"steps": [done]}).ok()

    assert answer["verdict"] == "halt"
    assert late == [answer["steps"][0]["id"]]


def test_invariant_7_new_intents_are_refused_and_the_agent_is_told_to_halt(office: Office) -> None:
    run = office.run()
    office.did(run)
    waiting = office.step(run, MAIL)
    roll_back(office, run)

    document = office.agent.post(f"/runs/{run}/steps", {"action": CREATE, "input": {}}).refused(409, "run-not-running")
    assert document["verdict"] == "halt"
    assert office.agent.get(f"/steps/{waiting}?wait=5").ok()["verdict"] == "halt"
    assert stored_step(waiting).approvals.get().state == "withdrawn"

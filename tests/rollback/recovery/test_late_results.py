"""What agents report after the rollback began (invariant 7)."""

from collections.abc import Callable
from typing import Any

from rollback.audit.models import AuditEvent
from rollback.audit.verify import broken_links
from rollback.recovery import store
from rollback.recovery.executors.contract import Outcome, Result
from rollback.recovery.models import Compensation, Rollback
from rollback.runs.batch import FinishedStep, record_batch
from rollback.runs.models import Step
from rollback.runs.reported import ReportedResult, ReportedStep
from rollback.runs.services import record_result
from rollback.runs.states import StepState
from tests.rollback.recovery.conftest import Scene, undo_of

Engine = Callable[[Rollback], Rollback]
WORKED = Outcome(Result.SUCCEEDED, "HTTP 204", 204)


def bring(path: str) -> dict[str, Any]:
    """The undo of a thing at ``path``, as an agent writes it down."""
    return {"executor": "http", "request": {"method": "DELETE", "path": path}}


def report(scene: Scene, step: Step, path: str, status: str = "succeeded") -> None:
    undo = bring(path) if status == "succeeded" else None
    record_result(step, ReportedResult(status=status, undo=undo), scene.lead.actor())


def batch(scene: Scene, path: str, after: list[Step] | None = None) -> Step:
    """One more step that the agent tells of when the rollback runs already."""
    scene.outside.things.add(path)
    ids = None if after is None else tuple(str(step.pk) for step in after)
    step = ReportedStep(action="thing.make", input={}, depends_on=ids)
    finished = FinishedStep(step=step, result=ReportedResult(status="succeeded", undo=bring(path)))
    [taken] = record_batch(scene.run, [finished], scene.lead.actor())
    assert taken.step is not None
    return taken.step


def test_invariant_7_a_step_that_the_plan_did_not_know_is_undone_first(scene: Scene, engine: Engine) -> None:
    scene.did(), scene.did()
    rollback = scene.start()

    late = batch(scene, "/things/late")

    assert engine(rollback).state == "completed"
    assert scene.outside.things == set()
    assert [call.path for call in scene.outside.calls("DELETE")] == ["/things/late", "/things/2", "/things/1"]
    assert rollback.compensations.get(step=late).state == "compensated"
    assert AuditEvent.objects.filter(subject=rollback.pk, type="compensation.join").count() == 1
    assert list(broken_links()) == []


def test_only_what_the_late_step_built_on_waits_for_it(scene: Scene) -> None:
    first, _ = scene.did(after=[]), scene.did(after=[])
    scene.start()
    assert scene.states() == ["ready", "ready"]

    batch(scene, "/things/late", after=[first])

    assert scene.states() == ["blocked", "ready", "ready"]


def test_a_step_in_doubt_that_did_happen_is_undone_as_its_result_says(scene: Scene, engine: Engine) -> None:
    step = scene.did(state=StepState.IN_DOUBT, finished_at=None, undo=undo_of("/things/guessed"))
    rollback = scene.start()

    report(scene, step, "/things/1")

    assert engine(rollback).state == "completed"
    assert [call.path for call in scene.outside.calls("DELETE")] == ["/things/1"]
    assert not rollback.compensations.get().in_doubt


def test_what_came_after_its_undo_is_undone_again_under_a_key_of_its_own(scene: Scene, engine: Engine) -> None:
    """The undo found nothing; then the agent's act landed after all."""
    scene.did(after=[])
    step = scene.did(after=[], state=StepState.IN_DOUBT, finished_at=None)
    rollback = scene.start()
    scene.outside.things.discard("/things/2")
    claims = {claimed.compensation: claimed for claimed in store.claim(rollback.pk, 2).claims}
    undone = rollback.compensations.get(step=step)
    store.settle([(claims.pop(undone.pk), WORKED)])
    scene.outside.things.add("/things/2")

    report(scene, step, "/things/2")
    [other] = claims.values()
    store.settle([(other, WORKED)])
    scene.outside.things.discard("/things/1")

    assert engine(rollback).state == "completed"
    assert scene.outside.things == set()
    rounds = list(rollback.compensations.filter(step=step).order_by("round"))
    assert [(row.round, row.state) for row in rounds] == [(1, "compensated"), (2, "compensated")]
    assert rounds[0].key != rounds[1].key


def test_a_late_failure_without_effects_adds_nothing(scene: Scene) -> None:
    scene.did()
    step = scene.did(state=StepState.IN_DOUBT, finished_at=None)
    scene.start()
    step.effects.all().delete()

    report(scene, step, "", status="failed")

    assert Compensation.objects.count() == 2


def test_a_late_result_after_the_end_can_be_taken_back_by_a_second_rollback(scene: Scene, engine: Engine) -> None:
    scene.did()
    assert engine(scene.start()).state == "completed"

    late = batch(scene, "/things/late")
    scene.run.refresh_from_db()
    again = scene.start()

    assert [c.step_id for c in again.compensations.all()] == [late.pk]
    assert engine(again).state == "completed"
    assert scene.outside.things == set()


def test_a_rollback_that_waits_for_a_person_goes_on_when_a_result_gave_the_missing_undo(
    scene: Scene, engine: Engine
) -> None:
    step = scene.did(state=StepState.IN_DOUBT, finished_at=None, undo=None)
    rollback = engine(scene.start())
    assert rollback.state == "needs_attention"

    report(scene, step, "/things/1")

    assert engine(rollback).state == "completed"
    assert scene.outside.things == set()


def test_a_late_step_outside_the_scope_is_left_alone(scene: Scene) -> None:
    first, chosen = scene.did(after=[]), scene.did(after=[])
    rollback = scene.start(scope={"kind": "steps", "steps": [str(chosen.pk)], "cascade": False})

    batch(scene, "/things/late", after=[first])

    assert rollback.compensations.count() == 1

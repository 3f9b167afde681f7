"""Back-fill: many finished steps in one request, each taken or refused by itself."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from rollback.audit.actors import Actor
from rollback.audit.services import record
from rollback.errors import Conflict, Refused
from rollback.runs.models import ResourceUse, Run, Step
from rollback.runs.reported import ReportedEffect, ReportedResult, ReportedStep
from rollback.runs.services import Verdict, apply_result, new_step, store_effects, touch
from rollback.runs.states import RunState, StepState
from rollback.runs.undo import brought_undo


@dataclass(frozen=True)
class FinishedStep:
    """A step that was taken and has ended; ``ref`` is a name by which later ones of the batch may depend on it."""

    step: ReportedStep
    result: ReportedResult
    ref: str = ""


@dataclass(frozen=True)
class Taken:
    """One item's answer: the stored step, or why it was refused."""

    step: Step | None
    refused: Refused | None = None


def record_batch(run: Run, items: Sequence[FinishedStep], actor: Actor) -> list[Taken]:
    """Store finished steps in order, in a few statements; one that makes no sense does not keep the others out.

    No approval is asked for what has happened already: the history says that it was reported afterwards.
    Raises ``Conflict`` (``run-not-running``) when the run takes no further steps.
    """
    with transaction.atomic():
        run = touch(run)
        if run.state != RunState.RUNNING:
            halt: dict[str, object] = {"verdict": Verdict.HALT}
            raise Conflict(f"This run is {run.state}: it takes no further steps.", "run-not-running", more=halt)
        refs: dict[str, UUID] = {}
        taken = [_take(run, item, refs) for item in items]
        stored = [(t.step, item) for t, item in zip(taken, items, strict=True) if t.step is not None]
        for step, item in stored:
            _resources(step, item)
        ids = [step.pk for step, _ in stored]
        record(run.audit_chain(), "run.batch", actor, {"id": run.pk, "steps": ids})
    return taken


def _take(run: Run, item: FinishedStep, refs: dict[str, UUID]) -> Taken:
    try:
        with transaction.atomic():
            step = _store(run, item, refs)
    except Refused as refused:
        return Taken(None, refused)
    if item.ref:
        refs[item.ref] = step.pk
    return Taken(step)


def _store(run: Run, item: FinishedStep, refs: dict[str, UUID]) -> Step:
    named = item.step.depends_on
    proposed = replace(item.step, depends_on=None if named is None else [str(refs.get(one, one)) for one in named])
    step = new_step(run, proposed)
    step.run = run
    step.undo = brought_undo(step, proposed.undo)
    apply_result(step, item.result, brought_undo(step, item.result.undo) or step.undo)
    step.state = StepState.SUCCEEDED if item.result.status == "succeeded" else StepState.FAILED
    step.cleared_at = step.proposed_at = timezone.now()
    step.save(force_insert=True)
    effects: Sequence[ReportedEffect] = item.result.effects
    store_effects([(step, effects)])
    return step


def _resources(step: Step, item: FinishedStep) -> None:
    used = [(name, False) for name in item.step.consumes] + [(name, True) for name in item.result.produces]
    rows = [ResourceUse(step=step, run_id=step.run_id, resource=name, produced=made) for name, made in used]
    ResourceUse.objects.bulk_create(rows)

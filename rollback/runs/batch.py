"""Back-fill: many finished steps in one request, each taken or refused by itself."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from rollback import signals
from rollback.audit.actors import Actor
from rollback.audit.services import record
from rollback.errors import FieldError, Invalid, Refused
from rollback.runs.intents import Known, known_for, new_step
from rollback.runs.models import Effect, ResourceUse, Run, Step
from rollback.runs.reported import ReportedResult, ReportedStep
from rollback.runs.results import apply_result, effects_of, uses_of
from rollback.runs.services import touch
from rollback.runs.states import RunState, StepState

MAX_EFFECTS = 10_000


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


@dataclass
class _Rows:
    """What a batch writes."""

    steps: list[Step] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    uses: list[ResourceUse] = field(default_factory=list)


def record_batch(run: Run, items: Sequence[FinishedStep], actor: Actor) -> list[Taken]:
    """Store finished steps in order, in a few statements; one that makes no sense does not keep the others out.

    They have happened: no approval is asked, and a run that has ended takes them too. When it is being rolled
    back, or was, they are late results. Raises ``Invalid`` (``too-many-effects``) for more than ``MAX_EFFECTS``.
    """
    if sum(len(item.result.effects) for item in items) > MAX_EFFECTS:
        raise Invalid(f"A batch has at most {MAX_EFFECTS:,} effects: send several.", "too-many-effects")
    slugs = [effect.system for item in items for effect in item.result.effects]
    known = known_for(run, [item.step for item in items], slugs)
    now = timezone.now()
    with transaction.atomic():
        run = touch(run)
        rows = _Rows()
        taken = [_take(run, item, known, rows, now) for item in items]
        _store(run, rows, actor)
        if run.state != RunState.RUNNING:
            for step in rows.steps:
                signals.step_result_late.send(sender=Step, step=step)
    return taken


def _take(run: Run, item: FinishedStep, known: Known, rows: _Rows, now: datetime) -> Taken:
    try:
        if item.ref and item.ref in known.steps:
            raise Invalid(f"{item.ref!r} names an earlier step.", "ref-in-use", [FieldError("/ref", "not new")])
        number = run.steps_taken + len(rows.steps) + 1
        step = new_step(run, number, item.step, known, StepState(item.result.status))
        undo = item.step.undo if item.result.undo is None else item.result.undo
        apply_result(step, replace(item.result, undo=undo), now)
        effects = effects_of(step, item.result.effects, known.systems)
    except Refused as refused:
        return Taken(None, refused)
    step.proposed_at = step.cleared_at = step.state_at = now
    rows.steps.append(step)
    rows.effects += effects
    rows.uses += uses_of(step, item.step.consumes, produced=False) + uses_of(step, item.result.produces, produced=True)
    if item.ref:
        known.steps[item.ref] = step.pk
    return Taken(step)


def _store(run: Run, rows: _Rows, actor: Actor) -> None:
    Step.objects.bulk_create(rows.steps, batch_size=200)
    Effect.objects.bulk_create(rows.effects, batch_size=500)
    ResourceUse.objects.bulk_create(rows.uses, batch_size=500)
    Run.objects.filter(pk=run.pk).update(steps_taken=run.steps_taken + len(rows.steps))
    steps = [[step.pk, step.number, step.action_key, step.state, step.result_hash] for step in rows.steps]
    record(run.audit_chain(), "run.batch", actor, {"id": run.pk, "steps": steps})

"""Reads a run's steps into what the plan is made from. The one place that judges what a step calls for."""

import hashlib
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef

from rollback.audit.chain import canonical
from rollback.catalog.models import Reversibility
from rollback.errors import Invalid
from rollback.recovery.models import Compensation
from rollback.recovery.plan import Scope, TakenStep, Treatment
from rollback.recovery.states import CompensationState
from rollback.runs.models import Effect, Run, Step, UndoState
from rollback.runs.states import StepState

_NEVER_ACTED = frozenset({StepState.PROPOSED, StepState.AWAITING_APPROVAL, StepState.REFUSED, StepState.EXPIRED})
_IN_DOUBT = frozenset({StepState.CLEARED, StepState.IN_DOUBT})
_RESTORED = (CompensationState.COMPENSATED, CompensationState.DONE_BY_HAND)


def taken_steps(run: Run, now: datetime) -> list[TakenStep]:
    """The steps of ``run`` as the plan sees them at ``now`` (which decides whether undo windows have passed)."""
    undone = Compensation.objects.filter(step=OuterRef("pk"), state__in=_RESTORED, rollback__rehearsal=False)
    effects = Effect.objects.filter(step=OuterRef("pk"))
    steps = run.steps.annotate(is_undone=Exists(undone), has_effects=Exists(effects)).order_by("number")
    return [_taken(step, now) for step in steps]


def _taken(step: Any, now: datetime) -> TakenStep:
    depends_on = None if step.depends_on is None else frozenset(UUID(i) for i in step.depends_on)
    finished = step.finished_at.timestamp() if step.finished_at else None
    undo_hash = hashlib.sha256(canonical(step.undo).encode()).hexdigest()
    in_doubt = step.state in _IN_DOUBT
    return TakenStep(step.id, step.number, treatment(step, now), depends_on, finished, in_doubt, undo_hash)


def treatment(step: Any, now: datetime) -> Treatment:
    """What undoing ``step`` calls for. Needs the annotations ``is_undone`` and ``has_effects``."""
    if step.is_undone:
        return Treatment.ALREADY_UNDONE
    if step.state in _NEVER_ACTED or (step.state == StepState.FAILED and not step.has_effects):
        return Treatment.NOTHING
    expired = step.undo_expires_at is not None and step.undo_expires_at <= now
    if step.reversibility == Reversibility.IRREVERSIBLE or expired:
        return Treatment.NOT_POSSIBLE
    if step.undo and step.undo["compensation"]["executor"] != "manual":
        return Treatment.UNDO
    if step.state == StepState.SUCCEEDED and step.undo_state == UndoState.NONE and not step.has_effects:
        return Treatment.NOTHING
    return Treatment.BY_HAND


def parse_scope(scope: dict[str, Any], run: Run) -> Scope:
    """``scope`` of API.md. Raises ``Invalid`` naming what is wrong with it."""
    known = {str(pk) for pk in Step.objects.filter(run=run).values_list("pk", flat=True)}
    kind = scope.get("kind")
    if kind == "all":
        return Scope()
    if kind == "back_to" and str(scope.get("step")) in known:
        return Scope(back_to=UUID(str(scope["step"])))
    steps = scope.get("steps")
    if kind == "steps" and isinstance(steps, list) and steps and {str(s) for s in steps} <= known:
        return Scope(steps=frozenset(UUID(str(s)) for s in steps))
    raise Invalid(
        'scope is {"kind": "all"}, {"kind": "back_to", "step": id} or {"kind": "steps", "steps": [id]}, '
        "with ids of this run's steps.",
        "invalid-scope",
    )

"""Reads a run's steps into what the plan is made from. The one place that judges what a step calls for."""

import hashlib
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Exists, OuterRef, TextField
from django.db.models.fields.json import KT
from django.db.models.functions import Cast

from rollback.catalog.models import Reversibility
from rollback.errors import FieldError, Invalid
from rollback.recovery.models import Compensation
from rollback.recovery.plan import Scope, TakenStep, Treatment
from rollback.recovery.states import CompensationState
from rollback.runs.models import Effect, Run, Step, UndoState
from rollback.runs.states import StepState

_NEVER_ACTED = frozenset({StepState.PROPOSED, StepState.AWAITING_APPROVAL, StepState.REFUSED, StepState.EXPIRED})
_IN_DOUBT = frozenset({StepState.CLEARED, StepState.IN_DOUBT})
_RESTORED = (CompensationState.COMPENSATED, CompensationState.DONE_BY_HAND)


class _Row(NamedTuple):
    """What the plan asks of a step, and no more: a run may have very many."""

    id: UUID
    number: int
    state: str
    reversibility: str
    depends_on: list[str] | None
    finished_at: datetime | None
    undo_state: str
    undo_expires_at: datetime | None
    undo_text: str | None
    executor: str | None
    is_undone: bool
    has_effects: bool


def taken_steps(run: Run, now: datetime, again: UUID | None = None) -> list[TakenStep]:
    """The steps of ``run`` as the plan sees them at ``now`` (which decides whether undo windows have passed).

    The step ``again`` counts as not undone, whatever was tried: what it did came later.
    """
    undone = Compensation.objects.filter(step=OuterRef("pk"), state__in=_RESTORED, rollback__rehearsal=False)
    rows = run.steps.annotate(
        undo_text=Cast("undo", TextField()),
        executor=KT("undo__compensation__executor"),
        is_undone=Exists(undone),
        has_effects=Exists(Effect.objects.filter(step=OuterRef("pk"))),
    ).order_by("number")
    found = (_Row._make(row) for row in rows.values_list(*_Row._fields))
    return [_taken(row._replace(is_undone=False) if row.id == again else row, now) for row in found]


def _taken(row: _Row, now: datetime) -> TakenStep:
    depends_on = None if row.depends_on is None else frozenset(UUID(i) for i in row.depends_on)
    finished = row.finished_at.timestamp() if row.finished_at else None
    undo_hash = hashlib.sha256((row.undo_text or "").encode()).hexdigest()
    in_doubt = row.state in _IN_DOUBT
    return TakenStep(row.id, row.number, _treatment(row, now), depends_on, finished, in_doubt, undo_hash)


def _treatment(row: _Row, now: datetime) -> Treatment:
    """What undoing the step calls for."""
    if row.is_undone:
        return Treatment.ALREADY_UNDONE
    if row.state in _NEVER_ACTED or (row.state == StepState.FAILED and not row.has_effects):
        return Treatment.NOTHING
    expired = row.undo_expires_at is not None and row.undo_expires_at <= now
    if row.reversibility == Reversibility.IRREVERSIBLE or expired:
        return Treatment.NOT_POSSIBLE
    if row.executor and row.executor != "manual":
        return Treatment.UNDO
    if row.state == StepState.SUCCEEDED and row.undo_state == UndoState.NONE and not row.has_effects:
        return Treatment.NOTHING
    return Treatment.BY_HAND


def parse_scope(scope: dict[str, Any], run: Run) -> Scope:
    """``scope`` of API.md. Raises ``Invalid`` naming what is wrong with it."""
    known = {str(pk) for pk in Step.objects.filter(run=run).values_list("pk", flat=True)}
    if scope.get("cascade"):
        # Said, and not done silently without: half of what was asked for is worse than none.
        words = "Runs that built on this one are not taken back along with it: roll them back first, one by one."
        raise Invalid(words, "no-cascade", [FieldError("/scope/cascade", "must be false")])
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

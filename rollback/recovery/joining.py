"""A result that comes after the rollback began joins the running plan (invariant 7).

The agent did something that the plan did not know, or knew only as possible. So the step's undo gets its
place: after what built on the step, before what the step built on.
"""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import F, Max
from django.utils import timezone

from rollback.audit.actors import RECOURSE
from rollback.audit.ids import new_id
from rollback.audit.services import move, record
from rollback.recovery import store
from rollback.recovery.backoff import Retry
from rollback.recovery.claims import first_phase
from rollback.recovery.models import Compensation, CompensationOrder, Rollback
from rollback.recovery.plan import PlannedStep, Treatment, make_plan
from rollback.recovery.states import LIVE, SETTLED, CompensationState
from rollback.recovery.taken import parse_scope, taken_steps
from rollback.runs.models import Run, Step

_NOT_BEGUN = frozenset(
    {CompensationState.BLOCKED, CompensationState.READY, CompensationState.RETRY_WAIT, CompensationState.HANDED_OVER}
)


def join(step: Step) -> Rollback | None:
    """Bring ``step`` into the rollback of its run that is under way; None when there is none, or nothing to undo.

    Call it inside the transaction that recorded the result, with the run locked.
    """
    live = Rollback.objects.filter(run=step.run_id, rehearsal=False, state__in=LIVE).values_list("pk", flat=True)
    rollback = store.hold(pk) if (pk := live.first()) else None
    planned = _place(rollback, step) if rollback else []
    own = next((p for p in planned if p.step == step.pk), None)
    if rollback is None or own is None:
        return None
    known = _newest(rollback, [step.pk]).get(step.pk)
    if known is not None and known.state in _NOT_BEGUN and not known.attempts_made:
        _renew_undo(known, step, own)
    else:
        _add(rollback, step, own, planned, known)
    if str(step.system_id) not in rollback.systems:
        rollback.systems = sorted({*rollback.systems, str(step.system_id)})
        rollback.save(update_fields=["systems"])
    return rollback


def _place(rollback: Rollback, step: Step) -> list[PlannedStep]:
    """The plan as it would be made now, with ``step`` counted as not undone."""
    run = Run.objects.get(pk=rollback.run_id)
    taken = taken_steps(run, timezone.now(), again=step.pk)
    plan = make_plan(taken, parse_scope(rollback.scope, run))
    return list(plan.steps)


def _newest(rollback: Rollback, steps: Iterable[UUID]) -> dict[UUID, Compensation]:
    """The latest compensation of each of ``steps`` in ``rollback``."""
    rows = rollback.compensations.filter(step__in=steps).order_by("round")
    return {row.step_id: row for row in rows}


def _renew_undo(known: Compensation, step: Step, own: PlannedStep) -> None:
    """It is in the plan and nothing was tried yet: from now on with the undo that the result gave."""
    undo = step.undo if own.treatment is Treatment.UNDO else None
    fields = {"undo": undo, "begins_with": first_phase(undo), "expires_at": step.undo_expires_at, "in_doubt": False}
    Compensation.objects.filter(pk=known.pk).update(**fields)
    record(known.audit_chain(), "compensation.renew", RECOURSE, {"id": known.pk, "step": step.pk})
    if known.state == CompensationState.HANDED_OVER and undo:
        move(known, "try_again", RECOURSE, set={"handed_to": None})


def _add(
    rollback: Rollback, step: Step, own: PlannedStep, planned: list[PlannedStep], known: Compensation | None
) -> None:
    """One more compensation. A second one for its step has a key of its own: it undoes what came after the first."""
    before = [row for row in _newest(rollback, own.after).values() if row.state not in SETTLED]
    if known is not None and known.state not in SETTLED:
        before.append(known)
    undo = step.undo if own.treatment is Treatment.UNDO else None
    identity, last = new_id(), rollback.compensations.aggregate(last=Max("position"))["last"] or 0
    possible = own.treatment is not Treatment.NOT_POSSIBLE
    waiting = CompensationState.BLOCKED if before else CompensationState.READY
    added = Compensation.objects.create(
        id=identity,
        rollback=rollback,
        step=step,
        system_id=step.system_id,
        round=known.round + 1 if known else 1,
        position=last + 1,
        key=f"recourse-{identity}",
        undo=undo,
        begins_with=first_phase(undo),
        expires_at=step.undo_expires_at,
        waits_for=len(before) if possible else 0,
        state=waiting if possible else CompensationState.NOT_POSSIBLE,
        attempts_allowed=Retry.of(step.undo or {}).attempts,
    )
    record(added.audit_chain(), "compensation.join", RECOURSE, {"id": added.pk, "step": step.pk, "round": added.round})
    if possible:
        CompensationOrder.objects.bulk_create([CompensationOrder(first=row, then=added) for row in before])
        _hold_back(rollback, added, [p.step for p in planned if step.pk in p.after])


def _hold_back(rollback: Rollback, added: Compensation, steps: list[UUID]) -> None:
    """What the step was built on waits for it, as far as its turn has not come already."""
    for row in _newest(rollback, steps).values():
        if row.state not in (CompensationState.BLOCKED, CompensationState.READY):
            continue
        CompensationOrder.objects.create(first=added, then=row)
        Compensation.objects.filter(pk=row.pk).update(waits_for=F("waits_for") + 1)
        if row.state == CompensationState.READY:
            move(row, "block", RECOURSE, payload={"by": added.pk})

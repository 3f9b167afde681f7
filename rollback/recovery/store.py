"""Claim and settle: how the engine reads and writes what it works on.

The worker claims (commits), acts outside any transaction, and settles (commits). Every claim raises the
compensation's fence; a settle names the fence it claimed with. A worker whose lease ran out therefore
changes nothing, however late it wakes up (``LeaseLost``).

Every transaction that changes something of a rollback locks the rollback's row first. What can go wrong is
decided here, row by row; the good way on PostgreSQL is ``hot.py``.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from rollback import signals
from rollback.audit.actors import RECOURSE, Actor
from rollback.audit.ids import new_id
from rollback.audit.services import move
from rollback.errors import Conflict
from rollback.recovery import hot, lifeline, limits
from rollback.recovery.backoff import Retry
from rollback.recovery.claims import CHECK, EXECUTE, VERIFY, Claim, LeaseLost, Taken, first_phase, target_of
from rollback.recovery.executors.contract import Outcome, Result
from rollback.recovery.models import Attempt, Compensation, CompensationOrder, Rollback
from rollback.recovery.plan import Plan, PlannedStep, Treatment
from rollback.recovery.states import IN_FLIGHT, SETTLED, CompensationState, RollbackState
from rollback.runs.models import Run, Step
from rollback.runs.states import RunState

NOTHING_TO_EXECUTE = "There is nothing for software to execute: its owner takes it back by hand."
ASK_AGAIN_SECONDS = 1.0
WINDOW_PASSED = "The undo window passed before its turn came."


def claim(rollback_id: UUID, limit: int) -> Taken:
    """Take up to ``limit`` compensations of a running rollback whose turn has come, each with a fresh lease."""
    if limit < 1:
        return Taken()
    worker = lifeline.hold()
    taken = Taken()
    if hot.available():
        taken = hot.claim(rollback_id, limit, worker)
        if len(taken.claims) == limit or not taken.more:
            return taken
    rest = _claim_with_judgement(rollback_id, limit - len(taken.claims), worker)
    return Taken(taken.claims + rest.claims, rest.more, rest.again_in)


def _claim_with_judgement(rollback_id: UUID, limit: int, worker: int | None) -> Taken:
    """Claim row by row: what may have to be given up or handed over, and what a rate slows down."""
    with transaction.atomic(durable=True):
        rollback = hold(rollback_id, RollbackState.RUNNING)
        if rollback is None:
            return Taken()
        room = limits.room_for(rollback.systems, timezone.now())
        claims = _take_one_by_one(rollback_id, room, limit, worker)
        _pace(room, claims)
        left = Compensation.objects.filter(rollback=rollback_id, state=CompensationState.READY).exists()
    again_in = room.again_in or limits.LOOK_AGAIN_SECONDS if left else None
    return Taken(claims, more=len(claims) == limit, again_in=again_in)


def hold(rollback_id: UUID, *states: RollbackState) -> Rollback | None:
    """The rollback's row, locked: whoever changes something of it, or of its compensations, comes here first.

    None when it is in none of ``states`` (none given: any state will do).
    """
    rows = Rollback.objects.filter(pk=rollback_id)
    rows = rows.filter(state__in=states) if states else rows
    return rows.select_for_update(no_key=True).first()


def _take_one_by_one(rollback_id: UUID, room: limits.Room, limit: int, worker: int | None) -> list[Claim]:
    needs_no_room = Q(begins_with="") | Q(expires_at__lte=timezone.now(), executed_at=None)
    has_room = Q(system__in=[system for system, free in room.free.items() if free > 0])
    ready = Compensation.objects.filter(needs_no_room | has_room, rollback=rollback_id, state=CompensationState.READY)
    rows = lock(ready.select_related("step__action", "system", "rollback__run").order_by("position"))
    return [claimed for row in rows[:limit] if (claimed := _claim_one(row, room, worker)) is not None]


def lock(rows: "QuerySet[Any]", **how: bool) -> "QuerySet[Any]":
    """``FOR UPDATE`` of the rows themselves on PostgreSQL; on SQLite the IMMEDIATE transaction holds all of it."""
    return rows.select_for_update(of=("self",), **how)


def _claim_one(row: Compensation, room: limits.Room, worker: int | None) -> Claim | None:
    if row.expires_at is not None and row.expires_at <= timezone.now() and not row.executed_at:
        move(row, "give_up", RECOURSE, set={"ended_at": timezone.now(), "last_error": WINDOW_PASSED})
        release_dependents(row, RECOURSE)
        return None
    if not row.begins_with:
        hand_over(row, NOTHING_TO_EXECUTE)
        return None
    if not room.use(row.system_id):
        return None
    return _take(row, row.begins_with, worker)


def _take(row: Compensation, phase: str, worker: int | None) -> Claim:
    """Enter ``phase`` under a new fence and write down the try before it is made."""
    now, fence = timezone.now(), row.fence + 1
    taken = {
        "fence": fence,
        "leased_until": now + dt.timedelta(seconds=settings.LEASE_SECONDS),
        "leased_by": worker,
        "attempts_made": row.attempts_made + 1,
        "started_at": row.started_at or now,
        "next_attempt_at": None,
    }
    move(row, phase, RECOURSE, set=taken, where={"fence": row.fence}, payload={"attempt": row.attempts_made + 1})
    return _begin(row, phase)


def _begin(row: Compensation, phase: str) -> Claim:
    Attempt.objects.create(compensation=row, number=row.attempts_made, phase=phase, fence=row.fence)
    return Claim(
        compensation=row.pk,
        rollback=row.rollback_id,
        system=row.system_id,
        fence=row.fence,
        key=row.key,
        phase=phase,
        undo=row.undo or {},
        target=target_of(row.system),
        variables={"input": row.step.input, "output": row.step.output},
        executed_at=row.executed_at,
    )


def _pace(room: limits.Room, claims: Sequence[Claim]) -> None:
    """Count the calls of ``claims`` (one for each part of an undo) where their system has a rate."""
    calls: dict[UUID, int] = {}
    for claimed in claims:
        parts = sum(claimed.has(phase) for phase in (CHECK, EXECUTE, VERIFY))
        calls[claimed.system] = calls.get(claimed.system, 0) + parts
    for system, count in calls.items():
        limits.spend(room.systems[system], count, timezone.now())


def settle(landed: Sequence[tuple[Claim, Outcome]], want: int = 0) -> tuple[Taken, list[Claim]]:
    """Record how phases of one rollback ended. Answers what to go on with, and which claims were no longer ours.

    To go on with is the next phase of each, or up to ``want`` that they freed. A claim whose fence is no longer
    the compensation's changes nothing.
    """
    together = [pair for pair in landed if hot.available() and _ends_well(*pair)]
    taken, lost = hot.finish(together, want, lifeline.hold()) if together else (Taken(), [])
    for claimed, outcome in landed:
        if (claimed, outcome) in together:
            continue
        try:
            one = _settle_one(claimed, outcome)
        except LeaseLost:
            lost.append(claimed)
        else:
            taken.claims += one.claims
            taken.more = taken.more or one.more
    return taken, lost


def _ends_well(claimed: Claim, outcome: Outcome) -> bool:
    return outcome.result is Result.SUCCEEDED and _following(claimed) is None


def _settle_one(claimed: Claim, outcome: Outcome) -> Taken:
    following = _following(claimed) if outcome.result is Result.SUCCEEDED else None
    if following is not None and hot.available():
        return Taken([hot.advance(claimed, outcome, following)])
    try:
        with transaction.atomic(durable=True):
            hold(claimed.rollback)
            row = _mine(claimed)
            _end_attempt(claimed, outcome)
            if outcome.result is not Result.SUCCEEDED:
                _failed(row, claimed, outcome)
                return Taken()
            if following is not None:
                return Taken([_advance(row, claimed, following)])
            return Taken(more=_finish(row, claimed))
    except Conflict as conflict:
        raise LeaseLost(str(conflict)) from conflict


def _following(claimed: Claim) -> str | None:
    """The phase that comes when this one has succeeded."""
    if claimed.phase == CHECK:
        return EXECUTE
    return VERIFY if claimed.phase == EXECUTE and claimed.has(VERIFY) else None


def _mine(claimed: Claim) -> Compensation:
    rows = Compensation.objects.filter(pk=claimed.compensation, fence=claimed.fence, state__in=IN_FLIGHT)
    row: Compensation | None = lock(rows.select_related("step__action", "system", "rollback__run")).first()
    if row is None:
        raise LeaseLost(f"fence {claimed.fence} is no longer valid")
    return row


def _end_attempt(claimed: Claim, outcome: Outcome) -> None:
    ours = Attempt.objects.filter(
        compensation=claimed.compensation, fence=claimed.fence, phase=claimed.phase, ended_at=None
    )
    ours.update(ended_at=timezone.now(), outcome=outcome.result, status=outcome.status, detail=outcome.detail)


def _advance(row: Compensation, claimed: Claim, phase: str) -> Claim:
    entered: dict[str, object] = {"executed_at": timezone.now()} if claimed.phase == EXECUTE else {}
    if phase == VERIFY:
        # A call that is recorded as done is not made again: only its effect is looked at.
        entered["begins_with"] = VERIFY
    move(row, phase, RECOURSE, set=entered, where={"fence": claimed.fence})
    return _begin(row, phase)


def _finish(row: Compensation, claimed: Claim) -> bool:
    """Compensated. Answers whether something became ready by it."""
    now = timezone.now()
    executed = {"executed_at": now} if claimed.phase == EXECUTE else {}
    verified = claimed.phase == VERIFY
    done = {**executed, "ended_at": now, "leased_until": None, "last_error": "", "verified": verified}
    move(row, "compensate", RECOURSE, set=done, where={"fence": claimed.fence}, payload={"verified": verified})
    return release_dependents(row, RECOURSE)


def _failed(row: Compensation, claimed: Claim, outcome: Outcome) -> None:
    """The phase failed: wait for the next try while there is one and it can help, else hand over."""
    if outcome.result is Result.UNDER_WAY:
        _ask_again(row, claimed, outcome)
        return
    if outcome.result is Result.TRANSIENT and row.attempts_made < row.attempts_allowed:
        wait = Retry.of(row.undo or {}).delay(row.attempts_made, outcome.retry_after)
        later = {
            "next_attempt_at": timezone.now() + dt.timedelta(seconds=wait),
            "leased_until": None,
            "last_error": outcome.detail,
        }
        move(row, "retry", RECOURSE, set=later, where={"fence": claimed.fence}, payload={"error": outcome.detail})
        return
    hand_over(row, outcome.detail)


def _ask_again(row: Compensation, claimed: Claim, outcome: Outcome) -> None:
    """It goes on elsewhere: nobody waits for it here, and asking is no try."""
    later = {
        "next_attempt_at": timezone.now() + dt.timedelta(seconds=outcome.retry_after or ASK_AGAIN_SECONDS),
        "leased_until": None,
        "attempts_made": row.attempts_made - 1,
    }
    move(row, "retry", RECOURSE, set=later, where={"fence": claimed.fence}, payload={"under_way": True})


def hand_over(row: Compensation, why: str) -> None:
    """Give it to a named person. With ``hold``, nothing further of this rollback starts until they are done."""
    person = row.system.answerable or row.rollback.run.workflow.answerable or row.rollback.started_by
    runbook = row.step.action.runbook if row.step.action else None
    given = {
        "handed_to": person,
        "handed_at": timezone.now(),
        "runbook": runbook,
        "last_error": why,
        "leased_until": None,
        "next_attempt_at": None,
    }
    payload = {"why": why, "to": person.name if person else None}
    move(row, "hand_over", RECOURSE, set=given, where={"fence": row.fence}, payload=payload)
    signals.compensation_handed_over.send(sender=Compensation, compensation=row)
    if row.rollback.on_failure == "hold":
        _need_attention(row.rollback_id)


def _need_attention(rollback_id: UUID) -> None:
    rollback = hold(rollback_id, RollbackState.RUNNING)
    if rollback is not None:
        move(rollback, "need_attention", RECOURSE)
        signals.rollback_moved.send(sender=Rollback, rollback=rollback)


def release_dependents(row: Compensation, actor: Actor) -> bool:
    """Count down what waited on ``row``; whatever waits for nothing more is ready. Answers whether something is."""
    waiting = Compensation.objects.filter(blocked_by__first=row, state=CompensationState.BLOCKED)
    ids = list(waiting.values_list("pk", flat=True))
    Compensation.objects.filter(pk__in=ids).update(waits_for=F("waits_for") - 1)
    free = Compensation.objects.filter(pk__in=ids, waits_for=0).order_by("position")
    for compensation in free:
        move(compensation, "unblock", actor)
    return bool(free)


def conclude(rollback_id: UUID) -> bool:
    """End the rollback when nothing is left to do, or say that it needs a person when only people can go on.

    Answers whether something is ready: then it is too early for either.
    """
    with transaction.atomic(durable=True):
        # The run comes first, as everywhere: a late result locks the two in this order.
        Run.objects.select_for_update(no_key=True).filter(rollbacks=rollback_id).first()
        rollback = hold(rollback_id, RollbackState.RUNNING)
        if rollback is None:
            return False
        states = set(rollback.compensations.order_by().values_list("state", flat=True).distinct())
        if states <= SETTLED:
            _end(rollback, states)
        elif not states & (IN_FLIGHT | {CompensationState.READY, CompensationState.RETRY_WAIT}):
            move(rollback, "need_attention", RECOURSE)
            signals.rollback_moved.send(sender=Rollback, rollback=rollback)
        return CompensationState.READY in states


def _end(rollback: Rollback, states: set[str]) -> None:
    """Completed when every step in scope is restored, partial when some can or will not be."""
    restored = states <= {CompensationState.COMPENSATED, CompensationState.DONE_BY_HAND}
    move(rollback, "complete" if restored else "end_partial", RECOURSE, set={"ended_at": timezone.now()})
    if not rollback.rehearsal and rollback.run.state == RunState.ROLLING_BACK:
        move(rollback.run, "end_rolled_back" if restored else "end_partly_rolled_back", RECOURSE)
    signals.rollback_moved.send(sender=Rollback, rollback=rollback)


def lay(rollback: Rollback, plan: Plan) -> None:
    """Lay down ``plan`` as compensations, in undo order; also what is not possible, so that the end can say so."""
    planned = [(new_id(), step) for step in plan.steps if step.treatment is not Treatment.ALREADY_UNDONE]
    ids = {step.step: identity for identity, step in planned}
    order = [(ids[first], ids[step.step]) for step in plan.to_do for first in step.after]
    keys = _keys_begun(rollback)
    if hot.available():
        hot.lay(rollback.pk, [(identity, _first_state(step), step) for identity, step in planned], keys, order)
        return
    taken = rollback.run.steps.in_bulk([step.step for _, step in planned])
    rows = [
        _compensation(rollback, identity, at, step, taken[step.step]) for at, (identity, step) in enumerate(planned, 1)
    ]
    for row in rows:
        row.key = keys.get(row.step_id, row.key)
    Compensation.objects.bulk_create(rows, batch_size=500)
    pairs = [CompensationOrder(first_id=first, then_id=then) for first, then in order]
    CompensationOrder.objects.bulk_create(pairs, batch_size=2000)


def _keys_begun(rollback: Rollback) -> dict[UUID, str]:
    """Of what an earlier rollback of this run began and did not finish: it may have happened, and goes on as it was."""
    earlier = Compensation.objects.filter(rollback__run=rollback.run_id, rollback__rehearsal=False, attempts_made__gt=0)
    unfinished = earlier.exclude(state__in=(CompensationState.COMPENSATED, CompensationState.DONE_BY_HAND))
    return dict(unfinished.order_by("round", "pk").values_list("step", "key"))


def _first_state(planned: PlannedStep) -> CompensationState:
    if planned.treatment is Treatment.NOT_POSSIBLE:
        return CompensationState.NOT_POSSIBLE
    return CompensationState.BLOCKED if planned.after else CompensationState.READY


def _compensation(rollback: Rollback, identity: UUID, position: int, planned: PlannedStep, step: Step) -> Compensation:
    undo = step.undo if planned.treatment is Treatment.UNDO else None
    return Compensation(
        id=identity,
        rollback=rollback,
        step=step,
        system_id=step.system_id,
        position=position,
        key=f"recourse-{identity}",
        undo=undo,
        begins_with=first_phase(undo),
        expires_at=step.undo_expires_at,
        in_doubt=planned.in_doubt,
        waits_for=len(planned.after),
        state=_first_state(planned),
        attempts_allowed=Retry.of(step.undo or {}).attempts,
    )

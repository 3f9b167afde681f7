"""Claim and settle: the only place where the engine touches the database.

The worker claims (commits), acts outside any transaction, and settles (commits). Every claim raises the
compensation's fence; a settle names the fence it claimed with. A worker whose lease ran out therefore
changes nothing, however late it wakes up (``LeaseLost``).
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from rollback import signals
from rollback.audit.actors import RECOURSE, Actor
from rollback.audit.services import move
from rollback.errors import Conflict
from rollback.recovery.backoff import Retry
from rollback.recovery.executors.contract import Outcome, Result, Target
from rollback.recovery.models import Attempt, Compensation, CompensationOrder, Rollback
from rollback.recovery.states import IN_FLIGHT, SETTLED, CompensationState, RollbackState
from rollback.runs.states import RunState

CHECK, EXECUTE, VERIFY = "check", "execute", "verify"
NOTHING_TO_EXECUTE = "There is nothing for software to execute: its owner takes it back by hand."
WINDOW_PASSED = "The undo window passed before its turn came."


class LeaseLost(Exception):
    """Somebody else has this compensation now: what we did is theirs to find out, we record nothing."""


@dataclass(frozen=True)
class Claim:
    """One compensation in our hands until the lease ends, with all that is needed to act without the database."""

    compensation: UUID
    rollback: UUID
    fence: int
    key: str
    phase: str
    undo: Mapping[str, Any]
    target: Target
    variables: Mapping[str, Any]
    executed_at: dt.datetime | None


def claim(rollback_id: UUID, limit: int) -> list[Claim]:
    """Take up to ``limit`` compensations of a running rollback whose turn has come, each with a fresh lease."""
    with transaction.atomic(durable=True):
        running = Rollback.objects.filter(pk=rollback_id, state=RollbackState.RUNNING)
        if limit < 1 or not _lock(running, no_key=True).exists():
            return []
        ready = Compensation.objects.filter(rollback=rollback_id, state=CompensationState.READY)
        rows = _lock(ready.select_related("step__system").order_by("position"), skip_locked=True)[:limit]
        return [claimed for row in rows if (claimed := _claim_one(row)) is not None]


def _lock(rows: "QuerySet[Any]", **how: bool) -> "QuerySet[Any]":
    """``FOR UPDATE`` of the rows themselves on PostgreSQL; on SQLite the IMMEDIATE transaction holds all of it."""
    return rows.select_for_update(of=("self",), **how)


def _claim_one(row: Compensation) -> Claim | None:
    if row.step.undo_expires_at is not None and row.step.undo_expires_at <= timezone.now() and not row.executed_at:
        move(row, "give_up", RECOURSE, set={"ended_at": timezone.now(), "last_error": WINDOW_PASSED})
        release_dependents(row, RECOURSE)
        return None
    if not row.undo or row.undo["compensation"]["executor"] == "manual":
        _hand_over(row, NOTHING_TO_EXECUTE)
        return None
    return _take(row, _first_phase(row))


def _first_phase(row: Compensation) -> str:
    if row.executed_at is not None and _part(row, VERIFY):
        return VERIFY
    return CHECK if _part(row, CHECK) else EXECUTE


def _part(row: Compensation, phase: str) -> Mapping[str, Any] | None:
    name = {CHECK: "drift_check", EXECUTE: "compensation", VERIFY: "verification"}[phase]
    part: Mapping[str, Any] | None = (row.undo or {}).get(name)
    return part


def _take(row: Compensation, phase: str) -> Claim:
    """Enter ``phase`` under a new fence and write down the try before it is made."""
    now, fence = timezone.now(), row.fence + 1
    taken = {
        "fence": fence,
        "leased_until": now + dt.timedelta(seconds=settings.LEASE_SECONDS),
        "attempts_made": row.attempts_made + 1,
        "started_at": row.started_at or now,
        "next_attempt_at": None,
    }
    move(row, phase, RECOURSE, set=taken, where={"fence": row.fence}, payload={"attempt": row.attempts_made + 1})
    return _begin(row, phase)


def _begin(row: Compensation, phase: str) -> Claim:
    Attempt.objects.create(compensation=row, number=row.attempts_made, phase=phase, fence=row.fence)
    system = row.step.system
    target = Target(system.slug, system.base_url, tuple(system.allowed_hosts), system.allow_http, system.allow_private)
    variables = {"input": row.step.input, "output": row.step.output}
    return Claim(row.pk, row.rollback_id, row.fence, row.key, phase, row.undo or {}, target, variables, row.executed_at)


def settle(claimed: Claim, outcome: Outcome) -> Claim | None:
    """Record how a phase ended. Answers the claim for the next phase, or None when it is out of our hands.

    Raises ``LeaseLost``, having changed nothing, when the claim's fence is no longer the compensation's.
    """
    try:
        with transaction.atomic(durable=True):
            row = _mine(claimed)
            _end_attempt(claimed, outcome)
            if outcome.result is Result.SUCCEEDED:
                return _advance(row, claimed)
            _failed(row, claimed, outcome)
            return None
    except Conflict as conflict:
        raise LeaseLost(str(conflict)) from conflict


def _mine(claimed: Claim) -> Compensation:
    rows = Compensation.objects.filter(pk=claimed.compensation, fence=claimed.fence, state__in=IN_FLIGHT)
    row: Compensation | None = _lock(rows.select_related("step__system", "rollback")).first()
    if row is None:
        raise LeaseLost(f"fence {claimed.fence} is no longer valid")
    return row


def _end_attempt(claimed: Claim, outcome: Outcome) -> None:
    ours = Attempt.objects.filter(
        compensation=claimed.compensation, fence=claimed.fence, phase=claimed.phase, ended_at=None
    )
    ours.update(ended_at=timezone.now(), outcome=outcome.result, status=outcome.status, detail=outcome.detail)


def _advance(row: Compensation, claimed: Claim) -> Claim | None:
    """The phase succeeded: on to the next, or done."""
    now, fence = timezone.now(), {"fence": claimed.fence}
    if claimed.phase == CHECK:
        move(row, EXECUTE, RECOURSE, where=fence)
        return _begin(row, EXECUTE)
    executed = {"executed_at": now} if claimed.phase == EXECUTE else {}
    if claimed.phase == EXECUTE and _part(row, VERIFY):
        move(row, VERIFY, RECOURSE, set=executed, where=fence)
        return _begin(row, VERIFY)
    done = {**executed, "ended_at": now, "leased_until": None, "last_error": "", "verified": claimed.phase == VERIFY}
    move(row, "compensate", RECOURSE, set=done, where=fence, payload={"verified": claimed.phase == VERIFY})
    release_dependents(row, RECOURSE)
    return None


def _failed(row: Compensation, claimed: Claim, outcome: Outcome) -> None:
    """The phase failed: wait for the next try while there is one and it can help, else hand over."""
    if outcome.result is Result.TRANSIENT and row.attempts_made < row.attempts_allowed:
        wait = Retry.of(row.undo or {}).delay(row.attempts_made, outcome.retry_after)
        later = {
            "next_attempt_at": timezone.now() + dt.timedelta(seconds=wait),
            "leased_until": None,
            "last_error": outcome.detail,
        }
        move(row, "retry", RECOURSE, set=later, where={"fence": claimed.fence}, payload={"error": outcome.detail})
        return
    _hand_over(row, outcome.detail)


def _hand_over(row: Compensation, why: str) -> None:
    """Give it to a named person. With ``hold``, nothing further of this rollback starts until they are done."""
    person = row.step.system.answerable or row.rollback.run.workflow.answerable or row.rollback.started_by
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
    rollback = _lock(Rollback.objects.filter(pk=rollback_id, state=RollbackState.RUNNING)).first()
    if rollback is not None:
        move(rollback, "need_attention", RECOURSE)
        signals.rollback_moved.send(sender=Rollback, rollback=rollback)


def release_dependents(row: Compensation, actor: Actor) -> None:
    """Count down what waited on ``row``; whatever waits for nothing more is ready."""
    waiting = Compensation.objects.filter(blocked_by__first=row, state=CompensationState.BLOCKED)
    # Locked in one order everywhere, so that two settles with common dependents never wait for each other in a ring.
    ids = [waits.pk for waits in _lock(waiting.order_by("pk"))]
    Compensation.objects.filter(pk__in=ids).update(waits_for=F("waits_for") - 1)
    for free in Compensation.objects.filter(pk__in=ids, waits_for=0):
        move(free, "unblock", actor)


def renew(claims: Sequence[Claim]) -> None:
    """Extend the leases of ``claims`` that are still ours."""
    until = timezone.now() + dt.timedelta(seconds=settings.LEASE_SECONDS)
    for held in claims:
        Compensation.objects.filter(pk=held.compensation, fence=held.fence, state__in=IN_FLIGHT).update(
            leased_until=until
        )


def take_back_expired(now: dt.datetime, limit: int = 200) -> set[UUID]:
    """Free the compensations whose worker is gone: their lease ran out before ``now``. Answers their rollbacks."""
    expired = Q(state__in=IN_FLIGHT, leased_until__lt=now)
    touched: set[UUID] = set()
    with transaction.atomic(durable=True):
        rows = Compensation.objects.filter(expired).select_related("step__system", "step__action", "rollback")
        for row in _lock(rows.order_by("leased_until"), skip_locked=True)[:limit]:
            lost = "The worker that had it is gone; what it did last is not known."
            Attempt.objects.filter(compensation=row, fence=row.fence, ended_at=None).update(
                ended_at=now, outcome="lost", detail=lost
            )
            if row.attempts_made < row.attempts_allowed:
                again = {"next_attempt_at": now, "leased_until": None, "last_error": lost, "fence": row.fence + 1}
                move(row, "retry", RECOURSE, set=again, where={"fence": row.fence}, payload={"error": lost})
            else:
                _hand_over(row, lost)
            touched.add(row.rollback_id)
    return touched


def wake_due_retries(now: dt.datetime, limit: int = 500) -> set[UUID]:
    """Make ready what waited for its next try until ``now``. Answers the rollbacks that have work again."""
    touched: set[UUID] = set()
    with transaction.atomic(durable=True):
        due = Compensation.objects.filter(state=CompensationState.RETRY_WAIT, next_attempt_at__lte=now)
        for row in _lock(due.order_by("next_attempt_at"), skip_locked=True)[:limit]:
            move(row, "wake", RECOURSE)
            touched.add(row.rollback_id)
    return touched


def conclude(rollback_id: UUID) -> None:
    """End the rollback when nothing is left to do, or say that it needs a person when only people can go on."""
    with transaction.atomic(durable=True):
        running = Rollback.objects.filter(pk=rollback_id, state=RollbackState.RUNNING)
        rollback: Rollback | None = _lock(running).first()
        if rollback is None:
            return
        states = set(rollback.compensations.values_list("state", flat=True))
        if states <= SETTLED:
            _end(rollback, states)
        elif not states & (IN_FLIGHT | {CompensationState.READY, CompensationState.RETRY_WAIT}):
            move(rollback, "need_attention", RECOURSE)
            signals.rollback_moved.send(sender=Rollback, rollback=rollback)


def _end(rollback: Rollback, states: set[str]) -> None:
    """Completed when every step in scope is restored, partial when some can or will not be."""
    restored = states <= {CompensationState.COMPENSATED, CompensationState.DONE_BY_HAND}
    move(rollback, "complete" if restored else "end_partial", RECOURSE, set={"ended_at": timezone.now()})
    if not rollback.rehearsal and rollback.run.state == RunState.ROLLING_BACK:
        move(rollback.run, "end_rolled_back" if restored else "end_partly_rolled_back", RECOURSE)
    signals.rollback_moved.send(sender=Rollback, rollback=rollback)


def order(pairs: Sequence[tuple[Compensation, Compensation]]) -> None:
    """Store that of each pair the first must be settled before the second may start."""
    CompensationOrder.objects.bulk_create([CompensationOrder(first=a, then=b) for a, b in pairs], batch_size=2000)

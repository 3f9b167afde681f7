"""What becomes of a claim in time: renewed while its worker lives, taken back when it is gone, tried again when due."""

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from rollback.audit.actors import RECOURSE
from rollback.audit.services import move
from rollback.recovery import lifeline
from rollback.recovery.claims import Claim
from rollback.recovery.models import Attempt, Compensation
from rollback.recovery.states import IN_FLIGHT, CompensationState
from rollback.recovery.store import hand_over, hold, lock

log = structlog.get_logger(__name__)
WORKER_GONE = "The worker that had it is gone; what it did last is not known."


def renew(claims: Sequence[Claim]) -> None:
    """Extend the leases of ``claims`` that are still ours."""
    until = timezone.now() + dt.timedelta(seconds=settings.LEASE_SECONDS)
    for held in claims:
        ours = Compensation.objects.filter(pk=held.compensation, fence=held.fence, state__in=IN_FLIGHT)
        ours.update(leased_until=until)


def take_back(now: dt.datetime, limit: int = 200) -> set[UUID]:
    """Free the compensations whose worker is gone: lifeline cut, or lease run out. Answers their rollbacks."""
    held = Compensation.objects.filter(state__in=IN_FLIGHT)
    workers = set(held.filter(leased_by__isnull=False).order_by().values_list("leased_by", flat=True).distinct())
    # In this order: a worker that begins in between holds its lifeline before it claims.
    alive = lifeline.alive() if workers else None
    gone = Q(leased_until__lt=now)
    if alive is not None:
        gone |= Q(leased_by__in=workers - alive)
    return _each_rollback(held.filter(gone), limit, lambda row: _take_back(row, now))


def wake_due_retries(now: dt.datetime, limit: int = 500) -> set[UUID]:
    """Make ready what waited for its next try until ``now``. Answers the rollbacks that have work again."""
    due = Compensation.objects.filter(state=CompensationState.RETRY_WAIT, next_attempt_at__lte=now)
    return _each_rollback(due, limit, lambda row: move(row, "wake", RECOURSE))


def _each_rollback(rows: "QuerySet[Compensation]", limit: int, act: Callable[[Compensation], None]) -> set[UUID]:
    """``act`` on ``rows``, one rollback after the other; one where it fails does not keep the others from it."""
    touched: set[UUID] = set()
    pairs = rows.order_by("rollback", "position").values_list("rollback", "pk")[:limit]
    for rollback, ids in _grouped(pairs).items():
        try:
            with transaction.atomic(durable=True):
                hold(rollback)
                related = rows.filter(pk__in=ids).select_related("step__action", "system", "rollback__run")
                for row in lock(related.order_by("position"), skip_locked=True):
                    act(row)
                    touched.add(rollback)
        except Exception:
            log.exception("a rollback could not be put right", rollback=str(rollback))
    return touched


def _grouped(pairs: Iterable[tuple[UUID, UUID]]) -> dict[UUID, list[UUID]]:
    groups: dict[UUID, list[UUID]] = {}
    for rollback, compensation in pairs:
        groups.setdefault(rollback, []).append(compensation)
    return groups


def _take_back(row: Compensation, now: dt.datetime) -> None:
    unfinished = Attempt.objects.filter(compensation=row, fence=row.fence, ended_at=None)
    unfinished.update(ended_at=now, outcome="lost", detail=WORKER_GONE)
    if row.attempts_made < row.attempts_allowed:
        again = {"next_attempt_at": now, "leased_until": None, "last_error": WORKER_GONE, "fence": row.fence + 1}
        move(row, "retry", RECOURSE, set=again, where={"fence": row.fence}, payload={"error": WORKER_GONE})
        # Its next try is due at once: nobody asked to wait.
        move(row, "wake", RECOURSE)
    else:
        hand_over(row, WORKER_GONE)

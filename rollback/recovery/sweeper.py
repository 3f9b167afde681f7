"""Puts right what no message will: leases that ran out, retries that are due, wake-ups that were lost.

Runs often, cheap when idle. Two at once do no harm: every row is locked, and skipped when locked.
"""

import datetime as dt
from collections.abc import Callable
from uuid import UUID

import structlog
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from rollback.approvals.services import expire_due
from rollback.recovery import leases
from rollback.recovery.models import Compensation, Rollback
from rollback.recovery.sightings import seen
from rollback.recovery.states import IN_FLIGHT, CompensationState, RollbackState
from rollback.runs.services import lose_silent_runs
from rollback.web.idempotency import forget_old_keys

log = structlog.get_logger(__name__)
WAKE_UP_LOST_AFTER = dt.timedelta(seconds=5)


def sweep() -> set[UUID]:
    """Put the engine right: twice a second, so that a lost worker costs little time. Answers the rollbacks to wake."""
    now = timezone.now()
    to_wake: set[UUID] = set()
    _each(
        now,
        lambda moment: to_wake.update(leases.take_back(moment)),
        lambda moment: to_wake.update(leases.wake_due_retries(moment)),
        lambda moment: to_wake.update(stalled(moment)),
    )
    return to_wake


def tidy() -> None:
    """What time alone changes, every few seconds: requests that expire, runs that fell silent, old keys."""
    seen("sweeper")
    _each(timezone.now(), expire_due, lose_silent_runs, forget_old_keys)


def _each(now: dt.datetime, *duties: Callable[[dt.datetime], object]) -> None:
    """Do every duty once; one that fails does not keep the others from their turn."""
    for duty in duties:
        try:
            duty(now)
        except Exception:
            log.exception("a duty of the sweeper failed", duty=getattr(duty, "__name__", "engine"))


def stalled(now: dt.datetime, lost_after: dt.timedelta = WAKE_UP_LOST_AFTER) -> set[UUID]:
    """Running rollbacks that nobody works on although something is ready, or all is settled: their wake-up was lost."""
    own = Compensation.objects.filter(rollback=OuterRef("pk"))
    quiet = Q(woken_at=None) | Q(woken_at__lt=now - lost_after)
    flying, ready = Exists(own.filter(state__in=IN_FLIGHT)), Exists(own.filter(state=CompensationState.READY))
    waiting = Exists(own.filter(state=CompensationState.RETRY_WAIT))
    running = Rollback.objects.filter(quiet, ~flying, ready | ~waiting, state=RollbackState.RUNNING)
    return set(running.values_list("pk", flat=True))

"""What is asked about rollbacks: which ones, how far, what waits for whom."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Prefetch, Q, QuerySet
from django.utils import timezone

from rollback.approvals.models import Approval, ApprovalKind
from rollback.ownership.models import User
from rollback.recovery.models import Attempt, Compensation, Rollback
from rollback.recovery.states import IN_FLIGHT, ROLLBACK, CompensationState, RollbackState
from rollback.runs.selectors import visible_runs

_C = CompensationState


def visible_rollbacks(user: User) -> QuerySet[Rollback]:
    """The rollbacks of runs that ``user`` may see, newest first."""
    rows = Rollback.objects.filter(run__in=visible_runs(user)).select_related("run__workflow", "started_by")
    return rows.order_by("-created_at", "-id")


def visible_compensations(user: User) -> QuerySet[Compensation]:
    """The compensations of rollbacks that ``user`` may see."""
    return Compensation.objects.filter(rollback__run__in=visible_runs(user))


def _handed_over() -> QuerySet[Compensation]:
    rows = Compensation.objects.filter(state=_C.HANDED_OVER, rollback__rehearsal=False)
    return rows.select_related("step__system", "rollback__run__workflow", "runbook", "handed_to").order_by("handed_at")


def handed_over_to(user: User) -> QuerySet[Compensation]:
    """What software could not finish and ``user`` has now, the oldest first."""
    return _handed_over().filter(handed_to=user)


def handed_over_to_team_of(user: User) -> QuerySet[Compensation]:
    """What anybody in ``user``'s team has now."""
    return _handed_over().filter(handed_to__team=user.team_id) if user.team_id else _handed_over().none()


def handed_over_in_sight_of(user: User) -> QuerySet[Compensation]:
    """What anybody has now, or nobody, as far as ``user`` sees it."""
    return _handed_over().filter(rollback__run__in=visible_runs(user).order_by().values("pk"))


def compensations_of(rollback: Rollback) -> QuerySet[Compensation]:
    """All compensations of ``rollback`` in undo order, with what a page or the API shows of each."""
    related = ("step__system", "step__action", "handed_to", "runbook", "ended_by")
    attempts = Prefetch("attempts", Attempt.objects.order_by("started_at", "id"))
    return rollback.compensations.select_related(*related).prefetch_related(attempts).order_by("position")


@dataclass(frozen=True)
class Progress:
    """How far a rollback is, in counts of compensations; ``total`` leaves out what is not possible."""

    total: int
    undone: int
    by_hand: int
    waived: int
    in_flight: int
    waiting: int
    handed_over: int
    not_possible: int
    verified: int
    elapsed: timedelta | None
    moving: bool

    @property
    def settled(self) -> int:
        """How many of ``total`` need nothing more."""
        return self.undone + self.by_hand + self.waived

    @property
    def left(self) -> int:
        """How many of ``total`` are not settled."""
        return self.total - self.settled


def rollback_progress(rollback: Rollback, now: datetime | None = None) -> Progress:
    """The counts of ``rollback``, in one query. ``elapsed`` is None before it started."""

    def number(*states: str, **extra: bool) -> Count:
        return Count("pk", filter=Q(state__in=states, **extra))

    counts = rollback.compensations.aggregate(
        undone=number(_C.COMPENSATED),
        verified=number(_C.COMPENSATED, verified=True),
        by_hand=number(_C.DONE_BY_HAND),
        waived=number(_C.WAIVED),
        in_flight=number(*IN_FLIGHT),
        waiting=number(_C.BLOCKED, _C.READY, _C.RETRY_WAIT),
        handed_over=number(_C.HANDED_OVER),
        not_possible=number(_C.NOT_POSSIBLE),
        all=Count("pk"),
    )
    total = counts.pop("all") - counts["not_possible"]
    until = rollback.ended_at or now or timezone.now()
    elapsed = until - rollback.started_at if rollback.started_at else None
    moving = rollback.state == RollbackState.RUNNING or counts["in_flight"] > 0
    return Progress(total=total, elapsed=elapsed, moving=moving, **counts)


def is_over(rollback: Rollback) -> bool:
    """Whether nothing more will happen to it."""
    return ROLLBACK.is_final(RollbackState(rollback.state))


def waiver_of(compensation: Compensation) -> Approval | None:
    """The latest request to leave it as it is, if anybody asked."""
    asked = Approval.objects.filter(kind=ApprovalKind.WAIVER, subject=compensation.pk)
    return asked.order_by("-created_at").first()

"""What is asked about approvals."""

from django.db.models import Q, QuerySet

from rollback.approvals.models import Approval
from rollback.approvals.states import ApprovalState
from rollback.ownership.models import User
from rollback.ownership.selectors import sees_everything
from rollback.runs.selectors import visible_runs

RELATED = ("run__workflow__owner", "step__system__owner", "step__action")


def visible_approvals(user: User) -> QuerySet[Approval]:
    """The approvals that ``user`` may see: of visible runs, and those they are asked for; newest first."""
    rows = Approval.objects.select_related(*RELATED).order_by("-created_at", "-id")
    if sees_everything(user):
        return rows
    asked = Approval.deciders.through.objects.filter(user=user).values("approval")
    return rows.filter(Q(pk__in=asked) | Q(run__in=visible_runs(user).order_by().values("pk")))


def waiting_for(user: User) -> QuerySet[Approval]:
    """What ``user`` can decide now, the soonest to expire first."""
    mine = Approval.objects.filter(deciders=user, state=ApprovalState.PENDING).exclude(decisions__person=user)
    return mine.select_related(*RELATED).order_by("expires_at", "id")


def waiting_in_sight_of(user: User) -> QuerySet[Approval]:
    """All that waits for anybody, as far as ``user`` sees it, the soonest to expire first."""
    return visible_approvals(user).filter(state=ApprovalState.PENDING).order_by("expires_at", "id")


def waiting_for_team_of(user: User) -> QuerySet[Approval]:
    """What waits for anybody in ``user``'s team."""
    waiting = waiting_in_sight_of(user)
    return waiting.filter(deciders__team=user.team_id).distinct() if user.team_id else waiting.none()


def decided_before(approval: Approval, limit: int = 5) -> QuerySet[Approval]:
    """The last requests for the same action of the same workflow that were answered."""
    if approval.step is None:
        return Approval.objects.none()
    same = Approval.objects.filter(
        kind=approval.kind,
        step__action_key=approval.step.action_key,
        run__workflow=approval.run.workflow_id,
        state__in=[ApprovalState.APPROVED, ApprovalState.REFUSED],
    )
    return same.exclude(pk=approval.pk).prefetch_related("decisions__person").order_by("-state_at")[:limit]

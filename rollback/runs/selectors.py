"""What is asked about runs and steps."""

from collections.abc import Sequence

from django.db.models import Count, Q, QuerySet

from rollback.catalog.selectors import visible_workflows
from rollback.ownership.models import AgentToken, User
from rollback.ownership.selectors import sees_everything
from rollback.runs.models import Run, Step


def visible_runs(user: User) -> QuerySet[Run]:
    """The runs that ``user`` may see, newest first: those of visible workflows, and those they are asked about."""
    rows = Run.objects.select_related("workflow__owner", "version").order_by("-started_at", "-id")
    if sees_everything(user):
        return rows
    asked = user.approvals_to_decide.values("run")
    handed = user.compensations_handed_over.values("rollback__run")
    mine = Q(workflow__in=visible_workflows(user).order_by().values("pk")) | Q(pk__in=asked) | Q(pk__in=handed)
    return rows.filter(mine)


def runs_of_agent(token: AgentToken) -> QuerySet[Run]:
    """The runs that this agent opened: others' answer 404."""
    return Run.objects.filter(token=token).select_related("workflow", "version", "token")


def steps_of_agent(token: AgentToken) -> QuerySet[Step]:
    """The steps of the runs that this agent opened."""
    return Step.objects.filter(run__token=token).select_related("run__workflow", "run__version", "system", "action")


def steps_of(run: Run) -> QuerySet[Step]:
    """The steps of ``run`` in order, with what a page or the API shows of each."""
    related = ("system", "action__runbook")
    return run.steps.select_related(*related).prefetch_related("effects__system", "approvals").order_by("number")


def filtered_runs(rows: QuerySet[Run], states: Sequence[str], workflow: str, text: str) -> QuerySet[Run]:
    """``rows`` narrowed to some states, one workflow (slug), and a text in goal, agent, key or id."""
    if states:
        rows = rows.filter(state__in=states)
    if workflow:
        rows = rows.filter(workflow__slug=workflow)
    if text:
        rows = rows.filter(
            Q(goal__icontains=text)
            | Q(agent__icontains=text)
            | Q(key__icontains=text)
            | Q(workflow__name__icontains=text)
        )
    return rows


def with_step_counts(rows: QuerySet[Run]) -> QuerySet[Run]:
    """``rows`` with ``succeeded`` and ``taken``: how many of their steps succeeded, and how many there are."""
    return rows.annotate(taken=Count("steps"), succeeded=Count("steps", filter=Q(steps__state="succeeded")))

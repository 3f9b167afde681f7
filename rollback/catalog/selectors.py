"""What is asked about the catalog."""

from collections.abc import Collection

from django.db.models import Count, Q, QuerySet

from rollback.catalog.models import Action, Runbook, System, Workflow, WorkflowVersion
from rollback.ownership.models import AgentToken, User
from rollback.ownership.selectors import sees_everything, theirs


def visible_workflows(user: User) -> QuerySet[Workflow]:
    """The workflows that ``user`` may see: their own, or those with an action on a system of theirs."""
    rows = Workflow.objects.select_related("owner", "backup", "team", "active").order_by("name")
    if sees_everything(user):
        return rows
    touched = Action.objects.filter(theirs(user, "system__")).values("version__workflow")
    return rows.filter(theirs(user) | Q(pk__in=touched))


def visible_runbooks(user: User) -> QuerySet[Runbook]:
    """Runbooks are for everybody: who stands before a failure must be able to read what to do."""
    return Runbook.objects.select_related("owner", "backup", "team", "current").order_by("title")


def workflow_for(token: AgentToken, slug: str) -> Workflow | None:
    """The workflow ``slug`` if ``token`` is scoped to it and a version is active."""
    rows = Workflow.objects.select_related("active").filter(agent_tokens=token, active__isnull=False)
    return rows.filter(slug=slug).first()


def actions_named(version: WorkflowVersion, keys: Collection[str]) -> dict[str, Action]:
    """Those of ``keys`` that are actions of ``version``, by key."""
    related = ("system__owner", "system__backup", "version__workflow", "runbook")
    return {action.key: action for action in version.actions.select_related(*related).filter(key__in=keys)}


def systems_named(slugs: Collection[str]) -> dict[str, System]:
    """Those of ``slugs`` that are systems, by slug."""
    return {system.slug: system for system in System.objects.select_related("owner", "backup").filter(slug__in=slugs)}


def actions_with_coverage(version: WorkflowVersion) -> QuerySet[Action]:
    """The actions of ``version`` with ``taken`` (steps that succeeded) and ``covered`` (those whose undo resolved)."""
    succeeded = Q(steps__state="succeeded")
    return version.actions.select_related("system__owner", "runbook").annotate(
        taken=Count("steps", filter=succeeded),
        covered=Count("steps", filter=succeeded & Q(steps__undo_state="resolved")),
    )

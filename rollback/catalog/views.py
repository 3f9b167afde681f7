"""Workflows and runbooks, to read."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from rollback.catalog.difference import difference
from rollback.catalog.models import WorkflowVersion
from rollback.catalog.selectors import actions_with_coverage, visible_runbooks, visible_workflows
from rollback.web.people import signed_in


@require_safe
def workflows(request: HttpRequest) -> HttpResponse:
    """The workflows that one may see."""
    rows = visible_workflows(signed_in(request))
    return render(request, "rollback/catalog/workflows.html", {"workflows": rows})


@require_safe
def workflow(request: HttpRequest, slug: str) -> HttpResponse:
    """One workflow: its actions with coverage, its versions with differences, its file."""
    shown = get_object_or_404(visible_workflows(signed_in(request)), slug=slug)
    versions = list(shown.versions.select_related("created_by").order_by("-number")[:20])
    actions: list[Any] = list(actions_with_coverage(shown.active)) if shown.active else []
    context = {
        "workflow": shown,
        "actions": actions,
        "taken": sum(action.taken for action in actions),
        "covered": sum(action.covered for action in actions),
        "versions": [(version, _changes(version, versions)) for version in versions],
        "runs": shown.runs.order_by("-pk")[:10],
    }
    return render(request, "rollback/catalog/workflow.html", context)


def _changes(version: WorkflowVersion, versions: list[WorkflowVersion]) -> list[str]:
    """How ``version`` differs from the one before it."""
    before = next((v for v in versions if v.number == version.number - 1), None)
    return [str(change) for change in difference(before.document, version.document)] if before else []


@require_safe
def runbooks(request: HttpRequest) -> HttpResponse:
    """The runbooks."""
    return render(request, "rollback/catalog/runbooks.html", {"runbooks": visible_runbooks(signed_in(request))})


@require_safe
def runbook(request: HttpRequest, slug: str) -> HttpResponse:
    """One runbook, step by step."""
    shown = get_object_or_404(visible_runbooks(signed_in(request)), slug=slug)
    context = {"runbook": shown, "actions": shown.actions.select_related("version__workflow").order_by("key")[:50]}
    return render(request, "rollback/catalog/runbook.html", context)

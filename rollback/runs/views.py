"""The run list and the run page."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from rollback.runs.forms import RunFilters
from rollback.runs.graph import HEIGHT, MOST_STEPS, WIDTH, Layout, Node, lay_out
from rollback.runs.models import Step
from rollback.runs.selectors import filtered_runs, steps_of, visible_runs, with_step_counts
from rollback.runs.states import RunState
from rollback.web.access import allowed, found
from rollback.web.pages import CSV_ROWS, chosen, csv_of, page_of
from rollback.web.people import signed_in
from rollback.web.states import words_for

_COLUMNS: list[tuple[str, Any]] = [
    ("Id", lambda run: run.pk),
    ("Workflow", lambda run: run.workflow.slug),
    ("Goal", lambda run: run.goal),
    ("Agent", lambda run: run.agent),
    ("State", lambda run: words_for(run.state)),
    ("Steps", lambda run: run.steps_taken),
    ("Started", lambda run: run.started_at.isoformat(timespec="seconds")),
    ("Ended", lambda run: run.ended_at.isoformat(timespec="seconds") if run.ended_at else ""),
]


@require_safe
def runs(request: HttpRequest) -> HttpResponse:
    """The runs that one may see, newest first; ``format=csv`` gives what the filters leave."""
    form = RunFilters(request.GET)
    filters = chosen(form)
    states = [filters["state"]] if filters["state"] else []
    rows = filtered_runs(visible_runs(signed_in(request)), states, filters["workflow"], filters["text"])
    if request.GET.get("format") == "csv":
        return csv_of("runs", _COLUMNS, rows.order_by("-pk")[:CSV_ROWS])
    context = {
        "page": page_of(with_step_counts(rows), request),
        "filters": form,
        "filtered": any(filters.values()),
    }
    return render(request, "rollback/runs/runs.html", context)


@dataclass(frozen=True)
class DrawnStep:
    """One step in the picture."""

    step: Step
    node: Node


@require_safe
def run(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The run with its steps, as a graph and as a table; the fragment while it moves."""
    person = signed_in(request)
    shown = found(visible_runs(person), pk, "run")
    steps = list(steps_of(shown))
    layout = draw(steps) if 0 < len(steps) <= MOST_STEPS else None
    by_id = {str(step.pk): step for step in steps}
    context = {
        "run": shown,
        "steps": steps,
        "numbers": {str(step.pk): step.number for step in steps},
        "layout": layout,
        "drawn": [DrawnStep(by_id[node.key], node) for node in layout.nodes] if layout else [],
        "box": {"width": WIDTH, "height": HEIGHT},
        "moving": shown.state in (RunState.RUNNING, RunState.ROLLING_BACK),
        "rollbacks": shown.rollbacks.order_by("-created_at"),
        "incidents": shown.incidents.order_by("-opened_at"),
        "may_preview": allowed(person, "rollback.preview", shown),
        "under_way": shown.state == RunState.ROLLING_BACK,
    }
    template = "rollback/runs/_run_live.html" if request.htmx else "rollback/runs/run.html"  # type: ignore[attr-defined]
    return render(request, template, context)


def draw(steps: list[Step]) -> Layout:
    """The picture of ``steps``; one that did not say what it builds on follows the one before it."""
    builds_on: dict[str, list[str]] = {}
    for at, step in enumerate(steps):
        before = [str(steps[at - 1].pk)] if at else []
        builds_on[str(step.pk)] = before if step.depends_on is None else step.depends_on
    return lay_out([str(step.pk) for step in steps], builds_on)

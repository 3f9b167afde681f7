"""Preview, confirm, watch, and take over by hand."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from rollback.errors import Conflict
from rollback.recovery import services
from rollback.recovery.forms import CancelForm, EvidenceForm, RollbackFilters, ScopeForm, StartForm, WaiveForm
from rollback.recovery.models import Compensation, Rollback
from rollback.recovery.preview import preview
from rollback.recovery.selectors import (
    compensations_of,
    is_over,
    rollback_progress,
    visible_compensations,
    visible_rollbacks,
    waiver_of,
)
from rollback.recovery.states import CompensationState
from rollback.runs.models import Run
from rollback.runs.selectors import visible_runs
from rollback.web.access import allowed, found, require
from rollback.web.pages import CSV_ROWS, chosen, csv_of, page_of
from rollback.web.people import signed_in
from rollback.web.states import words_for

_COLUMNS: list[tuple[str, Any]] = [
    ("Id", lambda rollback: rollback.pk),
    ("Workflow", lambda rollback: rollback.run.workflow.slug),
    ("Run", lambda rollback: rollback.run_id),
    ("State", lambda rollback: words_for(rollback.state)),
    ("Reason", lambda rollback: rollback.reason),
    ("Started by", lambda rollback: rollback.started_by_name),
    ("Started", lambda rollback: rollback.started_at.isoformat(timespec="seconds") if rollback.started_at else ""),
    ("Ended", lambda rollback: rollback.ended_at.isoformat(timespec="seconds") if rollback.ended_at else ""),
]


@require_http_methods(["GET", "HEAD", "POST"])
def rollback_preview(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show what a rollback of the run would do; a POST starts exactly what was shown, or nothing."""
    person = signed_in(request)
    run = found(visible_runs(person), pk, "run")
    require(person, "rollback.preview", run)
    if request.method != "POST":
        return _preview_page(request, run)
    require(person, "rollback.start", run)
    form = StartForm(request.POST)
    if not form.is_valid():
        return _preview_page(request, run, form, status=422)
    data, scope = form.cleaned_data, ScopeForm(request.GET, run).chosen()
    try:
        rollback = services.start_rollback(run, scope, data["reason"], data["plan_hash"], person, data.get("incident"))
    except Conflict as conflict:
        return _preview_page(request, run, form, conflict=conflict.detail, status=409)
    return redirect("rollback", pk=rollback.pk)


def _preview_page(
    request: HttpRequest, run: Run, form: StartForm | None = None, conflict: str = "", status: int = 200
) -> HttpResponse:
    scope = ScopeForm(request.GET, run)
    shown = preview(run, scope.chosen())
    initial = {"plan_hash": shown.hash, "incident": request.GET.get("incident", "")}
    if conflict and form is not None:
        # The words are kept, the plan that they are about is the one that is shown now.
        form = StartForm(initial={**initial, "reason": form.data.get("reason", "")})
    context = {
        "run": run,
        "preview": shown,
        "scope": scope,
        "whole_run": shown.scope["kind"] == "all",
        "form": form or StartForm(initial=initial),
        "sheet_open": bool(form is not None and not conflict) or request.GET.get("sheet") == "start",
        "conflict": conflict,
        "may_start": allowed(signed_in(request), "rollback.start", run),
        "under_way": run.rollbacks.filter(state__in=["running", "paused", "needs_attention"]).first(),
    }
    return render(request, "rollback/recovery/preview.html", context, status=status)


@require_safe
def rollbacks(request: HttpRequest) -> HttpResponse:
    """The rollbacks that one may see, newest first; ``format=csv`` gives what the filters leave."""
    form = RollbackFilters(request.GET)
    filters = chosen(form)
    rows = visible_rollbacks(signed_in(request))
    if filters["state"]:
        rows = rows.filter(state=filters["state"])
    if filters["workflow"]:
        rows = rows.filter(run__workflow__slug=filters["workflow"])
    if request.GET.get("format") == "csv":
        return csv_of("rollbacks", _COLUMNS, rows.order_by("-pk")[:CSV_ROWS])
    context = {"page": page_of(rows, request), "filters": form, "filtered": any(filters.values())}
    return render(request, "rollback/recovery/rollbacks.html", context)


@require_safe
def rollback(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The rollback as it goes; the fragment while it moves."""
    return _rollback_page(request, found(visible_rollbacks(signed_in(request)), pk, "rollback"))


def _rollback_page(
    request: HttpRequest, shown: Rollback, form: CancelForm | None = None, conflict: str = "", status: int = 200
) -> HttpResponse:
    context = {
        "rollback": shown,
        "run": shown.run,
        "progress": rollback_progress(shown),
        "compensations": compensations_of(shown),
        "over": is_over(shown),
        "may_control": allowed(signed_in(request), "rollback.control", shown),
        "form": form or CancelForm(),
        "sheet_open": not conflict and (form is not None or request.GET.get("sheet") == "cancel"),
        "conflict": conflict,
        "kept": form.data.get("reason", "") if form else "",
        "incidents": shown.run.incidents.order_by("-opened_at"),
    }
    template = "rollback/recovery/_rollback_live.html" if request.htmx else "rollback/recovery/rollback.html"  # type: ignore[attr-defined]
    return render(request, template, context, status=status)


@require_POST
def pause(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Start nothing further."""
    services.pause_rollback(_controlled(request, pk), signed_in(request))
    return redirect("rollback", pk=pk)


@require_POST
def resume(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Go on."""
    services.resume_rollback(_controlled(request, pk), signed_in(request))
    return redirect("rollback", pk=pk)


@require_POST
def cancel(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Leave the rest as it is."""
    shown = _controlled(request, pk)
    form = CancelForm(request.POST)
    if not form.is_valid():
        return _rollback_page(request, shown, form, status=422)
    try:
        services.cancel_rollback(shown, signed_in(request), form.cleaned_data["reason"])
    except Conflict as conflict:
        return _rollback_page(request, _controlled(request, pk), form, conflict=conflict.detail, status=409)
    return redirect("rollback", pk=pk)


def _controlled(request: HttpRequest, pk: UUID) -> Rollback:
    person = signed_in(request)
    shown = found(visible_rollbacks(person), pk, "rollback")
    require(person, "rollback.control", shown)
    return shown


@require_safe
def compensation(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One compensation: what was tried, and for who has it in hand what to do now, with the runbook beside it."""
    return _compensation_page(request, _compensation(request, pk))


def _compensation(request: HttpRequest, pk: UUID) -> Compensation:
    related = (
        "step__system__owner",
        "step__action",
        "rollback__run__workflow",
        "handed_to",
        "runbook__current",
        "ended_by",
    )
    return found(visible_compensations(signed_in(request)).select_related(*related), pk, "compensation")


def _compensation_page(
    request: HttpRequest,
    shown: Compensation,
    done_form: EvidenceForm | None = None,
    waive_form: WaiveForm | None = None,
    conflict: str = "",
    status: int = 200,
) -> HttpResponse:
    sheet = "done" if done_form else "waive" if waive_form else request.GET.get("sheet", "")
    context = {
        "compensation": shown,
        "rollback": shown.rollback,
        "attempts": shown.attempts.order_by("started_at", "id"),
        "handed_over": shown.state == CompensationState.HANDED_OVER,
        "may_finish": allowed(signed_in(request), "compensation.finish", shown),
        "done_form": done_form or EvidenceForm(auto_id="done_%s"),
        "waive_form": waive_form or WaiveForm(auto_id="waive_%s"),
        "sheet": sheet if not conflict else "",
        "conflict": conflict,
        "kept": (done_form or waive_form or EvidenceForm()).data.get("evidence" if done_form else "reason", ""),
        "waiver": waiver_of(shown),
    }
    return render(request, "rollback/recovery/compensation.html", context, status=status)


@require_POST
def retry(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Let software try again."""
    shown = _compensation(request, pk)
    require(signed_in(request), "compensation.finish", shown)
    services.retry_compensation(shown, signed_in(request))
    return redirect("rollback", pk=shown.rollback_id)


@require_POST
def done(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Done by hand, with evidence."""
    shown = _compensation(request, pk)
    require(signed_in(request), "compensation.finish", shown)
    form = EvidenceForm(request.POST, auto_id="done_%s")
    if not form.is_valid():
        return _compensation_page(request, shown, form, status=422)
    try:
        services.finish_by_hand(shown, signed_in(request), form.cleaned_data["evidence"])
    except Conflict as conflict:
        return _compensation_page(request, _compensation(request, pk), form, conflict=conflict.detail, status=409)
    messages.success(request, "Recorded as done by hand.")
    return redirect("rollback", pk=shown.rollback_id)


@require_POST
def waive(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask a second person to agree that it is left as it is."""
    shown = _compensation(request, pk)
    require(signed_in(request), "compensation.finish", shown)
    form = WaiveForm(request.POST, auto_id="waive_%s")
    if not form.is_valid():
        return _compensation_page(request, shown, waive_form=form, status=422)
    try:
        services.ask_to_waive(shown, signed_in(request), form.cleaned_data["reason"])
    except Conflict as conflict:
        again = _compensation(request, pk)
        return _compensation_page(request, again, waive_form=form, conflict=conflict.detail, status=409)
    messages.success(request, "A second person is asked.")
    return redirect("compensation", pk=pk)

"""The incident list and the incident page."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from incidents.response import services
from incidents.response.forms import IncidentFilters, NoteForm
from incidents.response.models import Incident
from incidents.response.selectors import blast_radius, open_work_of, runs_of, timeline_of, visible_incidents
from incidents.response.states import INCIDENT, IncidentState
from rollback.ownership.models import User
from rollback.runs.states import RunState
from rollback.web.access import allowed, found, require
from rollback.web.pages import CSV_ROWS, chosen, csv_of, page_of
from rollback.web.people import signed_in
from rollback.web.states import words_for

_COLUMNS: list[tuple[str, Any]] = [
    ("Number", lambda incident: f"INC-{incident.number}"),
    ("Title", lambda incident: incident.title),
    ("State", lambda incident: words_for(incident.state)),
    ("Severity", lambda incident: words_for(incident.severity)),
    ("Lead", lambda incident: incident.lead.name if incident.lead else ""),
    ("Opened", lambda incident: incident.opened_at.isoformat(timespec="seconds")),
    (
        "Recovered",
        lambda incident: incident.recovered_at.isoformat(timespec="seconds") if incident.recovered_at else "",
    ),
]


@require_safe
def incidents(request: HttpRequest) -> HttpResponse:
    """The incidents that one may see, newest first; ``format=csv`` gives what the filters leave."""
    form = IncidentFilters(request.GET)
    filters = chosen(form)
    rows = visible_incidents(signed_in(request))
    if filters["state"]:
        rows = rows.filter(state=filters["state"])
    if filters["text"]:
        rows = rows.filter(title__icontains=filters["text"])
    if request.GET.get("format") == "csv":
        return csv_of("incidents", _COLUMNS, rows.order_by("-pk")[:CSV_ROWS])
    context = {"page": page_of(rows, request), "filters": form, "filtered": any(filters.values())}
    return render(request, "incidents/response/incidents.html", context)


@require_safe
def incident(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The incident on one page: how it stands, what happened, what is affected, what is left to do."""
    return _page(request, found(visible_incidents(signed_in(request)), pk, "incident"))


def _page(request: HttpRequest, shown: Incident, form: NoteForm | None = None, status: int = 200) -> HttpResponse:
    person = signed_in(request)
    affected = list(runs_of(shown))
    to_roll_back = [run for run in affected if run.state in _CAN_BE_ROLLED_BACK]
    context = {
        "incident": shown,
        "timeline": timeline_of(shown),
        "runs": affected,
        "next_run": to_roll_back[0] if to_roll_back else None,
        "work": open_work_of(shown),
        "radius": blast_radius(shown),
        "actions": INCIDENT.actions_from(IncidentState(shown.state)),
        "may_lead": allowed(person, "incident.lead", shown),
        "may_note": allowed(person, "incident.note", shown),
        "may_preview": allowed(person, "rollback.preview", to_roll_back[0]) if to_roll_back else False,
        "form": form or NoteForm(),
        "moving": any(run.state == RunState.ROLLING_BACK for run in affected),
    }
    live = request.htmx and form is None  # type: ignore[attr-defined]
    template = "incidents/response/_incident_live.html" if live else "incidents/response/incident.html"
    return render(request, template, context, status=status)


_CAN_BE_ROLLED_BACK = frozenset(
    {RunState.RUNNING, RunState.FAILED, RunState.HALTED, RunState.LOST, RunState.PARTLY_ROLLED_BACK}
)


@require_POST
def note(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Add a note to the timeline."""
    person = signed_in(request)
    shown = found(visible_incidents(person), pk, "incident")
    require(person, "incident.note", shown)
    form = NoteForm(request.POST)
    if not form.is_valid():
        return _page(request, shown, form, status=422)
    services.add_note(shown, form.cleaned_data["text"], person)
    return redirect("incident", pk=pk)


_MOVES: dict[str, Callable[[Incident, User], None]] = {
    "acknowledge": services.acknowledge,
    "recover": lambda shown, person: services.recover(shown, person.actor()),
    "close": services.close,
    "reopen": services.reopen,
}


@require_POST
def change(request: HttpRequest, pk: UUID, action: str) -> HttpResponse:
    """Acknowledge, mark recovered, close or reopen."""
    person = signed_in(request)
    shown = found(visible_incidents(person), pk, "incident")
    require(person, "incident.lead", shown)
    _MOVES[action](shown, person)
    return redirect("incident", pk=pk)

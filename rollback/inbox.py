"""What waits for me: the one page that looks into several slices at once."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from rollback.approvals.selectors import waiting_for, waiting_for_team_of, waiting_in_sight_of
from rollback.recovery.selectors import handed_over_in_sight_of, handed_over_to, handed_over_to_team_of
from rollback.web.people import signed_in

MOST = 50
_VIEWS = {
    "mine": ("Mine", waiting_for, handed_over_to),
    "team": ("My team", waiting_for_team_of, handed_over_to_team_of),
    "all": ("All", waiting_in_sight_of, handed_over_in_sight_of),
}


@require_safe
def inbox(request: HttpRequest) -> HttpResponse:
    """Approvals (the soonest to expire first) and compensations handed over: mine, my team's, or all in sight."""
    person = signed_in(request)
    view = request.GET.get("view", "mine")
    view = view if view in _VIEWS else "mine"
    _, waiting, handed_over = _VIEWS[view]
    context = {
        "view": view,
        "views": [(name, label) for name, (label, _, _) in _VIEWS.items()],
        "approvals": list(waiting(person)[:MOST]),
        "compensations": list(handed_over(person)[:MOST]),
        "most": MOST,
    }
    template = "rollback/_inbox.html" if request.htmx else "rollback/inbox.html"  # type: ignore[attr-defined]
    return render(request, template, context)

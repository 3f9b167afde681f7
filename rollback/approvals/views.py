"""The approval page: what is asked, and the two answers."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from rollback.approvals import services
from rollback.approvals.forms import DecisionForm
from rollback.approvals.models import Approval, ApprovalKind
from rollback.approvals.selectors import decided_before, visible_approvals
from rollback.errors import Conflict, Invalid
from rollback.web.access import allowed, found, require
from rollback.web.people import signed_in


@require_http_methods(["GET", "HEAD", "POST"])
def approval(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show the request; a POST decides it, and a stale one answers 409 with how it was decided."""
    person = signed_in(request)
    asked = found(visible_approvals(person).prefetch_related("deciders", "decisions__person"), pk, "approval")
    if request.method != "POST":
        return _page(request, asked)
    require(person, "approval.decide", asked)
    form = DecisionForm(request.POST)
    if not form.is_valid():
        return _page(request, asked, form, status=422)
    data = form.cleaned_data
    try:
        services.decide(asked, person, data["verdict"], data["reason"], data["shown_hash"])
    except Invalid as invalid:
        form.add_error("reason", invalid.detail)
        return _page(request, asked, form, status=422)
    except Conflict as conflict:
        asked.refresh_from_db()
        return _page(request, asked, form, conflict=conflict.detail, status=409)
    messages.success(request, "Approved." if data["verdict"] == "approve" else "Refused.")
    return redirect("approval", pk=asked.pk)


def _page(
    request: HttpRequest, asked: Approval, form: DecisionForm | None = None, conflict: str = "", status: int = 200
) -> HttpResponse:
    person = signed_in(request)
    verdict = form.data.get("verdict", "") if form else request.GET.get("sheet", "")
    sheets = [(name, _sheet(asked, name, form if name == verdict else None)) for name in ("approve", "refuse")]
    context = {
        "approval": asked,
        "shown": asked.shown,
        "waiver": asked.kind == ApprovalKind.WAIVER,
        "irreversible": services.is_irreversible(asked),
        "sheets": sheets,
        "open_sheet": verdict if not conflict else "",
        "conflict": conflict,
        "kept": form.data.get("reason", "") if form else "",
        "may_decide": allowed(person, "approval.decide", asked),
        "answered": any(decision.person_id == person.pk for decision in asked.decisions.all()),
        "before": decided_before(asked),
    }
    return render(request, "rollback/approvals/approval.html", context, status=status)


def _sheet(asked: Approval, verdict: str, sent: DecisionForm | None) -> DecisionForm:
    """The form of one answer: fresh, or as it was sent; it says whether a reason is needed."""
    initial = {"verdict": verdict, "shown_hash": asked.shown_hash}
    form = sent or DecisionForm(initial=initial, auto_id=f"{verdict}_%s")
    form.fields["reason"].required = verdict == "refuse" or services.is_irreversible(asked)
    return form

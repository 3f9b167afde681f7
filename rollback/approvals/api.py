"""Approvals over the API: for people, with their rights; never for agents."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from rollback.approvals.models import Approval, ApprovalKind
from rollback.approvals.selectors import visible_approvals
from rollback.approvals.services import APPROVE, REFUSE, decide
from rollback.approvals.states import ApprovalState
from rollback.web.access import found
from rollback.web.authentication import person_of
from rollback.web.idempotency import WriteOnceView
from rollback.web.pagination import ByKey
from rollback.web.schemas import Body, Instant, JSONObject, Text

STATES = [state.value for state in ApprovalState]


class DecisionIn(Body):
    """A person's answer; ``shown_hash`` binds it to what was shown. A refusal needs a reason."""

    verdict = serializers.ChoiceField([APPROVE, REFUSE])
    reason = Text(max_length=5000, required=False, allow_blank=True)
    shown_hash = Text(max_length=64, required=False)


class ApprovalOut(serializers.Serializer[Approval]):
    """A request for a yes."""

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(ApprovalKind.choices)
    status = serializers.ChoiceField(STATES, source="state")
    run = serializers.UUIDField(source="run_id")
    step = serializers.UUIDField(source="step_id", allow_null=True)
    rule = serializers.CharField()
    quorum = serializers.IntegerField()
    shown = JSONObject()
    shown_hash = serializers.CharField()
    created_at = Instant()
    expires_at = Instant()


class ApprovalsView(ListAPIView[Approval]):
    """The approvals that a person may see."""

    pagination_class = ByKey
    serializer_class = ApprovalOut

    def get_queryset(self) -> QuerySet[Approval]:
        """Newest first, narrowed to what was asked for."""
        rows = visible_approvals(person_of(self.request)).order_by("-id")
        states = self.request.query_params.getlist("status")
        return rows.filter(state__in=states) if states else rows

    @extend_schema(
        parameters=[OpenApiParameter("status", {"type": "array", "items": {"type": "string", "enum": STATES}})]
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Approvals, newest first; ``status=pending`` for those that wait."""
        return super().get(request, *args, **kwargs)


class DecideView(WriteOnceView):
    """A person's answer."""

    @extend_schema(request=DecisionIn, responses=ApprovalOut)
    def post(self, request: Request, pk: UUID) -> Response:
        """Approve or refuse; 409 ``already-decided`` or ``changed-since-shown`` where it is too late for that."""
        data = DecisionIn.read(request.data)
        person = person_of(request)
        approval = found(visible_approvals(person), pk, "approval")
        done = decide(approval, person, data["verdict"], data.get("reason", ""), data.get("shown_hash"))
        return Response(ApprovalOut(done).data)

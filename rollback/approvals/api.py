"""Approvals over the API: for people, with their rights; never for agents."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from rollback.approvals.models import Approval
from rollback.approvals.selectors import visible_approvals
from rollback.approvals.services import decide
from rollback.errors import NotFound
from rollback.web.idempotency import WriteOnceView
from rollback.web.pagination import ByKey
from rollback.web.schemas import Body


class DecisionIn(Body):
    """A person's answer; ``shown_hash`` binds it to what was shown."""

    verdict = serializers.ChoiceField(["approve", "refuse"])
    reason = serializers.CharField(max_length=5000, required=False, allow_blank=True)
    shown_hash = serializers.CharField(max_length=64, required=False)


class ApprovalOut(serializers.Serializer[Approval]):
    """A request for a yes."""

    id = serializers.UUIDField()
    kind = serializers.CharField()
    status = serializers.CharField(source="state")
    run = serializers.UUIDField(source="run_id")
    step = serializers.UUIDField(source="step_id", allow_null=True)
    rule = serializers.CharField()
    quorum = serializers.IntegerField()
    shown = serializers.JSONField()
    shown_hash = serializers.CharField()
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()


class ApprovalsView(ListAPIView[Approval]):
    """The approvals that a person may see."""

    pagination_class = ByKey
    serializer_class = ApprovalOut

    def get_queryset(self) -> Any:
        """Newest first; ``?status=pending`` for those that wait."""
        rows = visible_approvals(self.request.user).order_by("-id")  # type: ignore[arg-type]
        status = self.request.query_params.get("status")
        return rows.filter(state=status) if status else rows


class DecideView(WriteOnceView):
    """A person's answer."""

    @extend_schema(request=DecisionIn, responses=ApprovalOut)
    def post(self, request: Request, pk: UUID) -> Response:
        """Approve or refuse, with a reason where one is required."""
        data = DecisionIn.read(request.data)
        approval = visible_approvals(request.user).filter(pk=pk).first()  # type: ignore[arg-type]
        if approval is None:
            raise NotFound("There is no such approval, or not for you.", "unknown-approval")
        done = decide(
            approval,
            request.user,  # type: ignore[arg-type]
            data["verdict"],
            data.get("reason", ""),
            data.get("shown_hash"),
        )
        return Response(ApprovalOut(done).data)

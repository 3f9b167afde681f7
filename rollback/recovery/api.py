"""Rollbacks over the API: for people, with their rights."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from rollback.approvals.api import ApprovalOut
from rollback.errors import NotFound
from rollback.ownership.models import User
from rollback.recovery import services
from rollback.recovery.models import Attempt, Compensation, Rollback
from rollback.recovery.preview import Preview, PreviewItem, Reach, preview
from rollback.recovery.selectors import (
    compensations_of,
    rollback_progress,
    visible_compensations,
    visible_rollbacks,
)
from rollback.runs.models import Run
from rollback.runs.selectors import visible_runs
from rollback.web.access import require
from rollback.web.idempotency import WriteOnceView
from rollback.web.pagination import ByKey
from rollback.web.schemas import Body, JSONObject


class PreviewIn(Body):
    """Which run, and how much of it."""

    run = serializers.UUIDField()
    scope = JSONObject()


class RollbackIn(PreviewIn):
    """Starts exactly the plan that was previewed."""

    reason = serializers.CharField(max_length=5000)
    plan_hash = serializers.CharField(max_length=64)
    incident = serializers.UUIDField(required=False, allow_null=True)


class EvidenceIn(Body):
    """What a person did by hand."""

    evidence = serializers.CharField(max_length=10_000)


class ReasonIn(Body):
    """Why something is done."""

    reason = serializers.CharField(max_length=5000)


class AttemptOut(serializers.Serializer[Attempt]):
    """One try."""

    number = serializers.IntegerField()
    phase = serializers.CharField()
    started_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    outcome = serializers.CharField()
    status = serializers.IntegerField(allow_null=True)
    detail = serializers.CharField()


class CompensationOut(serializers.Serializer[Compensation]):
    """The undo of one step, with its tries."""

    id = serializers.UUIDField()
    step = serializers.UUIDField(source="step_id")
    action = serializers.CharField(source="step.action_key")
    status = serializers.CharField(source="state")
    in_doubt = serializers.BooleanField()
    verified = serializers.BooleanField()
    attempts_made = serializers.IntegerField()
    attempts_allowed = serializers.IntegerField()
    next_attempt_at = serializers.DateTimeField(allow_null=True)
    last_error = serializers.CharField()
    handed_to = serializers.EmailField(source="handed_to.email", default=None, allow_null=True)
    runbook = serializers.CharField(source="runbook.slug", default=None, allow_null=True)
    evidence = serializers.CharField()
    attempts = AttemptOut(many=True)


class RollbackOut(serializers.Serializer[Rollback]):
    """A rollback in a list."""

    id = serializers.UUIDField()
    run = serializers.UUIDField(source="run_id")
    status = serializers.CharField(source="state")
    rehearsal = serializers.BooleanField()
    scope = serializers.JSONField()
    reason = serializers.CharField()
    plan_hash = serializers.CharField()
    incident = serializers.UUIDField(source="incident_id", allow_null=True)
    started_by = serializers.CharField(source="started_by_name")
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)


class RollbackDetailOut(RollbackOut):
    """A rollback with its compensations and their tries."""

    progress = serializers.SerializerMethodField()
    compensations = serializers.SerializerMethodField()

    def get_progress(self, rollback: Rollback) -> dict[str, int]:
        """The counts that the page shows."""
        counts = rollback_progress(rollback)
        return {name: getattr(counts, name) for name in ("total", "settled", "in_flight", "handed_over", "verified")}

    def get_compensations(self, rollback: Rollback) -> list[dict[str, Any]]:
        """In undo order."""
        return [dict(CompensationOut(one).data) for one in compensations_of(rollback)]


def preview_json(shown: Preview) -> dict[str, Any]:
    """A plan as data: its hash, its steps in undo order, and how far it reaches."""
    return {
        "run": str(shown.run.pk),
        "scope": shown.scope,
        "hash": shown.hash,
        "made_at": shown.made_at,
        "steps": [_item_json(item) for item in shown.items],
        "blast_radius": {"now": _reach_json(shown.reach), "after": _reach_json(shown.reach_after)},
    }


def _item_json(item: PreviewItem) -> dict[str, Any]:
    return {
        "step": str(item.step.pk),
        "number": item.step.number,
        "action": item.step.action_key,
        "treatment": item.treatment,
        "in_doubt": item.in_doubt,
        "after": item.after,
        "sends": item.sends,
        "undo_expires_at": item.step.undo_expires_at,
        "answerable": item.answerable.email if item.answerable else None,
    }


def _reach_json(reach: Reach) -> dict[str, Any]:
    return {"systems": reach.systems, "effects": reach.effects, "records": reach.records, "money": reach.money}


def _person(request: Request) -> User:
    assert isinstance(request.user, User)
    return request.user


def _run(request: Request, pk: UUID) -> Run:
    run = visible_runs(_person(request)).filter(pk=pk).first()
    if run is None:
        raise NotFound("There is no such run, or not for you.", "unknown-run")
    return run


class PreviewView(WriteOnceView):
    """What a rollback would do."""

    @extend_schema(request=PreviewIn, responses={200: dict})
    def post(self, request: Request) -> Response:
        """The plan with its ``hash``. Carries out nothing."""
        data = PreviewIn.read(request.data)
        run = _run(request, data["run"])
        require(_person(request), "rollback.preview", run)
        return Response(preview_json(preview(run, data["scope"])))


class RollbacksView(WriteOnceView, ListAPIView[Rollback]):
    """Rollbacks: list them, start one."""

    pagination_class = ByKey
    serializer_class = RollbackOut

    def get_queryset(self) -> Any:
        """Those of visible runs, newest first."""
        return visible_rollbacks(_person(self.request)).order_by("-id")

    @extend_schema(request=RollbackIn, responses={202: RollbackOut})
    def post(self, request: Request) -> Response:
        """Start the plan that was previewed; 409 ``plan-changed`` when it is no longer that plan."""
        data = RollbackIn.read(request.data)
        run = _run(request, data["run"])
        require(_person(request), "rollback.start", run)
        rollback = services.start_rollback(
            run, data["scope"], data["reason"], data["plan_hash"], _person(request), data.get("incident")
        )
        return Response(RollbackOut(rollback).data, status=202)


class RollbackView(WriteOnceView):
    """One rollback."""

    @extend_schema(responses=RollbackDetailOut)
    def get(self, request: Request, pk: UUID) -> Response:
        """With its compensations and every try."""
        return Response(RollbackDetailOut(find_rollback(request, pk)).data)


def find_rollback(request: Request, pk: UUID) -> Rollback:
    """A rollback that the caller may see. Raises ``NotFound``."""
    rollback = visible_rollbacks(_person(request)).filter(pk=pk).first()
    if rollback is None:
        raise NotFound("There is no such rollback, or not for you.", "unknown-rollback")
    return rollback


class PauseView(WriteOnceView):
    """Start nothing further."""

    @extend_schema(request=None, responses=RollbackOut)
    def post(self, request: Request, pk: UUID) -> Response:
        """What is in flight ends and is recorded."""
        rollback = find_rollback(request, pk)
        require(_person(request), "rollback.control", rollback)
        services.pause_rollback(rollback, _person(request))
        return Response(RollbackOut(rollback).data)


class ResumeView(WriteOnceView):
    """Go on."""

    @extend_schema(request=None, responses=RollbackOut)
    def post(self, request: Request, pk: UUID) -> Response:
        """After a pause."""
        rollback = find_rollback(request, pk)
        require(_person(request), "rollback.control", rollback)
        services.resume_rollback(rollback, _person(request))
        return Response(RollbackOut(rollback).data)


class CancelView(WriteOnceView):
    """Leave the rest as it is."""

    @extend_schema(request=ReasonIn, responses=RollbackOut)
    def post(self, request: Request, pk: UUID) -> Response:
        """Of a paused rollback; 409 ``calls-underway`` until what is in flight has ended."""
        data = ReasonIn.read(request.data)
        rollback = find_rollback(request, pk)
        require(_person(request), "rollback.control", rollback)
        services.cancel_rollback(rollback, _person(request), data["reason"])
        return Response(RollbackOut(rollback).data)


class CompensationView(WriteOnceView):
    """What was handed over to a person."""

    def find(self, request: Request, pk: UUID) -> Compensation:
        """A visible compensation that the caller may finish."""
        rows = visible_compensations(_person(request)).select_related("step__system", "step__action", "rollback")
        compensation = rows.filter(pk=pk).first()
        if compensation is None:
            raise NotFound("There is no such compensation, or not for you.", "unknown-compensation")
        require(_person(request), "compensation.finish", compensation)
        return compensation


class RetryView(CompensationView):
    """Let software try again."""

    @extend_schema(request=None, responses=CompensationOut)
    def post(self, request: Request, pk: UUID) -> Response:
        """Under the same idempotency key, with fresh attempts."""
        compensation = self.find(request, pk)
        services.retry_compensation(compensation, _person(request))
        return Response(CompensationOut(compensation).data)


class DoneView(CompensationView):
    """Done by hand."""

    @extend_schema(request=EvidenceIn, responses=CompensationOut)
    def post(self, request: Request, pk: UUID) -> Response:
        """With written evidence."""
        data = EvidenceIn.read(request.data)
        compensation = self.find(request, pk)
        services.finish_by_hand(compensation, _person(request), data["evidence"])
        return Response(CompensationOut(compensation).data)


class WaiveView(CompensationView):
    """Leave it as it is."""

    @extend_schema(request=ReasonIn, responses={202: ApprovalOut})
    def post(self, request: Request, pk: UUID) -> Response:
        """Asks a second person; answers the request that they decide. 409 ``waiver-pending`` while one is asked."""
        data = ReasonIn.read(request.data)
        compensation = self.find(request, pk)
        asked = services.ask_to_waive(compensation, _person(request), data["reason"])
        return Response(ApprovalOut(asked).data, status=202)

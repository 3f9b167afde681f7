"""The agents' API: open, propose, wait, report, finish; and what people read of runs."""

import time
from typing import Any, ClassVar
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.urls import reverse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from rollback.errors import NotFound, Refused
from rollback.runs import schemas, services
from rollback.runs.batch import FinishedStep, record_batch
from rollback.runs.models import Run, Step
from rollback.runs.selectors import runs_of_agent, steps_of_agent, visible_runs
from rollback.web.authentication import AgentCaller, IsAgent, IsPerson
from rollback.web.idempotency import UNSAFE, WriteOnceView
from rollback.web.pagination import ByKey
from rollback.web.parsers import BatchJSONParser
from rollback.web.problems import document_of

MAX_WAIT_SECONDS = 25.0
LOOK_EVERY_SECONDS = 0.25


class AgentView(WriteOnceView):
    """A call of agents: sees what this agent's token opened, and nothing else."""

    permission_classes: ClassVar[Any] = [IsAgent]

    @property
    def caller(self) -> AgentCaller:
        """The agent that calls."""
        assert isinstance(self.request.user, AgentCaller)
        return self.request.user

    def run(self, pk: UUID) -> Run:
        """This agent's run. Raises ``NotFound``."""
        run = runs_of_agent(self.caller.token).filter(pk=pk).first()
        if run is None:
            raise NotFound("There is no such run for this token.", "unknown-run")
        return run

    def step(self, pk: UUID) -> Step:
        """A step of this agent's runs. Raises ``NotFound``."""
        step = steps_of_agent(self.caller.token).filter(pk=pk).first()
        if step is None:
            raise NotFound("There is no such step for this token.", "unknown-step")
        return step


def step_json(step: Step) -> dict[str, Any]:
    """A step as its agent sees it, with the approval that it waits for."""
    data: dict[str, Any] = dict(schemas.StepOut(step).data)
    data.pop("approval", None)
    approval = step.approvals.order_by("-created_at").first()
    if approval is not None:
        url = settings.PUBLIC_URL + reverse("approval", args=[approval.pk])
        data["approval"] = schemas.ApprovalRefOut({"id": approval.pk, "url": url, "expires_at": approval.expires_at}).data
    return data


def result_json(step: Step) -> dict[str, Any]:
    """What a reported result is answered."""
    undo = {"state": step.undo_state, "problems": step.undo_problems, "expires_at": step.undo_expires_at}
    return dict(schemas.ResultOut({"undo": undo, "verdict": services.run_verdict(step.run)}).data)


class RunsView(AgentView, ListAPIView[Run]):
    """Agents open runs; people list them."""

    pagination_class = ByKey
    serializer_class = schemas.PersonRunOut

    def get_permissions(self) -> Any:
        """Writing is for agents, reading for people."""
        return [IsAgent() if self.request.method in UNSAFE else IsPerson()]

    def get_queryset(self) -> Any:
        """The runs that the person may see."""
        return visible_runs(self.request.user).order_by("-id")  # type: ignore[arg-type]

    @extend_schema(request=schemas.RunIn, responses={201: schemas.RunOut, 200: schemas.RunOut})
    def post(self, request: Request) -> Response:
        """Open a run of a workflow's active version; the same ``key`` finds the first one again (200)."""
        data = schemas.RunIn.read(request.data)
        parent = str(data["parent"]) if data.get("parent") else None
        run, new = services.open_run(
            self.caller.token, data["workflow"], data.get("key", ""), data.get("goal", ""), parent, data.get("input")
        )
        return Response(schemas.RunOut(run).data, status=201 if new else 200)


class RunView(APIView):
    """One run, for people."""

    @extend_schema(responses=schemas.PersonRunDetailOut)
    def get(self, request: Request, pk: UUID) -> Response:
        """The run with its steps."""
        run = visible_runs(request.user).filter(pk=pk).first()  # type: ignore[arg-type]
        if run is None:
            raise NotFound("There is no such run, or not for you.", "unknown-run")
        return Response(schemas.PersonRunDetailOut(run).data)


class StepsView(AgentView):
    """Proposing steps."""

    @extend_schema(request=schemas.StepIn, responses={201: schemas.StepOut})
    def post(self, request: Request, pk: UUID) -> Response:
        """Say what is about to be done, before it is done; the verdict says go, wait or halt."""
        run = self.run(pk)
        proposed = schemas.reported_step(schemas.StepIn.read(request.data))
        step = services.propose_step(run, proposed, self.caller.token.actor())
        return Response(step_json(step), status=201)


class StepView(AgentView):
    """One step, for the agent that waits on it."""

    @extend_schema(
        parameters=[OpenApiParameter("wait", float, description="Seconds to wait for a change, at most 25.")],
        responses=schemas.StepOut,
    )
    def get(self, request: Request, pk: UUID) -> Response:
        """The step; with ``wait`` as soon as its verdict or status changes, at most 25 s later."""
        step = self.step(pk)
        ends = time.monotonic() + _seconds(request.query_params.get("wait", "0"))
        seen = (step.state, services.step_verdict(step))
        while services.step_verdict(step) is services.Verdict.WAIT and time.monotonic() < ends:
            # Whoever waits holds no database connection.
            if not connection.in_atomic_block:
                connection.close()
            time.sleep(min(LOOK_EVERY_SECONDS, max(0.0, ends - time.monotonic())))
            step = self.step(pk)
            if (step.state, services.step_verdict(step)) != seen:
                break
        return Response(step_json(step))


def _seconds(text: str) -> float:
    try:
        wait = float(text)
    except ValueError as error:
        raise ValidationError({"wait": ["This must be a number of seconds."]}) from error
    return min(MAX_WAIT_SECONDS, max(0.0, wait)) if wait == wait else 0.0


class ResultView(AgentView):
    """Reporting results."""

    @extend_schema(request=schemas.ResultIn, responses=schemas.ResultOut)
    def post(self, request: Request, pk: UUID) -> Response:
        """Say how a step ended; its undo is frozen now, and what does not resolve is told now."""
        step = self.step(pk)
        result = schemas.reported_result(schemas.ResultIn.read(request.data))
        return Response(result_json(services.record_result(step, result, self.caller.token.actor())))


class BatchView(AgentView):
    """Back-fill."""

    parser_classes: ClassVar[Any] = [BatchJSONParser]

    @extend_schema(request=schemas.BatchIn, responses={200: dict})
    def post(self, request: Request, pk: UUID) -> Response:
        """Up to 1,000 finished steps; each is taken or refused by itself, and answered in its place."""
        run = self.run(pk)
        read = [_read_item(item) for item in schemas.BatchIn.read(request.data)["steps"]]
        finished = [item for item in read if isinstance(item, FinishedStep)]
        taken = iter(record_batch(run, finished, self.caller.token.actor()))
        answers = []
        for item in read:
            if isinstance(item, FinishedStep):
                one = next(taken)
                answers.append(
                    {"id": str(one.step.pk), **result_json(one.step)}
                    if one.step
                    else {"error": document_of(one.refused or Refused("Refused."))}
                )
            else:
                answers.append({"error": item})
        return Response({"steps": answers})


def _read_item(data: dict[str, Any]) -> FinishedStep | dict[str, Any]:
    try:
        return schemas.finished_step(data)
    except ValidationError as error:
        return document_of(error)


class HeartbeatView(AgentView):
    """Signs of life."""

    @extend_schema(request=None, responses=schemas.VerdictOut)
    def post(self, request: Request, pk: UUID) -> Response:
        """Still here; the verdict says whether to go on."""
        return Response({"verdict": services.run_verdict(services.heartbeat(self.run(pk)))})


class FinishView(AgentView):
    """The end of a run."""

    @extend_schema(request=schemas.FinishIn, responses=schemas.RunOut)
    def post(self, request: Request, pk: UUID) -> Response:
        """Say how the run ended."""
        data = schemas.FinishIn.read(request.data)
        run = services.finish_run(self.run(pk), data["status"], data.get("error", ""), self.caller.token.actor())
        return Response(schemas.RunOut(run).data)

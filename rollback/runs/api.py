"""The agents' API: open, propose, wait, report, finish; and what people read of runs."""

import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.generics import ListAPIView
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from rollback.ownership.models import AgentToken
from rollback.runs import answers, schemas, services
from rollback.runs.batch import FinishedStep, Taken, record_batch
from rollback.runs.models import Run, Step
from rollback.runs.selectors import filtered_runs, runs_of_agent, steps_of, steps_of_agent, visible_runs
from rollback.runs.verdicts import Verdict, run_verdict, step_verdict, verdict_of
from rollback.web.access import found
from rollback.web.authentication import AgentCaller, IsAgent, IsPerson, person_of
from rollback.web.idempotency import UNSAFE, WriteOnceView
from rollback.web.pagination import ByKey
from rollback.web.parsers import BatchJSONParser
from rollback.web.problems import document_of

MAX_WAIT_SECONDS = 25.0
LOOK_EVERY_SECONDS = 0.25
STEPS_SHOWN = 500


class AgentView(WriteOnceView):
    """A call of agents: sees what this agent's token opened, and nothing else."""

    permission_classes = (IsAgent,)

    @property
    def token(self) -> AgentToken:
        """The token of the agent that calls."""
        assert isinstance(self.request.user, AgentCaller)
        return self.request.user.token

    def run(self, pk: UUID) -> Run:
        """A run of this agent. Raises ``NotFound``."""
        return found(runs_of_agent(self.token), pk, "run")

    def step(self, pk: UUID) -> Step:
        """A step of this agent's runs. Raises ``NotFound``."""
        return found(steps_of_agent(self.token), pk, "step")


class RunsView(AgentView, ListAPIView[Run]):
    """Agents open runs; people list them."""

    pagination_class = ByKey
    serializer_class = answers.PersonRunOut

    def get_permissions(self) -> Sequence[BasePermission]:
        """Writing is for agents, reading for people."""
        return [IsAgent() if self.request is not None and self.request.method in UNSAFE else IsPerson()]

    def get_queryset(self) -> QuerySet[Run]:
        """The runs that the person may see, narrowed to what was asked for."""
        asked = self.request.query_params
        rows = visible_runs(person_of(self.request)).order_by("-id")
        return filtered_runs(rows, asked.getlist("status"), asked.get("workflow", ""), asked.get("q", ""))

    @extend_schema(
        operation_id="runs_list",
        parameters=[
            OpenApiParameter("status", {"type": "array", "items": {"enum": answers.RUN_STATES, "type": "string"}}),
            OpenApiParameter("workflow", str, description="A workflow's slug."),
            OpenApiParameter("q", str, description="A text in goal, agent, key or the workflow's name."),
        ],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Runs, newest first."""
        return super().get(request, *args, **kwargs)

    @extend_schema(request=schemas.RunIn, responses={201: answers.RunOut, 200: answers.RunOut})
    def post(self, request: Request) -> Response:
        """Open a run of a workflow's active version; the same ``key`` finds the first one again (200)."""
        data = schemas.RunIn.read(request.data)
        run, new = services.open_run(self.token, schemas.reported_run(data))
        return Response(answers.RunOut(run).data, status=201 if new else 200)


class RunView(WriteOnceView):
    """One run, for people."""

    @extend_schema(
        responses=answers.PersonRunDetailOut,
        parameters=[OpenApiParameter("after", int, description="Show the steps after this number.")],
    )
    def get(self, request: Request, pk: UUID) -> Response:
        """The run with its first 500 steps, or those ``after`` a number."""
        run = found(visible_runs(person_of(request)), pk, "run")
        rows = steps_of(run).filter(number__gt=_number(request.query_params.get("after", "0")))
        steps = list(rows[: STEPS_SHOWN + 1])
        for step in steps:
            step.run = run
        shown = steps[:STEPS_SHOWN]
        more_after = shown[-1].number if len(steps) > STEPS_SHOWN else None
        run_json = answers.PersonRunOut(run).data
        steps_json = [answers.PersonStepOut(step).data for step in shown]
        return Response({**run_json, "input": run.input, "steps": steps_json, "more_after": more_after})


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise ValidationError({"after": ["This must be the number of a step."]})
    return int(text)


class StepsView(AgentView):
    """Proposing steps."""

    @extend_schema(request=schemas.StepIn, responses={201: answers.StepOut})
    def post(self, request: Request, pk: UUID) -> Response:
        """Say what is about to be done, before it is done; the verdict says go, wait or halt.

        A run that does not run any more takes no step: 409 ``run-not-running``, with the verdict halt.
        """
        run = self.run(pk)
        proposed = schemas.reported_step(schemas.StepIn.read(request.data))
        step = services.propose_step(run, proposed, self.token.actor())
        return Response(answers.StepOut(step).data, status=201)


class StepView(AgentView):
    """One step, for the agent that waits on it."""

    @extend_schema(
        parameters=[OpenApiParameter("wait", OpenApiTypes.FLOAT, description="Seconds to wait, at most 25.")],
        responses=answers.StepOut,
    )
    def get(self, request: Request, pk: UUID) -> Response:
        """The step: at once, or with ``wait`` as soon as its verdict is not (or no longer) wait."""
        ends = time.monotonic() + _seconds(request.query_params.get("wait", "0"))
        step = self.step(pk)
        if step_verdict(step) is Verdict.WAIT and time.monotonic() < ends:
            _wait_for_verdict(step, ends)
            step = self.step(pk)
        return Response(answers.StepOut(step).data)


def _seconds(text: str) -> float:
    try:
        wait = float(text)
    except ValueError as error:
        raise ValidationError({"wait": ["This must be a number of seconds."]}) from error
    # NaN compares as neither larger nor smaller: max() then answers its first argument.
    return min(MAX_WAIT_SECONDS, max(0.0, wait))


def _wait_for_verdict(step: Step, ends: float) -> None:
    """Return once ``step`` waits no longer, or at ``ends``. Whoever waits holds no database connection."""
    states = Step.objects.filter(pk=step.pk).values_list("run__state", "state")
    while (left := ends - time.monotonic()) > 0:
        if not connection.in_atomic_block:
            connection.close()
        time.sleep(min(LOOK_EVERY_SECONDS, left))
        if verdict_of(*states.get()) is not Verdict.WAIT:
            return


class ResultView(AgentView):
    """Reporting results."""

    @extend_schema(request=schemas.ResultIn, responses=answers.ResultOut)
    def post(self, request: Request, pk: UUID) -> Response:
        """Say how a step ended; its undo is frozen now, and what does not resolve is told now.

        Taken however late: also when the run has ended, or is being rolled back. The same result again is answered
        as before; another one for a finished step is 409 ``step-finished``. A step that failed counts as having
        changed something only if it reports effects.
        """
        step = self.step(pk)
        result = schemas.reported_result(schemas.ResultIn.read(request.data))
        return Response(answers.ResultOut(services.record_result(step, result, self.token.actor())).data)


class BatchView(AgentView):
    """Back-fill."""

    parser_classes = (BatchJSONParser,)

    @extend_schema(request=schemas.BatchIn, responses=answers.BatchOut)
    def post(self, request: Request, pk: UUID) -> Response:
        """Up to 1,000 finished steps; each is taken or refused by itself, and answered in its place.

        An item may have a ``ref``; ``depends_on`` of later items names it, or the id of any earlier step of the run.
        """
        run = self.run(pk)
        read = [_read_item(item) for item in schemas.BatchIn.read(request.data)["steps"]]
        finished = [item for item in read if isinstance(item, FinishedStep)]
        taken = iter(record_batch(run, finished, self.token.actor()))
        shown = [_item_json(next(taken)) if isinstance(item, FinishedStep) else {"error": item} for item in read]
        return Response({"steps": shown, "verdict": run_verdict(run)})


def _read_item(data: dict[str, Any]) -> FinishedStep | dict[str, Any]:
    try:
        return schemas.finished_step(data)
    except ValidationError as error:
        return document_of(error)


def _item_json(taken: Taken) -> dict[str, Any]:
    if taken.step is None:
        assert taken.refused is not None
        return {"error": document_of(taken.refused)}
    return {"id": str(taken.step.pk), **answers.ResultOut(taken.step).data}


class HeartbeatView(AgentView):
    """Signs of life."""

    @extend_schema(request=None, responses=answers.VerdictOut)
    def post(self, request: Request, pk: UUID) -> Response:
        """Still here; the verdict says whether to go on."""
        return Response({"verdict": run_verdict(services.heartbeat(self.run(pk)))})


class FinishView(AgentView):
    """The end of a run."""

    @extend_schema(request=schemas.FinishIn, responses=answers.RunOut)
    def post(self, request: Request, pk: UUID) -> Response:
        """Say how the run ended. Steps without a result are in doubt from then on."""
        data = schemas.FinishIn.read(request.data)
        run = services.finish_run(self.run(pk), data["status"], data.get("error", ""), self.token.actor())
        return Response(answers.RunOut(run).data)

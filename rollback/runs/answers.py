"""What the API answers about runs and steps: to their agent, and to people (API.md)."""

from typing import Any

from django.conf import settings
from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from rollback.runs.models import Run, Step, UndoState
from rollback.runs.states import RunState, StepState
from rollback.runs.verdicts import Verdict, run_verdict, step_verdict
from rollback.web.schemas import Instant, JSONObject

VERDICTS = [verdict.value for verdict in Verdict]
RUN_STATES = [state.value for state in RunState]
STEP_STATES = [state.value for state in StepState]


class VerdictOut(serializers.Serializer[Any]):
    """What the agent is to do now."""

    verdict = serializers.ChoiceField(VERDICTS)


class RunOut(serializers.Serializer[Run]):
    """A run as its agent sees it."""

    id = serializers.UUIDField()
    workflow = serializers.CharField(source="workflow.slug")
    version = serializers.IntegerField(source="version.number")
    status = serializers.ChoiceField(RUN_STATES, source="state")
    verdict = serializers.SerializerMethodField()

    @extend_schema_field(serializers.ChoiceField(VERDICTS))
    def get_verdict(self, run: Run) -> str:
        """Go on, or halt."""
        return run_verdict(run)


class ApprovalRefOut(serializers.Serializer[Any]):
    """The yes that a step waits for, or waited for."""

    id = serializers.UUIDField()
    url = serializers.SerializerMethodField()
    expires_at = Instant()

    def get_attribute(self, instance: Step) -> Any:
        """The last one that ``instance`` asked for; left out of the answer where none was."""
        asked = sorted(instance.approvals.all(), key=lambda approval: approval.created_at)
        if not asked:
            raise serializers.SkipField
        return asked[-1]

    @extend_schema_field(serializers.URLField())
    def get_url(self, approval: Any) -> str:
        """The page on which a person decides."""
        return f"{settings.PUBLIC_URL}{reverse('approval', args=[approval.pk])}"


class StepOut(serializers.Serializer[Step]):
    """A step as its agent sees it; ``approval`` only where a yes is asked for."""

    id = serializers.UUIDField()
    status = serializers.ChoiceField(STEP_STATES, source="state")
    verdict = serializers.SerializerMethodField()
    approval = ApprovalRefOut(required=False)

    @extend_schema_field(serializers.ChoiceField(VERDICTS))
    def get_verdict(self, step: Step) -> str:
        """Go, wait or halt."""
        return step_verdict(step)


class ProblemOut(serializers.Serializer[Any]):
    """Why an undo did not resolve."""

    pointer = serializers.CharField()
    message = serializers.CharField()


class UndoOut(serializers.Serializer[Step]):
    """What became of a step's undo."""

    state = serializers.ChoiceField(UndoState.choices, source="undo_state")
    problems = ProblemOut(many=True, source="undo_problems")
    expires_at = Instant(allow_null=True, source="undo_expires_at")


class ResultOut(serializers.Serializer[Step]):
    """What a reported result is answered."""

    undo = UndoOut(source="*")
    verdict = serializers.SerializerMethodField()

    @extend_schema_field(serializers.ChoiceField(VERDICTS))
    def get_verdict(self, step: Step) -> str:
        """Whether the run goes on."""
        return run_verdict(step.run)


class BatchItemOut(serializers.Serializer[Any]):
    """What one item of a batch is answered: like a result, or the problem document why it was not taken."""

    id = serializers.UUIDField(required=False)
    undo = UndoOut(required=False)
    verdict = serializers.ChoiceField(VERDICTS, required=False)
    error = JSONObject(required=False)


class BatchOut(serializers.Serializer[Any]):
    """The answers, each in its item's place."""

    steps = BatchItemOut(many=True)
    verdict = serializers.ChoiceField(VERDICTS)


class EffectOut(serializers.Serializer[Any]):
    """An effect as people read it."""

    system = serializers.CharField(source="system.slug")
    kind = serializers.CharField()
    ref = serializers.CharField()
    count = serializers.IntegerField()
    amount = serializers.DecimalField(max_digits=24, decimal_places=6, allow_null=True)
    currency = serializers.CharField()


class PersonStepOut(StepOut):
    """A step as people read it."""

    number = serializers.IntegerField()
    action = serializers.CharField(source="action_key")
    declared = serializers.BooleanField()
    system = serializers.CharField(source="system.slug")
    reversibility = serializers.CharField()
    depends_on = serializers.ListField(child=serializers.CharField(), allow_null=True)
    input = serializers.JSONField()
    output = serializers.JSONField(allow_null=True)
    error = serializers.CharField()
    effects = EffectOut(many=True)
    undo = serializers.JSONField(allow_null=True)
    undo_state = serializers.ChoiceField(UndoState.choices)
    undo_problems = ProblemOut(many=True)
    undo_expires_at = Instant(allow_null=True)
    proposed_at = Instant()
    finished_at = Instant(allow_null=True)


class PersonRunOut(RunOut):
    """A run as people read it in a list."""

    agent = serializers.CharField()
    key = serializers.CharField()
    goal = serializers.CharField()
    error = serializers.CharField()
    parent = serializers.UUIDField(source="parent_id", allow_null=True)  # type: ignore[assignment]
    started_at = Instant()
    ended_at = Instant(allow_null=True)


class PersonRunDetailOut(PersonRunOut):
    """A run with its steps in order; ``more_after`` is the number to ask on from when there are more of them."""

    input = serializers.JSONField()
    steps = PersonStepOut(many=True)
    more_after = serializers.IntegerField(allow_null=True)

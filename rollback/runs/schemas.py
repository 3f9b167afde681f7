"""The bodies of the agents' API, in and out (API.md)."""

from typing import Any

from rest_framework import serializers

from rollback.runs.batch import FinishedStep
from rollback.runs.models import Run, Step
from rollback.runs.reported import ReportedEffect, ReportedResult, ReportedStep
from rollback.runs.selectors import steps_of
from rollback.runs.services import run_verdict, step_verdict
from rollback.web.schemas import Body, JSONObject

STATUSES = ["succeeded", "failed"]
VERDICTS = ["go", "wait", "halt"]


class Resources(serializers.ListField):
    """Names of resources that a step made or built upon."""

    def __init__(self, **options: Any) -> None:
        super().__init__(child=serializers.CharField(max_length=300), max_length=1000, required=False, **options)


class RunIn(Body):
    """Opens a run."""

    workflow = serializers.CharField(max_length=80)
    key = serializers.CharField(max_length=200, required=False, allow_blank=True)
    goal = serializers.CharField(max_length=5000, required=False, allow_blank=True)
    parent = serializers.UUIDField(required=False, allow_null=True)
    input = JSONObject(required=False)


class EffectIn(Body):
    """One thing that a step changed."""

    system = serializers.CharField(max_length=80, required=False, allow_blank=True)
    kind = serializers.CharField(max_length=120)
    ref = serializers.CharField(max_length=300, required=False, allow_blank=True)
    count = serializers.IntegerField(min_value=0, max_value=2**53, required=False)
    amount = serializers.DecimalField(max_digits=24, decimal_places=6, required=False, allow_null=True)
    currency = serializers.RegexField(r"^[A-Z]{3}$", required=False, allow_blank=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Money has a currency."""
        if attrs.get("amount") is not None and not attrs.get("currency"):
            raise serializers.ValidationError({"currency": ["An amount needs a currency (ISO 4217, e.g. EUR)."]})
        return attrs


class StepIn(Body):
    """Proposes a step."""

    action = serializers.CharField(max_length=120)
    input = JSONObject(required=False)
    depends_on = serializers.ListField(
        child=serializers.UUIDField(), max_length=1000, required=False, allow_null=True
    )
    consumes = Resources()
    system = serializers.CharField(max_length=80, required=False, allow_blank=True)
    reversibility = serializers.CharField(max_length=15, required=False, allow_blank=True)
    undo = JSONObject(required=False, allow_null=True)


class ResultIn(Body):
    """Reports how a step ended."""

    status = serializers.ChoiceField(STATUSES)
    output = serializers.JSONField(required=False, allow_null=True)
    error = serializers.CharField(max_length=10_000, required=False, allow_blank=True)
    effects = serializers.ListField(child=EffectIn(), max_length=1000, required=False)
    produces = Resources()
    undo = JSONObject(required=False, allow_null=True)


class BatchItemIn(StepIn, ResultIn):
    """A finished step: what was proposed and how it ended; ``ref`` names it for later items."""

    ref = serializers.CharField(max_length=200, required=False, allow_blank=True)
    depends_on = serializers.ListField(
        child=serializers.CharField(max_length=200), max_length=1000, required=False, allow_null=True
    )


class BatchIn(Body):
    """Up to 1,000 finished steps. Items are checked one by one, so that a bad one does not keep others out."""

    steps = serializers.ListField(child=JSONObject(), min_length=1, max_length=1000)


class FinishIn(Body):
    """Ends a run."""

    status = serializers.ChoiceField(STATUSES)
    error = serializers.CharField(max_length=10_000, required=False, allow_blank=True)


def reported_step(data: dict[str, Any]) -> ReportedStep:
    """Checked data as what the services take."""
    named = data.get("depends_on")
    return ReportedStep(
        action=data["action"],
        input=data.get("input", {}),
        depends_on=None if named is None else [str(one) for one in named],
        consumes=data.get("consumes", ()),
        system=data.get("system", ""),
        reversibility=data.get("reversibility", ""),
        undo=data.get("undo"),
    )


def reported_result(data: dict[str, Any]) -> ReportedResult:
    """Checked data as what the services take."""
    return ReportedResult(
        status=data["status"],
        output=data.get("output"),
        error=data.get("error", ""),
        effects=[ReportedEffect(**effect) for effect in data.get("effects", ())],
        produces=data.get("produces", ()),
        undo=data.get("undo"),
    )


def finished_step(data: dict[str, Any]) -> FinishedStep:
    """One item of a batch, checked. Raises DRF's ``ValidationError``."""
    checked = BatchItemIn.read(data)
    return FinishedStep(reported_step(checked), reported_result(checked), checked.get("ref", ""))


class VerdictOut(serializers.Serializer[Any]):
    """What the agent is to do now."""

    verdict = serializers.ChoiceField(VERDICTS)


class RunOut(serializers.Serializer[Run]):
    """A run as its agent sees it."""

    id = serializers.UUIDField()
    workflow = serializers.CharField(source="workflow.slug")
    version = serializers.IntegerField(source="version.number")
    status = serializers.CharField(source="state")
    verdict = serializers.SerializerMethodField()

    def get_verdict(self, run: Run) -> str:
        """Go on, or halt."""
        return run_verdict(run)


class ApprovalRefOut(serializers.Serializer[Any]):
    """The yes that a step waits for."""

    id = serializers.UUIDField()
    url = serializers.CharField()
    expires_at = serializers.DateTimeField()


class StepOut(serializers.Serializer[Step]):
    """A step as its agent sees it."""

    id = serializers.UUIDField()
    status = serializers.CharField(source="state")
    verdict = serializers.SerializerMethodField()
    approval = ApprovalRefOut(required=False)

    def get_verdict(self, step: Step) -> str:
        """Go, wait or halt."""
        return step_verdict(step)


class UndoOut(serializers.Serializer[Any]):
    """What became of a step's undo."""

    state = serializers.ChoiceField(["resolved", "unresolved", "none"])
    problems = serializers.ListField(child=serializers.DictField())
    expires_at = serializers.DateTimeField(allow_null=True)


class ResultOut(serializers.Serializer[Any]):
    """What a reported result is answered."""

    undo = UndoOut()
    verdict = serializers.ChoiceField(VERDICTS)


class EffectOut(serializers.Serializer[Any]):
    """An effect as people read it."""

    system = serializers.CharField(source="system.slug")
    kind = serializers.CharField()
    ref = serializers.CharField()
    count = serializers.IntegerField()
    amount = serializers.DecimalField(max_digits=24, decimal_places=6, allow_null=True)
    currency = serializers.CharField()


class PersonStepOut(serializers.Serializer[Step]):
    """A step as people read it."""

    id = serializers.UUIDField()
    number = serializers.IntegerField()
    action = serializers.CharField(source="action_key")
    system = serializers.CharField(source="system.slug")
    reversibility = serializers.CharField()
    status = serializers.CharField(source="state")
    depends_on = serializers.ListField(child=serializers.CharField(), allow_null=True)
    input = serializers.JSONField()
    output = serializers.JSONField()
    error = serializers.CharField()
    effects = EffectOut(many=True)
    undo = serializers.JSONField()
    undo_state = serializers.CharField()
    undo_problems = serializers.JSONField()
    undo_expires_at = serializers.DateTimeField(allow_null=True)
    proposed_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


class PersonRunOut(RunOut):
    """A run as people read it in a list."""

    agent = serializers.CharField()
    key = serializers.CharField()
    goal = serializers.CharField()
    error = serializers.CharField()
    started_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)


class PersonRunDetailOut(PersonRunOut):
    """A run with its steps."""

    input = serializers.JSONField()
    steps = serializers.SerializerMethodField()

    def get_steps(self, run: Run) -> list[dict[str, Any]]:
        """Its steps in order."""
        return list(PersonStepOut(steps_of(run), many=True).data)

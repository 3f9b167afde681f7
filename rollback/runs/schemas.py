"""What agents send (API.md), and how it becomes what the services take."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from rollback.catalog.models import Reversibility
from rollback.runs.batch import FinishedStep
from rollback.runs.reported import ReportedEffect, ReportedResult, ReportedRun, ReportedStep
from rollback.web.schemas import Body, BoundedList, JSONObject, Text

STATUSES = ["succeeded", "failed"]


class Resources(BoundedList):
    """Names of resources that a step made or built upon."""

    def __init__(self, **options: Any) -> None:
        super().__init__(child=Text(max_length=300), max_length=1000, required=False, **options)


class RunIn(Body):
    """Opens a run."""

    workflow = Text(max_length=80)
    key = Text(max_length=200, required=False, allow_blank=True)
    goal = Text(max_length=5000, required=False, allow_blank=True)
    # A field of that name hides DRF's own attribute only before it is bound, when that is not used.
    parent = serializers.UUIDField(required=False, allow_null=True)  # type: ignore[assignment]
    input = JSONObject(required=False)


class EffectIn(Body):
    """One thing that a step changed."""

    system = Text(max_length=80, required=False, allow_blank=True)
    kind = Text(max_length=120)
    ref = Text(max_length=300, required=False, allow_blank=True)
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

    action = Text(max_length=120)
    input = JSONObject(required=False)
    depends_on = BoundedList(child=serializers.UUIDField(), max_length=1000, required=False, allow_null=True)
    consumes = Resources()
    system = Text(max_length=80, required=False, allow_blank=True)
    reversibility = serializers.ChoiceField(Reversibility.values, required=False, allow_blank=True)
    undo = JSONObject(required=False, allow_null=True)


class ResultIn(Body):
    """Reports how a step ended."""

    status = serializers.ChoiceField(STATUSES)
    output = serializers.JSONField(required=False, allow_null=True)
    error = Text(max_length=10_000, required=False, allow_blank=True)
    effects = BoundedList(child=EffectIn(), max_length=1000, required=False)
    produces = Resources()
    undo = JSONObject(required=False, allow_null=True)


class BatchItemIn(StepIn, ResultIn):
    """A finished step: what was proposed and how it ended; ``ref`` names it for later items."""

    ref = Text(max_length=200, required=False, allow_blank=True)
    depends_on = BoundedList(child=Text(max_length=200), max_length=1000, required=False, allow_null=True)


@extend_schema_field(BatchItemIn(many=True))
class BatchItems(BoundedList):
    """Items as they came: they are checked one by one, so that a bad one does not keep others out."""


class BatchIn(Body):
    """Up to 1,000 finished steps."""

    steps = BatchItems(child=JSONObject(), min_length=1, max_length=1000)


class FinishIn(Body):
    """Ends a run."""

    status = serializers.ChoiceField(STATUSES)
    error = Text(max_length=10_000, required=False, allow_blank=True)


def reported_run(data: dict[str, Any]) -> ReportedRun:
    """Checked data as what the services take."""
    parent = data.get("parent")
    return ReportedRun(
        workflow=data["workflow"],
        key=data.get("key", ""),
        goal=data.get("goal", ""),
        parent=None if parent is None else str(parent),
        input=data.get("input", {}),
    )


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

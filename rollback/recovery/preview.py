"""What a rollback would do, before anybody says yes to it. Reads only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone

from rollback.errors import Invalid
from rollback.ownership.models import User
from rollback.recovery.plan import Plan, PlannedStep, Treatment, make_plan
from rollback.recovery.taken import parse_scope, taken_steps
from rollback.runs.models import Effect, Run, Step


@dataclass(frozen=True)
class PreviewItem:
    """One step of the plan with what a person needs to know before they agree.

    ``sends`` is the frozen request, with references to secrets in place of secrets; ``answerable`` is who
    gets it when software cannot finish it; ``after`` are the numbers of the steps that are undone first.
    """

    step: Step
    treatment: Treatment
    in_doubt: bool
    after: tuple[int, ...]
    wave: int
    answerable: User | None

    @property
    def sends(self) -> dict[str, Any] | None:
        """The compensation that will be carried out, or None."""
        return self.step.undo["compensation"] if self.treatment is Treatment.UNDO and self.step.undo else None


@dataclass(frozen=True)
class Reach:
    """A blast radius: how far the effects of some steps go, as counts."""

    systems: int
    effects: int
    records: int
    money: dict[str, str]


@dataclass(frozen=True)
class Preview:
    """A plan as a person sees it; ``hash`` is what they agree to."""

    run: Run
    scope: dict[str, Any]
    items: tuple[PreviewItem, ...]
    hash: str
    made_at: datetime
    reach: Reach
    reach_after: Reach

    def group(self, treatment: Treatment) -> list[PreviewItem]:
        """The items that are treated alike, in undo order."""
        return [item for item in self.items if item.treatment is treatment]

    @property
    def will_be_undone(self) -> list[PreviewItem]:
        """By software, in undo order."""
        return self.group(Treatment.UNDO)

    @property
    def by_hand(self) -> list[PreviewItem]:
        """By their owner, with a runbook where there is one."""
        return self.group(Treatment.BY_HAND)

    @property
    def cannot_be_undone(self) -> list[PreviewItem]:
        """Irreversible, or too late."""
        return self.group(Treatment.NOT_POSSIBLE)

    @property
    def already_undone(self) -> list[PreviewItem]:
        """By an earlier rollback."""
        return self.group(Treatment.ALREADY_UNDONE)

    @property
    def in_doubt(self) -> list[PreviewItem]:
        """Whether they happened is not known; they are undone too."""
        return [item for item in self.items if item.in_doubt]

    @property
    def has_work(self) -> bool:
        """Whether there is anything to carry out."""
        return bool(self.will_be_undone or self.by_hand)


def plan_of(run: Run, scope: dict[str, Any], now: datetime) -> Plan:
    """The plan for ``run`` in ``scope`` as of ``now``. Raises ``Invalid`` for a scope that makes no sense."""
    try:
        return make_plan(taken_steps(run, now), parse_scope(scope, run))
    except ValueError as error:
        raise Invalid(str(error), "invalid-scope") from error


def preview(run: Run, scope: dict[str, Any]) -> Preview:
    """What a rollback of ``run`` in ``scope`` (as in API.md) would do now. Carries out nothing."""
    now = timezone.now()
    plan = plan_of(run, scope, now)
    related = ("system__owner", "system__backup", "action__runbook", "run__workflow__owner", "run__workflow__backup")
    steps = {step.id: step for step in run.steps.select_related(*related).prefetch_related("effects")}
    waves = _waves(plan)
    items = tuple(_item(planned, steps, waves) for planned in plan.steps)
    remaining = [item.step for item in items if item.treatment is Treatment.NOT_POSSIBLE]
    touched = [item.step for item in items if item.treatment is not Treatment.ALREADY_UNDONE]
    return Preview(run, scope, items, plan.hash, now, reach(touched), reach(remaining))


def _item(planned: PlannedStep, steps: dict[UUID, Step], waves: dict[UUID, int]) -> PreviewItem:
    step = steps[planned.step]
    after = tuple(sorted(steps[first].number for first in planned.after))
    answerable = step.system.answerable or step.run.workflow.answerable
    return PreviewItem(step, planned.treatment, planned.in_doubt, after, waves[planned.step], answerable)


def _waves(plan: Plan) -> dict[UUID, int]:
    """How many steps deep each one lies in the undo order: those of one wave may run at the same time."""
    waves: dict[UUID, int] = {}
    for planned in plan.steps:
        waves[planned.step] = 1 + max((waves[first] for first in planned.after), default=0)
    return waves


def reach(steps: Sequence[Step]) -> Reach:
    """How far the effects of ``steps`` (with their effects loaded) go. A record touched twice counts once."""
    effects: list[Effect] = [effect for step in steps for effect in step.effects.all()]
    named = {(e.system_id, e.kind, e.ref) for e in effects if e.ref}
    unnamed = sum(e.count for e in effects if not e.ref)
    money: dict[str, Any] = {}
    for effect in effects:
        if effect.amount is not None:
            money[effect.currency] = money.get(effect.currency, 0) + effect.amount
    systems = {step.system_id for step in steps} | {effect.system_id for effect in effects}
    return Reach(len(systems), len(effects), len(named) + unnamed, {c: f"{m:f}" for c, m in sorted(money.items())})

"""One of everything that has a state, for tests of what all of them have in common."""

from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum
from typing import Any

from django.db.models import Model
from django.utils import timezone

from incidents.models import Incident
from rollback.models import Approval, Compensation, Rollback, Run, Step
from tests.factories import make_system, make_workflow


def make_run() -> Run:
    """A run of a workflow of its own."""
    workflow = make_workflow()
    assert workflow.active is not None
    return Run.objects.create(workflow=workflow, version=workflow.active, agent="agent")


def make_step() -> Step:
    """A step that was only proposed."""
    return Step.objects.create(
        run=make_run(), number=1, action_key="thing.make", system=make_system(), reversibility="reversible"
    )


def make_approval() -> Approval:
    """A request about a step."""
    step = make_step()
    soon = timezone.now() + timedelta(hours=1)
    return Approval.objects.create(
        kind="step", run=step.run, step=step, subject=step.pk, shown={}, shown_hash="", rule="always", expires_at=soon
    )


def make_rollback() -> Rollback:
    """A rollback without compensations."""
    return Rollback.objects.create(run=make_run(), scope={}, plan_hash="", reason="It went wrong.", on_failure="hold")


def make_compensation() -> Compensation:
    """The undo of a step in a rollback."""
    step = make_step()
    rollback = Rollback.objects.create(run=step.run, scope={}, plan_hash="", reason="Why", on_failure="hold")
    return Compensation.objects.create(rollback=rollback, step=step, system=step.system, position=1, key=str(step.pk))


def make_incident() -> Incident:
    """An incident without runs."""
    return Incident.objects.create(number=1, title="It broke", cause="cause")


THINGS: dict[str, Callable[[], Any]] = {
    "run": make_run,
    "step": make_step,
    "approval": make_approval,
    "rollback": make_rollback,
    "compensation": make_compensation,
    "incident": make_incident,
}


def put(thing: Model, state: StrEnum) -> None:
    """Let ``thing`` stand in ``state`` without a history."""
    type(thing)._base_manager.filter(pk=thing.pk).update(state=state)
    thing.refresh_from_db()


def stored(thing: Model) -> dict[str, Any]:
    """The row of ``thing`` as it is in the database."""
    return type(thing)._base_manager.filter(pk=thing.pk).values().get()

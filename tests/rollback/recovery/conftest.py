"""A run whose steps left things in a real outside system, and an engine to take it back."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from rollback.catalog.models import Action, System, Workflow, WorkflowVersion
from rollback.ownership.models import Role, User
from rollback.recovery import lifeline, sweeper
from rollback.recovery.coordinator import Coordinator
from rollback.recovery.models import Compensation, Rollback
from rollback.recovery.preview import preview
from rollback.recovery.services import start_rollback
from rollback.runs.models import Effect, Run, Step, UndoState
from rollback.runs.states import RunState, StepState
from tests.rollback.recovery.outside import Outside, outside_world

ALL = {"kind": "all", "cascade": False}


def undo_of(path: str, **parts: Any) -> dict[str, Any]:
    """The frozen undo of a step that made the thing at ``path``: remove it."""
    compensation: dict[str, Any] = {
        "executor": "http",
        "request": {"method": "DELETE", "path": path, "headers": {}, "query": {}, "body": None},
        "succeeds_when": None,
        "timeout": 5.0,
        "retry": {"attempts": 3, "first": 0.01, "factor": 1.0, "max": 0.05},
    }
    whole: dict[str, Any] = {"compensation": compensation, "drift_check": None, "verification": None, "rehearsal": None}
    for name, value in parts.items():
        (whole if name in whole else compensation)[name] = value
    return whole


def gone(path: str, within: float = 2.0) -> dict[str, Any]:
    """A verification that the thing at ``path`` is gone."""
    return {"request": {"method": "GET", "path": path}, "expect": "response.status == 404", "within": within}


@dataclass
class Scene:
    """A workflow, its people, an outside system, and one run in it."""

    outside: Outside
    lead: User
    owner: User
    system: System
    version: WorkflowVersion
    run: Run
    steps: list[Step] = field(default_factory=list)

    def did(self, after: list[int] | None = None, undo: Any = "delete", **fields: Any) -> Step:
        """The run took one more step that made a thing outside; ``after`` are numbers of the steps it built on."""
        number = len(self.steps) + 1
        path = f"/things/{number}"
        self.outside.things.add(path)
        values: dict[str, Any] = {
            "run": self.run,
            "number": number,
            "action_key": f"thing.make_{number}",
            "system": self.system,
            "reversibility": "reversible",
            "depends_on": None if after is None else [str(self.steps[n - 1].pk) for n in after],
            "state": StepState.SUCCEEDED,
            "finished_at": timezone.now() + timedelta(milliseconds=number),
            "undo": undo_of(path) if undo == "delete" else undo,
            "undo_state": UndoState.RESOLVED if undo else UndoState.UNRESOLVED,
        }
        step = Step.objects.create(**{**values, **fields})
        Run.objects.filter(pk=self.run.pk).update(steps_taken=number)
        Effect.objects.create(step=step, run=self.run, system=self.system, kind="thing", ref=path)
        self.steps.append(step)
        return step

    def start(self, person: User | None = None, scope: dict[str, Any] | None = None) -> Rollback:
        """Preview and start the rollback of the run."""
        shown = preview(self.run, scope or ALL)
        return start_rollback(self.run, scope or ALL, "It went wrong.", shown.hash, person or self.lead)

    def compensation(self, number: int) -> Compensation:
        """The compensation of the step with ``number``, fresh from the database."""
        return Compensation.objects.select_related("rollback").get(step=self.steps[number - 1])

    def states(self) -> list[str]:
        """The states of all compensations, by step number."""
        rows = Compensation.objects.filter(step__run=self.run).order_by("step__number")
        return list(rows.values_list("state", flat=True))


@pytest.fixture
def outside() -> Iterator[Outside]:
    """A real outside system."""
    with outside_world() as world:
        yield world


@pytest.fixture
def scene(db: None, outside: Outside) -> Scene:
    """A failed run without steps, ready to be given some."""
    owner = User.objects.create_user("owner@example.org", name="Olu Owner", role=Role.OWNER)
    lead = User.objects.create_user("lead@example.org", name="Lea Lead", role=Role.LEAD)
    system = System.objects.create(
        slug="things", name="Things", owner=owner, base_url=outside.url, allow_http=True, allow_private=True
    )
    workflow = Workflow.objects.create(slug="make-things", name="Make things", owner=owner)
    version = WorkflowVersion.objects.create(
        workflow=workflow, number=1, document={}, source="", checksum="", on_compensation_failure="hold"
    )
    Action.objects.create(version=version, key="thing.make", position=1, system=system, reversibility="reversible")
    run = Run.objects.create(workflow=workflow, version=version, agent="maker", state=RunState.FAILED)
    return Scene(outside, lead, owner, system, version, run)


@pytest.fixture
def engine() -> Iterator[Callable[..., Rollback]]:
    """Works on a rollback as a worker would, sweeping between its stays, until nothing moves any more."""
    pool = ThreadPoolExecutor(16)

    def work(rollback: Rollback, stays: int = 20) -> Rollback:
        for _ in range(stays):
            Coordinator(rollback.pk, pool, lanes=8, slice_seconds=10).run()
            rollback.refresh_from_db()
            waiting = rollback.compensations.filter(state="retry_wait").exists()
            if rollback.state != "running" or not (waiting or rollback.pk in sweeper.stalled(timezone.now())):
                break
            sweeper.sweep()
        return rollback

    yield work
    pool.shutdown()


@pytest.fixture(autouse=True)
def _no_lifeline_is_left() -> Iterator[None]:
    """Its session would keep the test's database from being removed."""
    yield
    lifeline.let_go()

"""Whatever the plan, and in whatever order calls end, fail or lose their worker: properties of claim and settle."""

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rollback.audit.verify import broken_links
from rollback.recovery import leases, store
from rollback.recovery.claims import Claim
from rollback.recovery.executors.contract import Outcome, Result
from rollback.recovery.models import Compensation, CompensationOrder, Rollback
from rollback.recovery.states import SETTLED
from rollback.runs.models import Step
from tests.rollback.recovery.conftest import Scene

SUCCEEDED = Outcome(Result.SUCCEEDED, "HTTP 204", 204)
OUTCOMES = [SUCCEEDED, SUCCEEDED, Outcome(Result.TRANSIENT, "HTTP 503", 503), Outcome(Result.UNDER_WAY, "wait")]
EVENTS = ["claim", "claim", "settle", "settle", "settle", "lose", "wake", "late"]

# For each step: what it was built on (numbers before it; None: it did not say), and whether it can be undone.
Shape = list[tuple[list[int] | None, bool]]


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    """A run of up to seven steps."""
    steps: Shape = []
    for number in range(draw(st.integers(1, 7))):
        before = st.lists(st.integers(1, number), unique=True, max_size=3) if number else st.just([])
        steps.append((draw(st.none() | before), draw(st.integers(0, 5)) > 0))
    return steps


@dataclass
class Course:
    """One rollback, driven event by event by the numbers that are drawn."""

    rollback: Rollback
    held: list[Claim] = field(default_factory=list)
    stale: list[Claim] = field(default_factory=list)  # their lease was lost
    recorded: Counter[UUID] = field(default_factory=Counter)

    def play(self, event: str, number: int) -> None:
        """Let one thing happen."""
        if event == "claim":
            self._take(store.claim(self.rollback.pk, 1 + number % 3).claims)
        elif event == "settle" and self.held:
            self._settle(self.held.pop(number % len(self.held)), OUTCOMES[number % len(OUTCOMES)], number % 2)
        elif event == "lose" and self.held:
            lost = self.held.pop(number % len(self.held))
            Compensation.objects.filter(pk=lost.compensation).update(leased_until=timezone.now() - dt.timedelta(1))
            leases.take_back(timezone.now())
            self.stale.append(lost)
        elif event == "late" and self.stale:
            late = self.stale.pop(number % len(self.stale))
            assert store.settle([(late, SUCCEEDED)])[1] == [late]
        elif event == "wake":
            self.wake()

    def wake(self) -> None:
        """What waits for its next try is due."""
        leases.wake_due_retries(timezone.now() + dt.timedelta(days=1))

    def finish(self) -> None:
        """From here on everything works."""
        for _ in range(60):
            self.wake()
            self._take(store.claim(self.rollback.pk, 3).claims)
            while self.held:
                self._settle(self.held.pop(), SUCCEEDED, 1)
            store.conclude(self.rollback.pk)
            self.rollback.refresh_from_db()
            if self.rollback.state != "running":
                return

    def _settle(self, claimed: Claim, outcome: Outcome, want: int) -> None:
        taken, lost = store.settle([(claimed, outcome)], want)
        assert lost == []
        if outcome.result is Result.SUCCEEDED:
            self.recorded[claimed.compensation] += 1
        self._take(taken.claims)

    def _take(self, claims: list[Claim]) -> None:
        """Nothing is begun before all that must be undone first is settled."""
        for claimed in claims:
            first = CompensationOrder.objects.filter(then=claimed.compensation).values_list("first__state", flat=True)
            assert set(first) <= SETTLED
        self.held += claims


@contextmanager
def undone_afterwards() -> Iterator[None]:
    """Each example begins with the same database."""
    point = transaction.savepoint()
    try:
        yield
    finally:
        transaction.savepoint_rollback(point)


def begin(scene: Scene, shape: Shape) -> Rollback | None:
    """A run of this shape and its rollback; None when nothing of it can be undone."""
    scene.steps = []
    for after, undoable in shape:
        fields = {} if undoable else {"reversibility": "irreversible", "undo": None}
        scene.did(after=after, **fields)
    Step.objects.filter(run=scene.run).update(undo_expires_at=None)
    return scene.start() if any(undoable for _, undoable in shape) else None


@pytest.mark.django_db
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(shape=shapes(), events=st.lists(st.tuples(st.sampled_from(EVENTS), st.integers(0, 11)), max_size=25))
def test_all_ends_in_order_and_is_recorded_once(scene: Scene, shape: Shape, events: list[tuple[str, int]]) -> None:
    with undone_afterwards():
        rollback = begin(scene, shape)
        if rollback is None:
            return
        Compensation.objects.filter(rollback=rollback).update(attempts_allowed=100)
        course = Course(rollback)
        for event, number in events:
            course.play(event, number)
        course.finish()

        undoable = [undoable for _, undoable in shape]
        assert rollback.state == ("completed" if all(undoable) else "partial")
        expected = ["compensated" if can else "not_possible" for can in undoable]
        assert scene.states() == expected
        assert sorted(course.recorded.values()) == [1] * sum(undoable)
        assert list(broken_links()) == []

"""From what a run did to what undoing it takes, in which order.

A function of its inputs alone: no clock, no database. Three rules make the order:

1. What built on a step is undone before the step (the reverse of ``depends_on``).
2. A step that did not say what it builds on counts as built on everything that was done before it.
3. What is not undone itself (irreversible, undone before, nothing done) passes the order on: what had to
   be undone before it has to be undone before what it was built on.
"""

import hashlib
import heapq
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID


class Treatment(StrEnum):
    """What the plan does about one step."""

    UNDO = "undo"  # by software
    BY_HAND = "by_hand"  # by its owner: software has nothing to execute
    NOT_POSSIBLE = "not_possible"  # irreversible, or its undo window has passed
    ALREADY_UNDONE = "already_undone"  # by an earlier rollback
    NOTHING = "nothing"  # it had no effect


@dataclass(frozen=True)
class TakenStep:
    """What the plan needs to know of one step of a run.

    ``depends_on`` is None where the agent did not say; ``finished`` orders the steps by when they ended
    (None: no result, so possibly last); ``undo_hash`` stands for the frozen undo.
    """

    id: UUID
    number: int
    treatment: Treatment
    depends_on: frozenset[UUID] | None = None
    finished: float | None = None
    in_doubt: bool = False
    undo_hash: str = ""


@dataclass(frozen=True)
class PlannedStep:
    """One step in the plan; ``after`` are the steps whose undo must be settled before this one's starts."""

    step: UUID
    treatment: Treatment
    in_doubt: bool
    after: frozenset[UUID]
    undo_hash: str = field(repr=False)


@dataclass(frozen=True)
class Plan:
    """The steps in scope that had an effect, in undo order (any order that respects ``after`` is right too)."""

    steps: tuple[PlannedStep, ...]

    @property
    def hash(self) -> str:
        """SHA-256 (hex) over everything that a person agreed to when they were shown this plan."""
        facts = [
            [str(s.step), s.treatment, s.in_doubt, sorted(map(str, s.after)), s.undo_hash]
            for s in sorted(self.steps, key=lambda s: s.step)
        ]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()

    @property
    def to_do(self) -> tuple[PlannedStep, ...]:
        """The steps that software or a person will undo."""
        return tuple(s for s in self.steps if s.treatment in _CARRIED_OUT)


_CARRIED_OUT = frozenset({Treatment.UNDO, Treatment.BY_HAND})


@dataclass(frozen=True)
class Scope:
    """Which steps to take back: all, those done after ``back_to``, or chosen ones with what built on them."""

    back_to: UUID | None = None
    steps: frozenset[UUID] | None = None


def make_plan(taken: Sequence[TakenStep], scope: Scope | None = None) -> Plan:
    """The plan that undoes ``taken`` within ``scope`` (default: all of it).

    Raises ``ValueError`` when ``depends_on`` has a cycle, or the scope names a step that is not there.
    """
    scope = scope or Scope()
    order = _order_done(taken)
    builds_on = _builds_on(order)
    built_upon_by = _reverse(builds_on)
    chosen = _chosen(order, built_upon_by, scope)
    waits = _waits(order, built_upon_by, chosen)
    planned = [
        PlannedStep(step.id, step.treatment, step.in_doubt, waits[step.id], step.undo_hash)
        for step in reversed(order)
        if step.id in chosen and step.treatment is not Treatment.NOTHING
    ]
    return Plan(tuple(planned))


def _order_done(taken: Sequence[TakenStep]) -> list[TakenStep]:
    """The order in which the steps were done: by when they ended, but never before what they build on."""
    known = {step.id: step for step in taken}
    open_needs = {step.id: len(_known(step.depends_on, known)) for step in taken}
    needed_by = _reverse({step.id: _known(step.depends_on, known) for step in taken})
    ready = [_moment(step) for step in taken if not open_needs[step.id]]
    heapq.heapify(ready)
    order: list[TakenStep] = []
    while ready:
        step = known[heapq.heappop(ready)[-1]]
        order.append(step)
        for later in needed_by.get(step.id, ()):
            open_needs[later] -= 1
            if not open_needs[later]:
                heapq.heappush(ready, _moment(known[later]))
    if len(order) < len(known):
        raise ValueError("depends_on has a cycle")
    return order


def _moment(step: TakenStep) -> tuple[float, int, UUID]:
    return (float("inf") if step.finished is None else step.finished, step.number, step.id)


def _known(ids: Collection[UUID] | None, known: Mapping[UUID, object]) -> frozenset[UUID]:
    return frozenset(i for i in ids or () if i in known)


def _builds_on(order: Sequence[TakenStep]) -> dict[UUID, frozenset[UUID]]:
    """What each step builds on. One that did not say builds on all before it: the ends of all lines are enough."""
    known = {step.id: step for step in order}
    ends: set[UUID] = set()
    result: dict[UUID, frozenset[UUID]] = {}
    for step in order:
        needs = frozenset(ends) if step.depends_on is None else _known(step.depends_on, known)
        result[step.id] = needs
        ends -= needs
        ends.add(step.id)
    return result


def _reverse(edges: Mapping[UUID, Iterable[UUID]]) -> dict[UUID, set[UUID]]:
    result: dict[UUID, set[UUID]] = {}
    for source, targets in edges.items():
        for target in targets:
            result.setdefault(target, set()).add(source)
    return result


def _chosen(order: Sequence[TakenStep], built_upon_by: Mapping[UUID, set[UUID]], scope: Scope) -> set[UUID]:
    """The steps in scope. Undoing a step takes undoing what built on it, so that comes along."""
    ids = [step.id for step in order]
    named = set(scope.steps or ()) | ({scope.back_to} if scope.back_to else set())
    if missing := named - set(ids):
        raise ValueError(f"no such step in this run: {', '.join(sorted(map(str, missing)))}")
    if scope.back_to is not None:
        return set(ids[ids.index(scope.back_to) + 1 :])
    if scope.steps is None:
        return set(ids)
    chosen, queue = set(scope.steps), list(scope.steps)
    while queue:
        for later in built_upon_by.get(queue.pop(), ()):
            if later not in chosen:
                chosen.add(later)
                queue.append(later)
    return chosen


def _waits(
    order: Sequence[TakenStep], built_upon_by: Mapping[UUID, set[UUID]], chosen: set[UUID]
) -> dict[UUID, frozenset[UUID]]:
    """Per step, the carried-out steps that must be settled first; the others pass on what they wait for."""
    carried_out = {step.id for step in order if step.id in chosen and step.treatment in _CARRIED_OUT}
    waits: dict[UUID, frozenset[UUID]] = {}
    for step in reversed(order):
        first: set[UUID] = set()
        for later in built_upon_by.get(step.id, ()):
            first |= {later} if later in carried_out else waits[later]
        waits[step.id] = frozenset(first)
    return waits

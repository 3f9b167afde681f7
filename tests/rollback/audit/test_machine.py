"""Every transition table of the product, walked as a whole."""

from enum import StrEnum

import pytest

from incidents.response.states import INCIDENT
from rollback.approvals.states import APPROVAL
from rollback.audit.machine import Machine
from rollback.recovery.states import COMPENSATION, IN_FLIGHT, ROLLBACK, SETTLED
from rollback.runs.states import RUN, STEP

MACHINES = [RUN, STEP, APPROVAL, ROLLBACK, COMPENSATION, INCIDENT]


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_every_state_can_be_reached_from_the_start(machine: Machine) -> None:
    reached: set[StrEnum] = set()
    queue = [machine.start]
    while queue:
        state = queue.pop()
        if state not in reached:
            reached.add(state)
            queue += machine.targets_of(state)

    assert reached == set(machine.states)


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_an_end_can_be_reached_from_every_state(machine: Machine) -> None:
    def reaches_an_end(state: StrEnum, seen: frozenset[StrEnum]) -> bool:
        if machine.is_final(state):
            return True
        return any(reaches_an_end(s, seen | {state}) for s in machine.targets_of(state) - seen - {state})

    # A run, a step of a run and an incident may be taken up again; what they need is a way on, not an end.
    if machine in (RUN, INCIDENT):
        assert all(machine.targets_of(state) for state in machine.states)
    else:
        assert all(reaches_an_end(state, frozenset()) for state in machine.states)


def test_settled_compensations_are_the_ones_that_nothing_leads_out_of() -> None:
    assert {state for state in COMPENSATION.states if COMPENSATION.is_final(state)} == SETTLED


def test_a_lease_is_held_in_no_settled_state() -> None:
    assert not IN_FLIGHT & SETTLED


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_the_diagram_shows_every_move(machine: Machine) -> None:
    diagram = machine.mermaid()

    for action, move in machine.moves.items():
        for source in move.sources:
            assert f"{source} --> {move.target}: {action}" in diagram

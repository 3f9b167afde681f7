"""What an agent is to do now: computed from where its run and its step stand, never stored."""

from enum import StrEnum

from rollback.runs.models import Run, Step
from rollback.runs.states import RunState, StepState


class Verdict(StrEnum):
    """What an agent is to do now."""

    GO = "go"
    WAIT = "wait"
    HALT = "halt"


_STEP_VERDICTS = {
    StepState.PROPOSED: Verdict.WAIT,
    StepState.AWAITING_APPROVAL: Verdict.WAIT,
    StepState.REFUSED: Verdict.HALT,
    StepState.EXPIRED: Verdict.HALT,
}


def verdict_of(run_state: str, step_state: str) -> Verdict:
    """The verdict on a step in ``step_state`` of a run in ``run_state``: a run that does not run halts them all."""
    if run_state != RunState.RUNNING:
        return Verdict.HALT
    return _STEP_VERDICTS.get(StepState(step_state), Verdict.GO)


def run_verdict(run: Run) -> Verdict:
    """Go on as long as the run is running."""
    return Verdict.GO if run.state == RunState.RUNNING else Verdict.HALT


def step_verdict(step: Step) -> Verdict:
    """What the agent is to do about ``step`` (with its run)."""
    return verdict_of(step.run.state, step.state)

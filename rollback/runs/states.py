"""The state machines of runs and steps: what may follow what."""

from enum import StrEnum

from rollback.audit.machine import Machine, move_from


class RunState(StrEnum):
    """Where a run stands."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    HALTED = "halted"
    LOST = "lost"
    ROLLING_BACK = "rolling_back"
    ROLLED_BACK = "rolled_back"
    PARTLY_ROLLED_BACK = "partly_rolled_back"


_R = RunState
_BEFORE_ROLLBACK = (_R.RUNNING, _R.SUCCEEDED, _R.FAILED, _R.HALTED, _R.LOST)

RUN = Machine(
    "run",
    _R.RUNNING,
    {
        "succeed": move_from(_R.RUNNING, to=_R.SUCCEEDED),
        "fail": move_from(_R.RUNNING, to=_R.FAILED),
        "halt": move_from(_R.RUNNING, to=_R.HALTED),
        "lose": move_from(_R.RUNNING, to=_R.LOST),
        # A second rollback of the same run takes back what the first left.
        "begin_rollback": move_from(*_BEFORE_ROLLBACK, _R.ROLLED_BACK, _R.PARTLY_ROLLED_BACK, to=_R.ROLLING_BACK),
        "end_rolled_back": move_from(_R.ROLLING_BACK, to=_R.ROLLED_BACK),
        "end_partly_rolled_back": move_from(_R.ROLLING_BACK, to=_R.PARTLY_ROLLED_BACK),
    },
)


class StepState(StrEnum):
    """Where a step stands."""

    PROPOSED = "proposed"
    AWAITING_APPROVAL = "awaiting_approval"
    CLEARED = "cleared"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    IN_DOUBT = "in_doubt"
    REFUSED = "refused"
    EXPIRED = "expired"


_S = StepState

STEP = Machine(
    "step",
    _S.PROPOSED,
    {
        "clear": move_from(_S.PROPOSED, _S.AWAITING_APPROVAL, to=_S.CLEARED),
        "await_approval": move_from(_S.PROPOSED, to=_S.AWAITING_APPROVAL),
        "refuse": move_from(_S.AWAITING_APPROVAL, to=_S.REFUSED),
        "expire": move_from(_S.AWAITING_APPROVAL, to=_S.EXPIRED),
        "succeed": move_from(_S.CLEARED, _S.IN_DOUBT, to=_S.SUCCEEDED),
        "fail": move_from(_S.CLEARED, _S.IN_DOUBT, to=_S.FAILED),
        "doubt": move_from(_S.CLEARED, to=_S.IN_DOUBT),
    },
)

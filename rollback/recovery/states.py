"""The state machines of rollbacks and compensations."""

from enum import StrEnum

from rollback.audit.machine import Machine, move_from


class RollbackState(StrEnum):
    """Where a rollback stands."""

    DRAFT = "draft"
    AWAITING_APPROVAL = "awaiting_approval"
    RUNNING = "running"
    PAUSED = "paused"
    NEEDS_ATTENTION = "needs_attention"
    COMPLETED = "completed"
    PARTIAL = "partial"
    CANCELLED = "cancelled"


_R = RollbackState

LIVE = frozenset({_R.DRAFT, _R.AWAITING_APPROVAL, _R.RUNNING, _R.PAUSED, _R.NEEDS_ATTENTION})
"""It has not ended: one at a time per run."""

ROLLBACK = Machine(
    "rollback",
    _R.DRAFT,
    {
        "ask": move_from(_R.DRAFT, to=_R.AWAITING_APPROVAL),
        "start": move_from(_R.DRAFT, _R.AWAITING_APPROVAL, to=_R.RUNNING),
        "pause": move_from(_R.RUNNING, to=_R.PAUSED),
        "resume": move_from(_R.PAUSED, to=_R.RUNNING),
        "need_attention": move_from(_R.RUNNING, to=_R.NEEDS_ATTENTION),
        "attend": move_from(_R.NEEDS_ATTENTION, to=_R.RUNNING),
        "complete": move_from(_R.RUNNING, to=_R.COMPLETED),
        "end_partial": move_from(_R.RUNNING, to=_R.PARTIAL),
        "cancel": move_from(_R.DRAFT, _R.AWAITING_APPROVAL, _R.PAUSED, to=_R.CANCELLED),
    },
)


class CompensationState(StrEnum):
    """Where the undo of one step stands."""

    BLOCKED = "blocked"
    READY = "ready"
    CHECKING = "checking"
    EXECUTING = "executing"
    VERIFYING = "verifying"
    RETRY_WAIT = "retry_wait"
    HANDED_OVER = "handed_over"
    COMPENSATED = "compensated"
    DONE_BY_HAND = "done_by_hand"
    WAIVED = "waived"
    NOT_POSSIBLE = "not_possible"


_C = CompensationState

IN_FLIGHT = frozenset({_C.CHECKING, _C.EXECUTING, _C.VERIFYING})
"""A worker holds a lease on it."""

SETTLED = frozenset({_C.COMPENSATED, _C.DONE_BY_HAND, _C.WAIVED, _C.NOT_POSSIBLE})
"""Nothing more happens to it; what waited on it may start."""

COMPENSATION = Machine(
    "compensation",
    _C.BLOCKED,
    {
        "unblock": move_from(_C.BLOCKED, to=_C.READY),
        # A result came late: what it was built on waits for it.
        "block": move_from(_C.READY, to=_C.BLOCKED),
        "check": move_from(_C.READY, to=_C.CHECKING),
        "execute": move_from(_C.READY, _C.CHECKING, to=_C.EXECUTING),
        # From ready: the call was recorded as done before its worker was lost, so only the look is repeated.
        "verify": move_from(_C.READY, _C.EXECUTING, to=_C.VERIFYING),
        "compensate": move_from(_C.EXECUTING, _C.VERIFYING, to=_C.COMPENSATED),
        "retry": move_from(_C.CHECKING, _C.EXECUTING, _C.VERIFYING, to=_C.RETRY_WAIT),
        "wake": move_from(_C.RETRY_WAIT, to=_C.READY),
        "hand_over": move_from(
            _C.BLOCKED, _C.READY, _C.CHECKING, _C.EXECUTING, _C.VERIFYING, _C.RETRY_WAIT, to=_C.HANDED_OVER
        ),
        "try_again": move_from(_C.HANDED_OVER, to=_C.READY),
        "finish_by_hand": move_from(_C.HANDED_OVER, to=_C.DONE_BY_HAND),
        "waive": move_from(_C.HANDED_OVER, to=_C.WAIVED),
        "give_up": move_from(_C.BLOCKED, _C.READY, _C.HANDED_OVER, to=_C.NOT_POSSIBLE),
    },
)

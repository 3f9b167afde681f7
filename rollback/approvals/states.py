"""The state machine of approvals."""

from enum import StrEnum

from rollback.audit.machine import Machine, move_from


class ApprovalState(StrEnum):
    """Where a request for a yes stands."""

    PENDING = "pending"
    APPROVED = "approved"
    REFUSED = "refused"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


_A = ApprovalState

APPROVAL = Machine(
    "approval",
    _A.PENDING,
    {
        "approve": move_from(_A.PENDING, to=_A.APPROVED),
        "refuse": move_from(_A.PENDING, to=_A.REFUSED),
        "expire": move_from(_A.PENDING, to=_A.EXPIRED),
        "withdraw": move_from(_A.PENDING, to=_A.WITHDRAWN),
    },
)

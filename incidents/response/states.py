"""The state machine of incidents."""

from enum import StrEnum

from rollback.audit.machine import Machine, move_from


class IncidentState(StrEnum):
    """Where an incident stands."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    MITIGATING = "mitigating"
    RECOVERED = "recovered"
    REVIEWED = "reviewed"
    CLOSED = "closed"


_I = IncidentState

INCIDENT = Machine(
    "incident",
    _I.OPEN,
    {
        "acknowledge": move_from(_I.OPEN, to=_I.ACKNOWLEDGED),
        "mitigate": move_from(_I.OPEN, _I.ACKNOWLEDGED, to=_I.MITIGATING),
        "recover": move_from(_I.OPEN, _I.ACKNOWLEDGED, _I.MITIGATING, to=_I.RECOVERED),
        "review": move_from(_I.RECOVERED, to=_I.REVIEWED),
        "close": move_from(_I.RECOVERED, _I.REVIEWED, to=_I.CLOSED),
        "reopen": move_from(_I.RECOVERED, _I.REVIEWED, _I.CLOSED, to=_I.OPEN),
    },
)

"""How states look: a tone and a shape for each, so that colour never stands alone."""

_OK = ("ok", "check")
_ATTENTION = ("attention", "alert")
_DANGER = ("danger", "cross")
_WAITING = ("waiting", "clock")
_MOVING = ("waiting", "spin")
_QUIET = ("quiet", "dash")

LOOKS: dict[str, tuple[str, str]] = {
    **dict.fromkeys(
        (
            "succeeded",
            "cleared",
            "completed",
            "compensated",
            "done_by_hand",
            "approved",
            "rolled_back",
            "recovered",
            "reviewed",
            "closed",
            "resolved",
            "reversible",
            "approve",
        ),
        _OK,
    ),
    **dict.fromkeys(
        (
            "needs_attention",
            "handed_over",
            "in_doubt",
            "partial",
            "partly_rolled_back",
            "expired",
            "halted",
            "lost",
            "open",
            "unresolved",
            "compensatable",
            "retry_wait",
            "by_hand",
            "sev2",
            "transient",
        ),
        _ATTENTION,
    ),
    **dict.fromkeys(("failed", "refused", "irreversible", "sev1", "permanent", "refuse"), _DANGER),
    **dict.fromkeys(("awaiting_approval", "pending", "proposed", "blocked", "ready", "paused"), _WAITING),
    **dict.fromkeys(
        ("running", "rolling_back", "checking", "executing", "verifying", "mitigating", "acknowledged"), _MOVING
    ),
}

WORDS = {
    "retry_wait": "Waiting to retry",
    "blocked": "Waiting its turn",
    "ready": "Next",
    "not_possible": "Cannot be undone",
    "compensated": "Undone",
    "none": "No undo",
    "sev1": "SEV1",
    "sev2": "SEV2",
    "sev3": "SEV3",
}


def look_of(state: str) -> tuple[str, str]:
    """The tone and the shape of a state; an unknown one is quiet."""
    return LOOKS.get(str(state), _QUIET)


def words_for(state: str) -> str:
    """A state as people read it."""
    return WORDS.get(str(state), str(state).replace("_", " ").capitalize())

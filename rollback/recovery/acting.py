"""One phase of a compensation, carried out outside. Runs in the pool's threads: no database here."""

from dataclasses import replace

import structlog

from rollback.recovery.claims import CHECK, EXECUTE, VERIFY, Claim
from rollback.recovery.executors import executors
from rollback.recovery.executors.contract import Call, Outcome, Result
from rollback.web.parsers import storable

log = structlog.get_logger(__name__)
DEFAULT_TIMEOUT = 10.0


def act(claimed: Claim) -> Outcome:
    """Carry out the phase that ``claimed`` is in. Never raises: whatever goes wrong is an outcome."""
    part = claimed.part
    executor = claimed.undo["compensation"]["executor"] if claimed.phase == EXECUTE else "http"
    expect = part.get("succeeds_when") if claimed.phase == EXECUTE else part.get("expect")
    call = Call(claimed.target, part.get("request") or {}, expect, claimed.variables)
    if executor not in executors():
        return Outcome(Result.PERMANENT, f"There is no executor called {executor}.")
    try:
        outcome = executors()[executor].execute(call, claimed.key, float(part.get("timeout") or DEFAULT_TIMEOUT))
    except Exception as error:  # an executor of somebody else's must not take the worker down
        log.exception("executor failed", executor=executor, compensation=str(claimed.compensation))
        return Outcome(Result.PERMANENT, f"The executor {executor} failed: {type(error).__name__}.")
    # It goes into the database, and the other side may have said anything.
    return _in_words(claimed.phase, replace(outcome, detail=storable(outcome.detail)))


def _in_words(phase: str, outcome: Outcome) -> Outcome:
    """A failed look, told apart from a failed call."""
    if outcome.result is Result.PERMANENT and phase == CHECK:
        return Outcome(outcome.result, f"Changed since the agent left it: {outcome.detail}", outcome.status)
    if outcome.result is Result.PERMANENT and phase == VERIFY:
        return Outcome(outcome.result, f"Not seen to be restored: {outcome.detail}", outcome.status)
    return outcome

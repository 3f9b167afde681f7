"""Works on one rollback until it is blocked or done: claims, lets a bounded thread pool act, settles.

This thread alone owns the database connection; the pool's threads only talk to the outside.
"""

import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from uuid import UUID

import structlog
from django.conf import settings
from django.utils import timezone

from rollback.recovery import store
from rollback.recovery.executors import executors
from rollback.recovery.executors.contract import Call, Outcome, Result
from rollback.recovery.store import CHECK, EXECUTE, VERIFY, Claim, LeaseLost

log = structlog.get_logger(__name__)
LOOK_AGAIN_SECONDS = 0.5
DEFAULT_TIMEOUT = 10.0


@dataclass
class Coordinator:
    """One worker's stay with one rollback. ``run`` answers whether work is left (the time slice is over)."""

    rollback: UUID
    pool: ThreadPoolExecutor
    lanes: int = field(default_factory=lambda: settings.WORKER_LANES)
    slice_seconds: float = field(default_factory=lambda: settings.WORKER_SLICE_SECONDS)
    _flying: dict[Future[Outcome], Claim] = field(default_factory=dict)
    _looking_again: list[tuple[float, Claim]] = field(default_factory=list)
    _renewed: float = field(default_factory=time.monotonic)

    def run(self) -> bool:
        """Work until nothing is in flight and nothing is ready, or the time slice is over."""
        ends = time.monotonic() + self.slice_seconds
        while True:
            in_time = time.monotonic() < ends
            if in_time:
                for claimed in store.claim(self.rollback, self.lanes - self._held()):
                    self._submit(claimed)
            if not self._held():
                break
            self._resubmit_due()
            self._collect()
            self._renew_leases()
        store.conclude(self.rollback)
        return not in_time

    def _held(self) -> int:
        return len(self._flying) + len(self._looking_again)

    def _submit(self, claimed: Claim) -> None:
        self._flying[self.pool.submit(_act, claimed)] = claimed

    def _resubmit_due(self) -> None:
        now = time.monotonic()
        due = [claimed for at, claimed in self._looking_again if at <= now]
        self._looking_again = [(at, claimed) for at, claimed in self._looking_again if at > now]
        for claimed in due:
            self._submit(claimed)

    def _collect(self) -> None:
        """Settle what has come back; wait for it at most until something else is due."""
        pause = min([at - time.monotonic() for at, _ in self._looking_again] + [self._renew_every() / 2])
        if not self._flying:
            time.sleep(max(0.0, pause))
            return
        done, _ = wait(self._flying, timeout=max(0.0, pause), return_when=FIRST_COMPLETED)
        for future in done:
            self._settle(self._flying.pop(future), future.result())

    def _settle(self, claimed: Claim, outcome: Outcome) -> None:
        if claimed.phase == VERIFY and _worth_another_look(claimed, outcome):
            self._looking_again.append((time.monotonic() + LOOK_AGAIN_SECONDS, claimed))
            return
        try:
            following = store.settle(claimed, outcome)
        except LeaseLost:
            log.warning("lease lost", rollback=str(self.rollback), compensation=str(claimed.compensation))
            return
        if following is not None:
            self._submit(following)

    def _renew_every(self) -> float:
        return float(settings.LEASE_SECONDS) / 3

    def _renew_leases(self) -> None:
        if time.monotonic() - self._renewed > self._renew_every():
            self._renewed = time.monotonic()
            store.renew([*self._flying.values(), *(claimed for _, claimed in self._looking_again)])


def _act(claimed: Claim) -> Outcome:
    """Carry out one phase outside. Runs in the pool: no database here."""
    name = {CHECK: "drift_check", EXECUTE: "compensation", VERIFY: "verification"}[claimed.phase]
    part = claimed.undo[name]
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
    return _in_words(claimed.phase, outcome)


def _in_words(phase: str, outcome: Outcome) -> Outcome:
    """A failed look, told apart from a failed call."""
    if outcome.result is Result.PERMANENT and phase == CHECK:
        return Outcome(outcome.result, f"Changed since the agent left it: {outcome.detail}", outcome.status)
    if outcome.result is Result.PERMANENT and phase == VERIFY:
        return Outcome(outcome.result, f"Not seen to be restored: {outcome.detail}", outcome.status)
    return outcome


def _worth_another_look(claimed: Claim, outcome: Outcome) -> bool:
    """Whether the verification may still come true: it has ``within`` seconds from the call."""
    if outcome.result is Result.SUCCEEDED or claimed.executed_at is None:
        return False
    elapsed = (timezone.now() - claimed.executed_at).total_seconds()
    return elapsed < float(claimed.undo["verification"].get("within") or 0)

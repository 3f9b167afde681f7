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

from rollback.recovery import leases, store
from rollback.recovery.acting import act
from rollback.recovery.claims import VERIFY, Claim, LeaseLost
from rollback.recovery.executors.contract import Outcome, Result
from rollback.recovery.store import Taken

log = structlog.get_logger(__name__)
LOOK_AGAIN_SECONDS = 0.5


@dataclass
class Coordinator:
    """One worker's stay with one rollback. ``run`` answers whether work is left (the time slice is over).

    ``lanes`` calls are made at the same time; half as many again are claimed ahead, so that no lane waits for
    the database.
    """

    rollback: UUID
    pool: ThreadPoolExecutor
    lanes: int = field(default_factory=lambda: settings.WORKER_LANES)
    slice_seconds: float = field(default_factory=lambda: settings.WORKER_SLICE_SECONDS)
    _flying: dict[Future[Outcome], Claim] = field(default_factory=dict)
    _looking_again: list[tuple[float, Claim]] = field(default_factory=list)
    _renewed: float = field(default_factory=time.monotonic)
    _claim_at: float = 0.0  # when there may be something to claim; infinity: nothing is known to be ready
    _ends: float = 0.0

    def run(self) -> bool:
        """Work until nothing is in flight and nothing is ready, or the time slice is over."""
        self._ends = time.monotonic() + self.slice_seconds
        while True:
            self._claim()
            if self._held():
                self._resubmit_due()
                self._collect()
                self._renew_leases()
            elif self._is_over() or not self._wait_for_room():
                if not store.conclude(self.rollback) or self._is_over():
                    return self._is_over()
                self._claim_at = 0.0

    def _is_over(self) -> bool:
        return time.monotonic() >= self._ends

    def _held(self) -> int:
        return len(self._flying) + len(self._looking_again)

    def _claim(self) -> None:
        """Claim when there is something to claim and enough room for it to be worth a visit to the database."""
        most, held = self.lanes * 3 // 2, self._held()
        if self._is_over() or time.monotonic() < self._claim_at or most - held < max(1, most // 3):
            return
        taken = store.claim(self.rollback, most - held)
        for claimed in taken.claims:
            self._submit(claimed)
        self._note(taken)

    def _note(self, taken: Taken) -> None:
        now = time.monotonic()
        if taken.again_in is not None:
            self._claim_at = now + taken.again_in
        else:
            self._claim_at = now if taken.more else float("inf")

    def _wait_for_room(self) -> bool:
        """Nothing is in flight: wait until the systems bear more, if that is all that is missing."""
        if self._claim_at == float("inf"):
            return False
        time.sleep(max(0.0, min(self._claim_at, self._ends) - time.monotonic()))
        return True

    def _submit(self, claimed: Claim) -> None:
        self._flying[self.pool.submit(act, claimed)] = claimed

    def _resubmit_due(self) -> None:
        now = time.monotonic()
        due = [claimed for at, claimed in self._looking_again if at <= now]
        self._looking_again = [(at, claimed) for at, claimed in self._looking_again if at > now]
        for claimed in due:
            self._submit(claimed)

    def _collect(self) -> None:
        """Settle what has come back; wait for it at most until something else is due."""
        moments = [at for at, _ in self._looking_again] + ([] if self._is_over() else [self._claim_at])
        now = time.monotonic()
        pause = max(0.0, min([at - now for at in moments if at > now] + [self._renew_every() / 2]))
        if not self._flying:
            time.sleep(pause)
            return
        done, _ = wait(self._flying, timeout=pause, return_when=FIRST_COMPLETED)
        for future in done:
            self._settle(self._flying.pop(future), future.result())

    def _settle(self, claimed: Claim, outcome: Outcome) -> None:
        if claimed.phase == VERIFY and _worth_another_look(claimed, outcome):
            self._looking_again.append((time.monotonic() + LOOK_AGAIN_SECONDS, claimed))
            return
        want = 0 if self._is_over() else self.lanes - self._held()
        try:
            taken = store.settle(claimed, outcome, want)
        except LeaseLost:
            log.warning("lease lost", rollback=str(self.rollback), compensation=str(claimed.compensation))
            return
        for following in taken.claims:
            self._submit(following)
        if taken.more:
            self._claim_at = min(self._claim_at, time.monotonic())

    def _renew_every(self) -> float:
        return float(settings.LEASE_SECONDS) / 3

    def _renew_leases(self) -> None:
        if time.monotonic() - self._renewed > self._renew_every():
            self._renewed = time.monotonic()
            leases.renew([*self._flying.values(), *(claimed for _, claimed in self._looking_again)])


def _worth_another_look(claimed: Claim, outcome: Outcome) -> bool:
    """Whether the verification may still come true: it has ``within`` seconds from the call."""
    if outcome.result is Result.SUCCEEDED or claimed.executed_at is None:
        return False
    elapsed = (timezone.now() - claimed.executed_at).total_seconds()
    return elapsed < float(claimed.part.get("within") or 0)

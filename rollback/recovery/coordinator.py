"""Works on one rollback until it is blocked or done: claims, lets a bounded thread pool act, settles.

This thread alone owns the database connection; the pool's threads only talk to the outside.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from uuid import UUID

import structlog
from django.conf import settings
from django.utils import timezone

from rollback.recovery import leases, store
from rollback.recovery.acting import act
from rollback.recovery.claims import VERIFY, Claim, Taken
from rollback.recovery.executors.contract import Outcome, Result

log = structlog.get_logger(__name__)
LOOK_AGAIN_SECONDS = 0.5
AHEAD = 32
"""How many compensations are claimed beyond those that are being carried out."""


@dataclass
class Coordinator:
    """One worker's stay with one rollback. ``run`` answers whether work is left (the time slice is over).

    ``lanes`` calls are made at the same time; some more are claimed ahead, so that no lane waits for the database.
    """

    rollback: UUID
    pool: ThreadPoolExecutor
    lanes: int = field(default_factory=lambda: settings.WORKER_LANES)
    slice_seconds: float = field(default_factory=lambda: settings.WORKER_SLICE_SECONDS)
    _flying: dict[UUID, Claim] = field(default_factory=dict)
    _landed: SimpleQueue[tuple[Claim, Outcome]] = field(default_factory=SimpleQueue)
    _looking_again: list[tuple[float, Claim]] = field(default_factory=list)
    _renewed: float = field(default_factory=time.monotonic)
    _claim_at: float = 0.0  # when there may be something to claim; infinity: nothing is known to be ready
    _short_of_room: bool = False  # a system bears no more now: when a call of ours ends, it does again
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
        room = self.lanes + AHEAD - self._held()
        if self._is_over() or time.monotonic() < self._claim_at or room < min(AHEAD, self.lanes):
            return
        taken = store.claim(self.rollback, room)
        for claimed in taken.claims:
            self._submit(claimed)
        self._note(taken)

    def _note(self, taken: Taken) -> None:
        now = time.monotonic()
        self._short_of_room = taken.again_in is not None
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
        self._flying[claimed.compensation] = claimed
        self.pool.submit(self._act, claimed)

    def _act(self, claimed: Claim) -> None:
        """In a thread of the pool."""
        self._landed.put((claimed, act(claimed)))

    def _resubmit_due(self) -> None:
        now = time.monotonic()
        due = [claimed for at, claimed in self._looking_again if at <= now]
        self._looking_again = [(at, claimed) for at, claimed in self._looking_again if at > now]
        for claimed in due:
            self._submit(claimed)

    def _collect(self) -> None:
        """Settle all that has come back by now; wait for the first at most until something else is due."""
        moments = [at for at, _ in self._looking_again] + ([] if self._is_over() else [self._claim_at])
        now = time.monotonic()
        pause = max(0.0, min([at - now for at in moments if at > now] + [self._renew_every() / 2]))
        landed: list[tuple[Claim, Outcome]] = []
        try:
            landed.append(self._landed.get(timeout=pause))
            while len(landed) < self.lanes:
                landed.append(self._landed.get_nowait())
        except Empty:
            pass
        self._settle([pair for pair in landed if not self._looks_again(*pair)])

    def _looks_again(self, claimed: Claim, outcome: Outcome) -> bool:
        """Back from outside; a verification that may still come true is kept for another look."""
        del self._flying[claimed.compensation]
        if claimed.phase != VERIFY or not _worth_another_look(claimed, outcome):
            return False
        self._looking_again.append((time.monotonic() + LOOK_AGAIN_SECONDS, claimed))
        return True

    def _settle(self, landed: list[tuple[Claim, Outcome]]) -> None:
        if not landed:
            return
        want = 0 if self._is_over() else self.lanes - self._held()
        taken, lost = store.settle(landed, want)
        for claimed in lost:
            log.warning("lease lost", rollback=str(self.rollback), compensation=str(claimed.compensation))
        for following in taken.claims:
            self._submit(following)
        if taken.more or self._short_of_room:
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

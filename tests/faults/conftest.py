"""The engine's scene, with real workers and a real beat that can be killed, frozen and woken."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest
from django.conf import settings
from django.db import connection

from rollback.recovery.models import Rollback
from tests.acceptance.processes import Running, started, wait_until
from tests.rollback.recovery.conftest import _no_lifeline_is_left, outside, scene
from tests.rollback.recovery.test_invariants import database_url

__all__ = ["_no_lifeline_is_left", "outside", "scene"]


@dataclass
class Plant:
    """Processes of the engine, on the database of the test. ``lease`` is how long a lost one may keep its work."""

    lease: float
    stack: ExitStack
    workers: list[Running] = field(default_factory=list)

    def worker(self) -> Running:
        """One more worker."""
        words = ["celery", "-A", "config", "worker", "--pool", "threads", "-c", "2", "-l", "warning"]
        self.workers.append(self._start(*words))
        return self.workers[-1]

    def beat(self, number: int = 1) -> Running:
        """One more beat."""
        return self._start("celery", "-A", "config", "beat", "-l", "warning", "-s", f"{settings.DATA_DIR}/beat{number}")

    def _start(self, *words: str) -> Running:
        beside = {"DATABASE_URL": database_url(), "LEASE_SECONDS": str(self.lease), "SWEEP_SECONDS": "0.5"}
        return self.stack.enter_context(started("python", "-m", *words, **beside))


def freeze(process: Running) -> None:
    """It stands still, and knows nothing of it."""
    process.process.send_signal(signal.SIGSTOP)


def thaw(process: Running) -> None:
    """It goes on where it was."""
    process.process.send_signal(signal.SIGCONT)


def wait_for_the_end(rollback: Rollback, within: float = 180.0) -> str:
    """The state that the rollback ends in."""

    def ended() -> bool:
        rollback.refresh_from_db()
        return rollback.state in ("completed", "partial", "needs_attention")

    wait_until(ended, within, what="the rollback ends")
    return rollback.state


@pytest.fixture
def plant(transactional_db: None) -> Iterator[Plant]:
    """No process yet. Where the database tells of a lost worker at once, the lease is far too long to wait for."""
    with ExitStack() as stack:
        yield Plant(lease=600.0 if connection.vendor == "postgresql" else 2.0, stack=stack)

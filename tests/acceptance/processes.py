"""Starts real processes for a test, and ends them with it."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def wait_until(true: Callable[[], object], within: float = 60.0, every: float = 0.1, what: str = "") -> None:
    """Wait until ``true()`` is. Fails after ``within`` seconds, saying ``what`` was waited for."""
    ends = time.monotonic() + within
    while not true():
        if time.monotonic() > ends:
            raise AssertionError(f"not within {within} s: {what or true}")
        time.sleep(every)


class Running:
    """A process with its own group; its output is kept for the case that the test fails."""

    def __init__(self, command: list[str], environment: Mapping[str, str]) -> None:
        # Lives as long as the process, not as long as a block.
        self.output = tempfile.NamedTemporaryFile("w+", prefix="recourse-process-", suffix=".log")  # noqa: SIM115
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=self.output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    def said(self) -> str:
        """All that it has printed."""
        return Path(self.output.name).read_text()

    def kill(self) -> None:
        """SIGKILL to it and everything it started: no goodbye."""
        self._signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, within: float = 15.0) -> int:
        """Ask it to end; SIGKILL when it does not. Answers its exit code."""
        self._signal(signal.SIGTERM)
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            self.kill()
            return self.process.wait()

    def _signal(self, number: int) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, number)


@contextmanager
def started(*command: str, **environment: str) -> Iterator[Running]:
    """``command`` (``python`` is ours) running for as long as the block lasts."""
    words = [sys.executable if word == "python" else word for word in command]
    running = Running(words, environment)
    try:
        yield running
    except BaseException:
        print(running.said()[-6000:])
        raise
    finally:
        running.stop()

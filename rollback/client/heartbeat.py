"""Says in the background that a run lives, and listens for *halt*."""

import logging
import threading
from collections.abc import Callable

from rollback.client.errors import ApiError, RecourseError
from rollback.client.types import Verdict

log = logging.getLogger("rollback.client")


class Heartbeat:
    """A daemon thread that calls ``beat`` every ``every`` seconds, until told to halt or stopped."""

    def __init__(self, beat: Callable[[], Verdict], every: float) -> None:
        self.halted = threading.Event()
        self._beat = beat
        self._every = every
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._live, name="recourse-heartbeat", daemon=True)

    def start(self) -> None:
        """Begin; the first beat comes after ``every`` seconds."""
        self._thread.start()

    def stop(self) -> None:
        """No further beats. Does not wait for one that is under way."""
        self._stopped.set()

    def _live(self) -> None:
        while not self._stopped.wait(self._every) and not self.halted.is_set():
            try:
                if self._beat() is Verdict.HALT:
                    self.halted.set()
            except ApiError as error:
                # Refused for good (the run has ended, the token was withdrawn): the next call says so aloud.
                log.warning("heartbeat refused: %s", error)
                if error.status < 500:
                    return
            except RuntimeError:
                return  # the client was closed: httpx says so with this
            except RecourseError as error:
                log.warning("heartbeat not delivered: %s", error)

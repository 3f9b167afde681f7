"""When workers and the sweeper were last seen, for ``/readyz``."""

import time

import structlog
from celery.signals import heartbeat_sent
from django.db import DatabaseError
from django.utils import timezone

from rollback.recovery.models import WorkerSighting

log = structlog.get_logger(__name__)
EVERY_SECONDS = 5.0
_last_written = 0.0


def seen(name: str) -> None:
    """Write down that ``name`` ("worker" or "sweeper") is alive now."""
    WorkerSighting.objects.update_or_create(name=name, defaults={"seen_at": timezone.now()})


@heartbeat_sent.connect
def worker_is_alive(**_: object) -> None:
    """Celery's own heartbeat, written down every few seconds. A database that is away must not stop the worker."""
    global _last_written  # noqa: PLW0603 (one worker process, one clock)
    if time.monotonic() - _last_written < EVERY_SECONDS:
        return
    _last_written = time.monotonic()
    try:
        seen("worker")
    except DatabaseError as error:
        log.warning("worker not seen: the database is away", error=str(error))

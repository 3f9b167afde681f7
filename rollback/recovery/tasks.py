"""The door to Celery. A message only says "work on rollback R": lost or doubled, it does no harm."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import structlog
from celery import shared_task
from celery.signals import worker_ready
from django.conf import settings
from django.db import DatabaseError, transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from rollback.recovery import sweeper
from rollback.recovery.coordinator import Coordinator
from rollback.recovery.models import Rollback

log = structlog.get_logger(__name__)


def wake(rollback_id: UUID) -> None:
    """After the transaction, tell a worker that there is work. If the broker is away, the sweeper tells later."""
    transaction.on_commit(lambda: send_wake_up(rollback_id))


def send_wake_up(rollback_id: UUID) -> None:
    """Publish the message now. Never raises: a wake-up is not worth failing for."""
    try:
        work_on.apply_async((str(rollback_id),), retry=False)
        Rollback.objects.filter(pk=rollback_id).update(woken_at=timezone.now())
    except (OperationalError, OSError) as error:
        log.warning("no wake-up sent: the broker is away", rollback=str(rollback_id), error=str(error))


@shared_task(name="recovery.work_on")
def work_on(rollback_id: str) -> None:
    """Work on one rollback; when the time slice ends first, get back in the queue."""
    with ThreadPoolExecutor(settings.WORKER_LANES, thread_name_prefix="lane") as pool:
        if Coordinator(UUID(rollback_id), pool).run():
            send_wake_up(UUID(rollback_id))


@shared_task(name="recovery.sweep")
def sweep() -> None:
    """Put right what no message will: see ``sweeper.py``."""
    for rollback_id in sweeper.sweep():
        send_wake_up(rollback_id)


@shared_task(name="recovery.tidy")
def tidy() -> None:
    """What time alone changes: see ``sweeper.py``."""
    sweeper.tidy()


@worker_ready.connect
def look_for_work(**_: object) -> None:
    """A worker that comes up asks for all that waits: the messages that the one before it had are lost."""
    try:
        for rollback_id in sweeper.sweep() | sweeper.stalled(timezone.now(), dt.timedelta(0)):
            send_wake_up(rollback_id)
    except DatabaseError as error:
        log.warning("no work looked for: the database is away", error=str(error))

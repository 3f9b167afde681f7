"""The invariants of DESIGN.md section 2 that the engine keeps, each under its own name."""

import datetime as dt
import os
import threading
from collections.abc import Callable
from contextlib import ExitStack
from urllib.parse import urlsplit
from uuid import UUID

import pytest
import redis
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from rollback.audit.actors import RECOURSE
from rollback.audit.models import AuditEvent
from rollback.audit.services import move
from rollback.audit.verify import broken_links
from rollback.recovery import leases, store
from rollback.recovery.claims import Taken
from rollback.recovery.executors.contract import Outcome, Result
from rollback.recovery.models import Attempt, Compensation, Rollback
from rollback.recovery.services import retry_compensation
from rollback.runs.models import Run, Step
from tests.acceptance.processes import started, wait_until
from tests.rollback.recovery.conftest import Scene
from tests.rollback.recovery.outside import Answer

Engine = Callable[[Rollback], Rollback]
WORKED = Outcome(Result.SUCCEEDED, "HTTP 204", 204)


def database_url() -> str:
    """The test's own database, for processes beside it."""
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    return urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()


@pytest.mark.django_db(transaction=True)
def test_invariant_1_the_database_is_the_truth(scene: Scene, transactional_db: None) -> None:
    """Wake-ups flushed, the worker killed half-way, no beat: when they are back all ends, nothing is done again."""
    scene.outside.latency = 0.25
    for _ in range(10):
        scene.did()
    rollback = scene.start()
    redis.Redis.from_url(settings.REDIS_URL).flushdb()
    beside = {"DATABASE_URL": database_url(), "LEASE_SECONDS": "1", "SWEEP_SECONDS": "0.5"}
    worker = ["python", "-m", "celery", "-A", "config", "worker", "--pool", "threads", "-c", "2", "-l", "warning"]
    beat = ["python", "-m", "celery", "-A", "config", "beat", "-l", "warning", "-s", f"{settings.DATA_DIR}/beat"]

    with ExitStack() as stack:
        stack.enter_context(started(*beat, **beside))
        first = stack.enter_context(started(*worker, **beside))
        wait_until(lambda: scene.states().count("compensated") >= 3, what="three are undone")
        first.kill()
        redis.Redis.from_url(settings.REDIS_URL).flushdb()
        recorded = {str(c.key) for c in rollback.compensations.filter(state="compensated")}
        calls_before = len(scene.outside.asked)
        stack.enter_context(started(*worker, **beside))
        wait_until(lambda: Rollback.objects.get(pk=rollback.pk).state == "completed", what="the rollback is completed")

    again = {call.key for call in scene.outside.asked[calls_before:]}
    assert scene.outside.things == set()
    assert len(scene.outside.applied) == 10
    assert not again & recorded
    assert list(broken_links()) == []


def test_invariant_3_every_compensation_carries_one_key_for_its_whole_life(scene: Scene, engine: Engine) -> None:
    """Through retries, a lost lease and a re-try by a person."""
    scene.did()
    scene.outside.script("DELETE", "/things/1", Answer(503), Answer(503), Answer(400))
    rollback = scene.start()
    [lost] = store.claim(rollback.pk, 1).claims
    Compensation.objects.update(leased_until=timezone.now() - dt.timedelta(seconds=1))
    leases.take_back(timezone.now())
    leases.wake_due_retries(timezone.now())
    engine(rollback)

    retry_compensation(scene.compensation(1), scene.owner)
    engine(rollback)

    keys = {call.key for call in scene.outside.calls("DELETE")}
    assert keys == {lost.key} == {scene.compensation(1).key}
    assert len(scene.outside.calls("DELETE")) >= 3


def test_invariant_4_a_worker_that_lost_its_lease_can_change_nothing(scene: Scene) -> None:
    scene.did()
    rollback = scene.start()
    [late] = store.claim(rollback.pk, 1).claims
    Compensation.objects.update(leased_until=timezone.now() - dt.timedelta(seconds=1))
    leases.take_back(timezone.now())
    leases.wake_due_retries(timezone.now())
    [current] = store.claim(rollback.pk, 1).claims
    before = (Compensation.objects.values().get(), list(Attempt.objects.values()), AuditEvent.objects.count())

    assert store.settle([(late, WORKED)]) == (Taken(), [late])

    after = (Compensation.objects.values().get(), list(Attempt.objects.values()), AuditEvent.objects.count())
    assert after == before
    assert current.fence > late.fence
    assert store.settle([(current, WORKED)]) == (Taken(), [])
    assert scene.states() == ["compensated"]


def test_invariant_4_nor_can_it_keep_the_lease_alive(scene: Scene) -> None:
    scene.did()
    rollback = scene.start()
    [late] = store.claim(rollback.pk, 1).claims
    Compensation.objects.update(leased_until=timezone.now() - dt.timedelta(seconds=1))
    leases.take_back(timezone.now())

    leases.renew([late])

    assert scene.compensation(1).leased_until is None


def test_invariant_5_a_compensation_starts_only_when_all_before_it_is_undone(scene: Scene, engine: Engine) -> None:
    """A lattice of steps: at every single request outside, all that must be undone before is recorded as undone."""
    scene.did(after=[])
    scene.did(after=[1])
    scene.did(after=[1])
    scene.did(after=[2, 3])
    scene.did(after=[2])
    scene.did(after=[4, 5])
    built_upon_by = {"1": "23", "2": "45", "3": "4", "4": "6", "5": "6", "6": ""}
    gone: set[str] = set()
    too_early: list[str] = []
    lock = threading.Lock()

    def watch(method: str, path: str) -> None:
        number = path.rsplit("/", 1)[1]
        with lock:
            if not set(built_upon_by[number]) <= gone:
                too_early.append(number)
            gone.add(number)

    scene.outside.on_request = watch
    rollback = engine(scene.start())

    assert rollback.state == "completed"
    assert too_early == []
    assert gone == set(built_upon_by)


def test_invariant_5_not_even_when_what_is_before_it_failed(scene: Scene, engine: Engine) -> None:
    scene.did(after=[])
    scene.did(after=[1])
    scene.outside.always["DELETE", "/things/2"] = Answer(400)

    engine(scene.start())

    assert scene.outside.calls("DELETE", "/things/1") == []


def test_invariant_6_a_step_in_doubt_is_undone_too(scene: Scene, engine: Engine) -> None:
    """An intent without a result counts as possibly done: its undo, foreseen from the input, is carried out."""
    scene.did()
    doubtful = scene.did(state="cleared", finished_at=None)

    rollback = engine(scene.start())

    assert Step.objects.get(pk=doubtful.pk).state == "in_doubt"
    assert scene.compensation(2).in_doubt
    assert rollback.state == "completed"
    assert scene.outside.things == set()


def test_invariant_6_a_step_in_doubt_without_a_known_undo_goes_to_its_owner(scene: Scene, engine: Engine) -> None:
    scene.did(state="cleared", finished_at=None, undo=None)

    engine(scene.start())

    assert scene.compensation(1).handed_to == scene.owner


def test_invariant_10_every_state_change_writes_one_audit_event(scene: Scene, engine: Engine) -> None:
    scene.did(after=[])
    scene.did(after=[1])
    scene.outside.script("DELETE", "/things/2", Answer(503))

    rollback = engine(scene.start())

    events = AuditEvent.objects.filter(kind="rollback", subject=rollback.pk).order_by("number")
    of_second = [e.type for e in events if str(scene.compensation(2).pk) in e.payload]
    assert of_second == [
        "compensation.execute",
        "compensation.retry",
        "compensation.wake",
        "compensation.execute",
        "compensation.compensate",
    ]
    assert events[0].type == "rollback.created"
    assert [e.type for e in events if e.type.startswith("rollback.")] == [
        "rollback.created",
        "rollback.start",
        "rollback.complete",
    ]
    assert [e.number for e in events] == list(range(1, len(events) + 1))
    assert list(broken_links()) == []


def test_invariant_10_without_its_event_there_is_no_state_change(scene: Scene) -> None:
    """The event shares the transaction of the change: when it cannot be written, nothing has changed."""
    _refuse_new_events()
    run = Run.objects.get(pk=scene.run.pk)

    with pytest.raises(DatabaseError), transaction.atomic():
        move(run, "begin_rollback", RECOURSE)

    assert Run.objects.get(pk=scene.run.pk).state == "failed"


def test_invariant_10_an_event_that_was_changed_is_named(scene: Scene) -> None:
    scene.did()
    rollback = scene.start()
    _allow_changes()

    AuditEvent.objects.filter(kind="rollback", subject=rollback.pk, number=1).update(payload='{"reason":"nicer"}')

    [broken] = broken_links()
    assert broken.where == f"rollback {UUID(str(rollback.pk))} event 1"


def _refuse_new_events() -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            refuse = "BEGIN SELECT RAISE(ABORT, 'full'); END"
            cursor.execute(f"CREATE TEMP TRIGGER no_events BEFORE INSERT ON rollback_auditevent {refuse}")
        else:
            cursor.execute("ALTER TABLE rollback_auditevent ADD CONSTRAINT full_up CHECK (false) NOT VALID")


def _allow_changes() -> None:
    """What only somebody with the database in hand can do."""
    with connection.cursor() as cursor:
        on = " ON rollback_auditevent" if connection.vendor == "postgresql" else ""
        cursor.execute(f"DROP TRIGGER rollback_auditevent_no_update{on}")

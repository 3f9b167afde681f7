"""What a system can bear is kept by all workers together: calls at the same time, and calls in a while."""

import datetime as dt
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from rollback.recovery import limits, store
from rollback.recovery.coordinator import Coordinator
from rollback.recovery.executors.contract import Outcome, Result
from rollback.recovery.models import Rollback
from rollback.runs.models import Run
from rollback.runs.states import RunState
from tests.factories import make_system
from tests.rollback.recovery.conftest import Scene

Engine = Callable[[Rollback], Rollback]
WORKED = Outcome(Result.SUCCEEDED, "HTTP 204", 204)


def bears(scene: Scene, **limits_: object) -> None:
    """Set the system's limits."""
    for name, value in limits_.items():
        setattr(scene.system, name, value)
    scene.system.save()


def another_run(scene: Scene) -> Scene:
    """A second run that touched the same system."""
    run = Run.objects.create(workflow=scene.run.workflow, version=scene.version, agent="maker", state=RunState.FAILED)
    return Scene(scene.outside, scene.lead, scene.owner, scene.system, scene.version, run)


def test_no_more_is_claimed_than_the_system_bears(scene: Scene) -> None:
    bears(scene, concurrency=2)
    for _ in range(5):
        scene.did(after=[])
    rollback = scene.start()

    taken = store.claim(rollback.pk, 10)

    assert len(taken.claims) == 2
    assert taken.again_in is not None
    assert store.claim(rollback.pk, 10).claims == []


def test_what_other_rollbacks_have_in_flight_counts(scene: Scene) -> None:
    bears(scene, concurrency=3)
    other = another_run(scene)
    for run in (scene, other):
        run.did(after=[]), run.did(after=[])
    first, second = scene.start(), other.start()

    claims = store.claim(first.pk, 10).claims + store.claim(second.pk, 10).claims

    assert len(claims) == 3
    store.settle([(claims[0], WORKED)])
    assert len(store.claim(second.pk, 10).claims) == 1


def test_a_successor_takes_the_place_of_what_ended(scene: Scene) -> None:
    bears(scene, concurrency=1)
    for _ in range(3):
        scene.did()
    rollback = scene.start()
    [claimed] = store.claim(rollback.pk, 10).claims

    taken, _ = store.settle([(claimed, WORKED)], want=5)

    assert len(taken.claims or store.claim(rollback.pk, 10).claims) == 1
    assert store.claim(rollback.pk, 10).claims == []


@pytest.mark.django_db(transaction=True)
def test_workers_together_never_make_more_calls_at_once(scene: Scene, transactional_db: None) -> None:
    bears(scene, concurrency=3)
    scene.outside.latency = 0.05
    other = another_run(scene)
    for run in (scene, other):
        for _ in range(8):
            run.did(after=[])
    rollbacks = [scene.start(), other.start()]

    def work(rollback: Rollback) -> None:
        with ThreadPoolExecutor(8) as pool:
            Coordinator(rollback.pk, pool, lanes=8, slice_seconds=60).run()
        connection.close()

    threads = [threading.Thread(target=work, args=[rollback]) for rollback in rollbacks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    calls = scene.outside.calls("DELETE")
    at_once = max(sum(a.began <= b.began < a.ended for a in calls) for b in calls)
    assert len(calls) == 16
    assert at_once <= 3
    assert {Rollback.objects.get(pk=rollback.pk).state for rollback in rollbacks} == {"completed"}


def test_a_rate_spaces_the_calls(scene: Scene, engine: Engine) -> None:
    bears(scene, rate="5/s")
    for _ in range(8):
        scene.did(after=[])

    assert engine(scene.start()).state == "completed"

    # Five are in the bucket; each of the others comes a fifth of a second later than the one before it, at the least.
    calls = sorted(call.began for call in scene.outside.calls("DELETE"))
    assert len(calls) == 8
    assert all(calls[n] - calls[0] >= (n - 4) / 5 - 0.1 for n in range(5, 8))


def test_one_system_that_bears_nothing_now_does_not_hold_up_another(scene: Scene) -> None:
    bears(scene, concurrency=1)
    other = make_system("other", scene.owner)
    for _ in range(3):
        scene.did(after=[])
    scene.did(after=[], system=other)
    rollback = scene.start()

    claims = store.claim(rollback.pk, 10).claims

    assert sorted(claimed.target.slug for claimed in claims) == ["other", "things"]


@given(st.integers(1, 10_000), st.sampled_from(["s", "m", "h"]))
def test_a_rate_is_calls_per_second(count: int, unit: str) -> None:
    assert limits.per_second(f"{count}/{unit}") == pytest.approx(count / {"s": 1, "m": 60, "h": 3600}[unit])


def test_a_bucket_fills_up_with_time_and_not_beyond_a_seconds_worth(scene: Scene) -> None:
    bears(scene, rate="4/s")
    now = timezone.now()
    limits.spend(scene.system, 4, now)

    assert limits.room_for([str(scene.system.pk)], now).free == {scene.system.pk: 0}
    assert limits.room_for([str(scene.system.pk)], now + dt.timedelta(seconds=0.5)).free == {scene.system.pk: 2}
    assert limits.room_for([str(scene.system.pk)], now + dt.timedelta(hours=1)).free == {scene.system.pk: 4}


def test_an_empty_bucket_says_when_to_come_back(scene: Scene) -> None:
    bears(scene, rate="2/m")
    now = timezone.now()
    limits.spend(scene.system, 1, now)

    assert limits.room_for([str(scene.system.pk)], now).again_in == pytest.approx(30.0)

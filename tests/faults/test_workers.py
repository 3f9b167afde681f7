"""Workers that are killed, frozen and woken: all ends, nothing is lost, each effect happens once."""

import time

import pytest

from rollback.audit.verify import broken_links
from rollback.recovery import lifeline, store
from rollback.recovery.models import Attempt, Rollback
from rollback.recovery.tasks import send_wake_up
from tests.acceptance.processes import wait_until
from tests.faults.conftest import Plant, freeze, thaw, wait_for_the_end
from tests.rollback.recovery.conftest import Scene

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(400)]


def assert_all_is_well(scene: Scene, rollback: Rollback, steps: int) -> None:
    """Everything is undone, once each, and the history is whole."""
    assert wait_for_the_end(rollback) == "completed"
    assert scene.outside.things == set()
    assert len(scene.outside.applied) == steps
    assert set(scene.states()) == {"compensated"}
    assert list(broken_links()) == []


def test_a_worker_killed_in_the_middle_of_its_calls_is_replaced_at_once(scene: Scene, plant: Plant) -> None:
    for _ in range(12):
        scene.did(after=[])
    scene.outside.latency = 0.6
    rollback = scene.start()
    plant.beat()
    first = plant.worker()
    wait_until(lambda: len(scene.outside.asked) >= 2, 120, what="calls are made")
    plant.worker()
    time.sleep(0.3)
    first.kill()

    assert_all_is_well(scene, rollback, 12)

    keys = [call.key for call in scene.outside.calls("DELETE")]
    assert len(set(keys)) == 12


def test_a_worker_killed_after_its_last_call_loses_nothing(scene: Scene, plant: Plant) -> None:
    """Claimed and called, and gone before it could write that down: the call is made again under the same key."""
    scene.did()
    rollback = scene.start()
    scene.outside.latency = 1.5
    plant.beat()
    first = plant.worker()
    wait_until(lambda: scene.outside.applied != {}, within=120, what="the call has its effect")
    first.kill()
    scene.outside.latency = 0.0
    plant.worker()

    assert_all_is_well(scene, rollback, 1)

    assert len({call.key for call in scene.outside.calls("DELETE")}) == 1
    assert Attempt.objects.filter(outcome="lost").count() == 1


def test_a_worker_that_slept_past_its_lease_changes_nothing_when_it_wakes(scene: Scene, plant: Plant) -> None:
    plant.lease = 2.0
    for _ in range(3):
        scene.did(after=[])
    scene.outside.latency = 1.0
    rollback = scene.start()
    plant.beat()
    sleeper = plant.worker()
    wait_until(lambda: len(scene.outside.applied) == 3, within=120, what="the calls have their effect")
    freeze(sleeper)
    try:
        scene.outside.latency = 0.0
        plant.worker()
        assert wait_for_the_end(rollback) == "completed"
        ends = dict(rollback.compensations.values_list("pk", "ended_at"))
    finally:
        thaw(sleeper)
    time.sleep(2)

    assert dict(rollback.compensations.values_list("pk", "ended_at")) == ends
    assert_all_is_well(scene, rollback, 3)


def test_two_workers_and_doubled_wake_ups_do_everything_once(scene: Scene, plant: Plant) -> None:
    for _ in range(30):
        scene.did(after=[])
    scene.outside.latency = 0.05
    rollback = scene.start()
    for _ in range(10):
        send_wake_up(rollback.pk)
    plant.beat(1), plant.beat(2)
    plant.worker(), plant.worker()

    assert_all_is_well(scene, rollback, 30)

    assert len(scene.outside.calls("DELETE")) == 30


def test_a_claim_that_nobody_holds_any_more_is_found_without_a_message(scene: Scene, plant: Plant) -> None:
    scene.did()
    rollback = scene.start()
    store.claim(rollback.pk, 1)
    lifeline.let_go()
    plant.beat()
    plant.worker()

    assert_all_is_well(scene, rollback, 1)

"""The sign of life that ends with its worker."""

import threading
from collections.abc import Iterator

import pytest
from django.db import connection
from django.utils import timezone

from rollback.recovery import leases, lifeline, store
from tests.rollback.recovery.conftest import Scene

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _new_every_time() -> Iterator[None]:
    lifeline.let_go()
    yield
    lifeline.let_go()


def test_one_process_holds_one_lifeline_from_all_its_threads() -> None:
    numbers = [lifeline.hold()]

    def hold() -> None:
        if lifeline._mine is not None:
            lifeline._mine.looked = float("-inf")
        numbers.append(lifeline.hold())
        connection.close()

    threads = [threading.Thread(target=hold) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(numbers) == 5
    assert len(set(numbers)) == 1
    if connection.vendor == "postgresql":
        assert lifeline.alive() == set(numbers)
    else:
        assert (set(numbers), lifeline.alive()) == ({None}, None)


def test_what_a_living_worker_has_is_left_to_it_and_what_a_dead_one_had_is_taken_back(scene: Scene) -> None:
    scene.did()
    rollback = scene.start()
    [claimed] = store.claim(rollback.pk, 1).claims
    assert leases.take_back(timezone.now()) == set()

    lifeline.let_go()
    if connection.vendor != "postgresql":  # there the lease alone counts
        rollback.compensations.update(leased_until=claimed.executed_at or timezone.now())

    assert leases.take_back(timezone.now()) == {rollback.pk}
    assert scene.states() == ["ready"]


def test_a_lifeline_that_the_database_cut_is_held_anew() -> None:
    number = lifeline.hold()
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND classid = %s",
                [lifeline.NAMESPACE],
            )
        assert lifeline._mine is not None
        lifeline._mine.looked = float("-inf")

    assert lifeline.hold() == number
    assert lifeline.alive() == (None if number is None else {number})

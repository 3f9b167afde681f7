"""Pause, resume, and cancelling what has not begun."""

from collections.abc import Callable

import pytest

from rollback.errors import Conflict, Invalid
from rollback.recovery import store
from rollback.recovery.executors.contract import Outcome, Result
from rollback.recovery.models import Rollback
from rollback.recovery.services import cancel_rollback, pause_rollback, resume_rollback
from tests.rollback.recovery.conftest import Scene
from tests.rollback.recovery.outside import Answer

Engine = Callable[[Rollback], Rollback]
WORKED = Outcome(Result.SUCCEEDED, "HTTP 204", 204)


def test_a_paused_rollback_starts_nothing_and_records_what_was_under_way(scene: Scene, engine: Engine) -> None:
    scene.did(), scene.did()
    rollback = scene.start()
    [under_way] = store.claim(rollback.pk, 1).claims
    pause_rollback(rollback, scene.lead)

    assert store.settle([(under_way, WORKED)], want=5)[0].claims == []
    assert store.claim(rollback.pk, 5).claims == []
    assert scene.states() == ["ready", "compensated"]

    resume_rollback(rollback, scene.lead)
    assert engine(rollback).state == "completed"


def test_cancelling_leaves_the_rest_and_frees_the_run_for_another_rollback(scene: Scene, engine: Engine) -> None:
    scene.did(), scene.did()
    rollback = scene.start()
    [first] = store.claim(rollback.pk, 1).claims
    store.settle([(first, WORKED)])
    scene.outside.things.discard("/things/2")
    pause_rollback(rollback, scene.lead)

    cancel_rollback(rollback, scene.lead, "Wrong run.")

    scene.run.refresh_from_db()
    assert (rollback.state, scene.run.state) == ("cancelled", "partly_rolled_back")
    again = scene.start()
    assert [c.step.number for c in again.compensations.all()] == [1]
    assert engine(again).state == "completed"
    assert scene.outside.things == set()


def test_what_was_begun_and_cancelled_goes_on_under_the_key_it_had(scene: Scene, engine: Engine) -> None:
    scene.did()
    scene.outside.script("DELETE", "/things/1", Answer(503), Answer(503))
    rollback = scene.start()
    [begun] = store.claim(rollback.pk, 1).claims
    store.settle([(begun, Outcome(Result.TRANSIENT, "HTTP 503", 503))])
    pause_rollback(rollback, scene.lead)
    cancel_rollback(rollback, scene.lead, "Later.")
    scene.run.refresh_from_db()

    again = engine(scene.start())

    assert again.state == "completed"
    assert {call.key for call in scene.outside.calls("DELETE")} == {begun.key}


def test_nothing_is_cancelled_while_a_call_is_under_way(scene: Scene) -> None:
    scene.did()
    rollback = scene.start()
    store.claim(rollback.pk, 1)
    pause_rollback(rollback, scene.lead)

    with pytest.raises(Conflict) as refused:
        cancel_rollback(rollback, scene.lead, "Stop.")

    assert refused.value.code == "calls-underway"
    rollback.refresh_from_db()
    assert rollback.state == "paused"


def test_a_running_rollback_is_paused_before_it_is_cancelled(scene: Scene) -> None:
    scene.did()
    rollback = scene.start()

    with pytest.raises(Conflict):
        cancel_rollback(rollback, scene.lead, "Stop.")

    assert Rollback.objects.get(pk=rollback.pk).state == "running"


def test_cancelling_needs_a_reason(scene: Scene) -> None:
    scene.did()
    rollback = scene.start()
    pause_rollback(rollback, scene.lead)

    with pytest.raises(Invalid) as refused:
        cancel_rollback(rollback, scene.lead, "  ")

    assert refused.value.code == "reason-required"

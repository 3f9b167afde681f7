"""The engine: what it carries out, in which order, and what it does when the outside says no."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from rollback.errors import Conflict, Invalid
from rollback.recovery.models import Attempt, Rollback
from rollback.recovery.preview import preview
from rollback.recovery.services import finish_by_hand, retry_compensation, start_rollback
from rollback.runs.models import Run
from tests.rollback.recovery.conftest import ALL, Scene, gone, undo_of
from tests.rollback.recovery.outside import Answer

Engine = Callable[[Rollback], Rollback]


def test_a_run_is_taken_back_and_the_outside_is_as_before(scene: Scene, engine: Engine) -> None:
    for _ in range(3):
        scene.did()

    rollback = engine(scene.start())

    assert rollback.state == "completed"
    assert scene.outside.things == set()
    assert Run.objects.get(pk=scene.run.pk).state == "rolled_back"


def test_compensations_run_in_reverse_dependency_order(scene: Scene, engine: Engine) -> None:
    scene.did(after=[])
    scene.did(after=[1])
    scene.did(after=[1])
    scene.did(after=[2, 3])

    engine(scene.start())

    done = {call.path: call for call in scene.outside.calls("DELETE")}
    first, second, third, last = (done[f"/things/{n}"] for n in (4, 3, 2, 1))
    assert first.ended <= min(second.began, third.began)
    assert max(second.ended, third.ended) <= last.began


def test_independent_branches_are_undone_at_the_same_time(scene: Scene, engine: Engine) -> None:
    scene.outside.latency = 0.3
    for _ in range(4):
        scene.did(after=[])

    engine(scene.start())

    calls = scene.outside.calls("DELETE")
    assert max(call.began for call in calls) < min(call.ended for call in calls)


def test_a_transient_failure_is_tried_again_under_the_same_key(scene: Scene, engine: Engine) -> None:
    scene.did()
    scene.outside.script("DELETE", "/things/1", Answer(503), Answer(500))

    rollback = engine(scene.start())

    keys = [call.key for call in scene.outside.calls("DELETE")]
    assert rollback.state == "completed"
    assert len(keys) == 3
    assert len(set(keys)) == 1


def test_retry_after_is_kept(scene: Scene, engine: Engine) -> None:
    scene.did()
    scene.outside.script("DELETE", "/things/1", Answer(429, headers={"Retry-After": "3600"}))

    engine(scene.start())

    waits = scene.compensation(1).next_attempt_at
    assert waits is not None
    assert waits - timezone.now() > timedelta(minutes=59)


def test_a_permanent_failure_lands_with_the_systems_owner_and_says_why(scene: Scene, engine: Engine) -> None:
    scene.did()
    scene.outside.always["DELETE", "/things/1"] = Answer(403, {"error": "no"})

    rollback = engine(scene.start())

    handed = scene.compensation(1)
    assert rollback.state == "needs_attention"
    assert (handed.state, handed.handed_to) == ("handed_over", scene.owner)
    assert "HTTP 403" in handed.last_error
    assert len(scene.outside.calls("DELETE")) == 1


def test_what_no_database_stores_is_replaced_in_what_the_other_side_said(scene: Scene, engine: Engine) -> None:
    scene.did()
    scene.outside.script("DELETE", "/things/1", Answer(400, b"no\0such thing"))

    engine(scene.start())

    assert scene.compensation(1).last_error == "HTTP 400 no\ufffdsuch thing"


def test_when_the_tries_are_spent_it_is_handed_over(scene: Scene, engine: Engine) -> None:
    scene.did()
    scene.outside.always["DELETE", "/things/1"] = Answer(500)

    engine(scene.start())

    assert scene.compensation(1).state == "handed_over"
    assert len(scene.outside.calls("DELETE")) == 3


def test_with_hold_nothing_further_starts_after_a_failure(scene: Scene, engine: Engine) -> None:
    scene.did(after=[])
    scene.did(after=[1])
    scene.outside.always["DELETE", "/things/2"] = Answer(400)

    engine(scene.start())

    assert scene.states() == ["blocked", "handed_over"]
    assert scene.outside.calls("DELETE", "/things/1") == []


def test_with_continue_other_branches_go_on(scene: Scene, engine: Engine) -> None:
    scene.version.on_compensation_failure = "continue"
    scene.version.save()
    scene.did(after=[])
    scene.did(after=[])
    scene.did(after=[2])
    scene.outside.always["DELETE", "/things/3"] = Answer(400)

    rollback = engine(scene.start())

    assert scene.states() == ["compensated", "blocked", "handed_over"]
    assert rollback.state == "needs_attention"


def test_done_by_hand_with_evidence_lets_the_rest_go_on(scene: Scene, engine: Engine) -> None:
    scene.did(after=[])
    scene.did(after=[1])
    scene.outside.always["DELETE", "/things/2"] = Answer(400)
    rollback = engine(scene.start())

    finish_by_hand(scene.compensation(2), scene.owner, "Removed in the console, ticket 4711.")
    rollback = engine(rollback)

    assert scene.states() == ["compensated", "done_by_hand"]
    assert rollback.state == "completed"


def test_done_by_hand_without_evidence_is_refused(scene: Scene, engine: Engine) -> None:
    scene.did()
    scene.outside.always["DELETE", "/things/1"] = Answer(400)
    engine(scene.start())

    with pytest.raises(Invalid, match="what you did"):
        finish_by_hand(scene.compensation(1), scene.owner, "  ")
    assert scene.compensation(1).state == "handed_over"


def test_a_person_may_let_software_try_again(scene: Scene, engine: Engine) -> None:
    scene.did()
    scene.outside.script("DELETE", "/things/1", Answer(400))
    rollback = engine(scene.start())

    retry_compensation(scene.compensation(1), scene.owner)
    rollback = engine(rollback)

    assert rollback.state == "completed"


def test_a_step_whose_undo_never_resolved_goes_to_its_owner(scene: Scene, engine: Engine) -> None:
    scene.did(undo=None)

    engine(scene.start())

    assert scene.compensation(1).handed_to == scene.owner


def test_an_irreversible_step_leaves_the_rollback_partial(scene: Scene, engine: Engine) -> None:
    scene.did()
    scene.did(reversibility="irreversible", undo=None)

    rollback = engine(scene.start())

    assert scene.states() == ["compensated", "not_possible"]
    assert rollback.state == "partial"
    assert Run.objects.get(pk=scene.run.pk).state == "partly_rolled_back"


def test_an_undo_window_that_has_passed_makes_a_step_count_as_irreversible(scene: Scene) -> None:
    scene.did(undo_expires_at=timezone.now() - timedelta(seconds=1))

    shown = preview(scene.run, ALL)

    assert [item.treatment for item in shown.items] == ["not_possible"]


def test_a_verified_compensation_says_so(scene: Scene, engine: Engine) -> None:
    scene.did(undo=undo_of("/things/1", verification=gone("/things/1")))

    engine(scene.start())

    compensation = scene.compensation(1)
    assert compensation.verified
    assert [a.phase for a in compensation.attempts.order_by("pk")] == ["execute", "verify"]


def test_a_verification_looks_again_until_its_time_is_up(scene: Scene, engine: Engine) -> None:
    scene.did(undo=undo_of("/things/1", verification=gone("/things/1", within=5)))
    scene.outside.script("GET", "/things/1", Answer(200), Answer(200))

    rollback = engine(scene.start())

    assert rollback.state == "completed"
    assert len(scene.outside.calls("GET")) == 3


def test_what_is_not_seen_to_be_restored_is_handed_over(scene: Scene, engine: Engine) -> None:
    scene.did(undo=undo_of("/things/1", verification=gone("/things/1", within=0)))
    scene.outside.always["GET", "/things/1"] = Answer(200)

    engine(scene.start())

    compensation = scene.compensation(1)
    assert compensation.state == "handed_over"
    assert compensation.last_error.startswith("Not seen to be restored")


def test_drift_is_found_before_anything_is_sent(scene: Scene, engine: Engine) -> None:
    check = {"request": {"method": "GET", "path": "/things/1"}, "expect": "response.json.version == output.version"}
    scene.did(undo=undo_of("/things/1", drift_check=check), output={"version": 3})
    scene.outside.always["GET", "/things/1"] = Answer(200, {"version": 4})

    engine(scene.start())

    assert scene.compensation(1).last_error.startswith("Changed since the agent left it")
    assert scene.outside.calls("DELETE") == []


def test_every_try_is_written_down_with_how_it_ended(scene: Scene, engine: Engine) -> None:
    scene.did()
    scene.outside.script("DELETE", "/things/1", Answer(503))

    engine(scene.start())

    attempts = Attempt.objects.filter(compensation=scene.compensation(1)).order_by("pk")
    assert [(a.outcome, a.status) for a in attempts] == [("transient", 503), ("succeeded", 204)]


def test_a_plan_that_changed_since_it_was_shown_is_refused(scene: Scene) -> None:
    scene.did()
    shown = preview(scene.run, ALL)
    scene.did()

    with pytest.raises(Conflict, match="changed"):
        start_rollback(scene.run, ALL, "why", shown.hash, scene.lead)
    assert not Rollback.objects.exists()


def test_a_second_rollback_while_one_is_under_way_is_refused(scene: Scene) -> None:
    scene.did()
    shown = preview(scene.run, ALL)
    scene.start()

    with pytest.raises(Conflict, match="under way"):
        start_rollback(scene.run, ALL, "again", shown.hash, scene.lead)


def test_a_rollback_of_a_rolled_back_run_finds_nothing_to_do(scene: Scene, engine: Engine) -> None:
    scene.did()
    engine(scene.start())

    with pytest.raises(Conflict, match="nothing to undo"):
        start_rollback(scene.run, ALL, "again", preview(scene.run, ALL).hash, scene.lead)


def test_a_rollback_needs_a_reason(scene: Scene) -> None:
    scene.did()

    with pytest.raises(Invalid, match="why"):
        start_rollback(scene.run, ALL, " ", preview(scene.run, ALL).hash, scene.lead)

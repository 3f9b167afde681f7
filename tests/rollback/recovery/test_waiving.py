"""Leaving a step as it is takes a second person, and stays on the record."""

from collections.abc import Callable

import pytest
from django.test import Client

from rollback.approvals.models import Approval
from rollback.approvals.services import decide
from rollback.audit.models import AuditEvent
from rollback.errors import Conflict, Invalid, NotPermitted
from rollback.ownership.models import Role, User
from rollback.recovery.models import Compensation, Rollback
from rollback.recovery.services import ask_to_waive, finish_by_hand, retry_compensation
from tests.api import Caller
from tests.factories import make_person, make_personal_key
from tests.rollback.recovery.conftest import Scene
from tests.rollback.recovery.outside import Answer

Engine = Callable[[Rollback], Rollback]


@pytest.fixture
def stuck(scene: Scene, engine: Engine) -> Compensation:
    """Step 2 cannot be undone by software, and step 1 waits for it."""
    scene.did(), scene.did()
    scene.outside.always["DELETE", "/things/2"] = Answer(400)
    engine(scene.start())
    return scene.compensation(2)


@pytest.fixture
def second(scene: Scene) -> User:
    return make_person(Role.LEAD, name="Second Lead")


def test_what_two_people_agree_on_is_left_and_the_rest_goes_on(
    scene: Scene, stuck: Compensation, second: User, engine: Engine
) -> None:
    asked = ask_to_waive(stuck, scene.owner, "The customer keeps it.")

    decide(asked, second, "approve", "Agreed.")

    assert scene.states() == ["ready", "waived"]
    rollback = engine(stuck.rollback)
    assert rollback.state == "partial"
    assert scene.outside.things == {"/things/2"}
    stuck.refresh_from_db()
    assert (stuck.ended_by, stuck.evidence) == (scene.owner, "The customer keeps it.")
    event = AuditEvent.objects.get(subject=rollback.pk, type="compensation.waive")
    assert event.actor_name == "Second Lead"
    assert "Olu Owner" in event.payload


def test_who_asks_does_not_agree(scene: Scene, stuck: Compensation) -> None:
    asked = ask_to_waive(stuck, scene.lead, "No.")

    with pytest.raises(NotPermitted):
        decide(asked, scene.lead, "approve", "Yes.")

    assert scene.states() == ["blocked", "handed_over"]
    assert scene.lead not in asked.deciders.all()


def test_a_viewer_is_not_asked(scene: Scene, stuck: Compensation) -> None:
    viewer = make_person(Role.VIEWER)
    scene.system.backup = viewer
    scene.system.save()

    asked = ask_to_waive(stuck, scene.lead, "No.")

    assert viewer not in asked.deciders.all()


def test_a_refusal_leaves_it_with_its_owner_and_it_may_be_asked_again(
    scene: Scene, stuck: Compensation, second: User
) -> None:
    decide(ask_to_waive(stuck, scene.owner, "No."), second, "refuse", "Undo it.")

    assert scene.states() == ["blocked", "handed_over"]
    assert ask_to_waive(stuck, scene.owner, "Really not.").state == "pending"


def test_one_request_at_a_time(scene: Scene, stuck: Compensation) -> None:
    ask_to_waive(stuck, scene.owner, "No.")

    with pytest.raises(Conflict) as refused:
        ask_to_waive(stuck, scene.lead, "No.")

    assert refused.value.code == "waiver-pending"


@pytest.mark.parametrize("how", ["by hand", "by software"])
def test_what_was_undone_meanwhile_is_not_waived(scene: Scene, stuck: Compensation, second: User, how: str) -> None:
    asked = ask_to_waive(stuck, scene.owner, "No.")
    if how == "by hand":
        finish_by_hand(stuck, scene.lead, "Did it: TICKET-1")
    else:
        retry_compensation(stuck, scene.lead)

    with pytest.raises(Conflict):
        decide(asked, second, "approve", "Yes.")

    asked.refresh_from_db()
    assert asked.state == "withdrawn"
    assert "waived" not in scene.states()


def test_only_what_was_handed_over_is_waived(scene: Scene, stuck: Compensation) -> None:
    with pytest.raises(Conflict):
        ask_to_waive(scene.compensation(1), scene.lead, "No.")


def test_waiving_needs_a_reason(scene: Scene, stuck: Compensation) -> None:
    with pytest.raises(Invalid):
        ask_to_waive(stuck, scene.lead, " ")


def test_asking_and_agreeing_in_the_browser(scene: Scene, stuck: Compensation, second: User) -> None:
    one, two = Client(), Client()
    one.force_login(scene.owner, backend="django.contrib.auth.backends.ModelBackend")
    two.force_login(second, backend="django.contrib.auth.backends.ModelBackend")
    address = f"/compensations/{stuck.pk}/"

    assert one.post(f"{address}waive/", {"reason": ""}).status_code == 422
    assert one.post(f"{address}waive/", {"reason": "The customer keeps it."}).status_code == 302
    asked = Approval.objects.get()
    page = two.get(f"/approvals/{asked.pk}/")
    assert b"Olu Owner wants to leave thing.make_2 as it is" in page.content
    assert b"The customer keeps it." in page.content
    answer = {"verdict": "approve", "reason": "Agreed.", "shown_hash": asked.shown_hash}
    assert two.post(f"/approvals/{asked.pk}/", answer).status_code == 302

    assert b"Left as it is" in one.get(address).content
    assert scene.states() == ["ready", "waived"]


def test_asking_over_the_api(scene: Scene, stuck: Compensation) -> None:
    caller = Caller(make_personal_key(scene.owner))

    asked = caller.post(f"/compensations/{stuck.pk}/waive", {"reason": "Kept."}).ok(202)

    assert (asked["kind"], asked["status"], asked["shown"]["reason"]) == ("waiver", "pending", "Kept.")
    caller.post(f"/compensations/{stuck.pk}/waive", {"reason": "Kept."}).refused(409, "waiver-pending")
    caller.post(f"/approvals/{asked['id']}/decide", {"verdict": "approve"}).refused(403, "own-request")

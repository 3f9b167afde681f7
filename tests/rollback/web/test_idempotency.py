"""``Idempotency-Key``: a write that is repeated is answered as before, and not carried out again."""

import threading
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.utils import timezone

from rollback.runs.models import Run, Step
from rollback.web.idempotency import forget_old_keys
from rollback.web.models import IdempotencyKey
from tests.api import Answer, Caller
from tests.office import CREATE, Office, open_office

BODY = {"workflow": "onboard", "goal": "Ada"}


def test_a_repeated_write_is_answered_byte_for_byte(office: Office) -> None:
    first = office.agent.post("/runs", BODY, once="k")
    again = office.agent.post("/runs", BODY, once="k")

    assert (again.status, again.raw.content) == (first.status, first.raw.content) == (201, first.raw.content)
    assert again.raw["Content-Type"] == first.raw["Content-Type"]
    assert (again.raw.get("Idempotency-Replayed"), first.raw.get("Idempotency-Replayed")) == ("true", None)
    assert Run.objects.count() == 1


def test_the_same_members_in_another_order_are_the_same_body(office: Office) -> None:
    office.agent.send("POST", "/runs", b'{"workflow": "onboard", "goal": "Ada"}', {"Idempotency-Key": "k"}).ok(201)
    office.agent.send("POST", "/runs", b'{"goal":"Ada","workflow":"onboard"}', {"Idempotency-Key": "k"}).ok(201)

    assert Run.objects.count() == 1


def test_a_reused_key_with_another_body_is_refused(office: Office) -> None:
    office.agent.post("/runs", BODY, once="k").ok(201)
    office.agent.post("/runs", {**BODY, "goal": "Bob"}, once="k").refused(422, "idempotency-mismatch")

    assert Run.objects.count() == 1


def test_a_reused_key_at_another_address_is_refused(office: Office) -> None:
    run = office.agent.post("/runs", BODY, once="k").ok(201)["id"]

    office.agent.post(f"/runs/{run}/heartbeat", BODY, once="k").refused(422, "idempotency-mismatch")


def test_without_a_key_every_write_is_carried_out(office: Office) -> None:
    for _ in range(2):
        office.agent.post("/runs", BODY, once="").ok(201)

    assert Run.objects.count() == 2


def test_a_refusal_is_repeated_too(office: Office) -> None:
    run = office.run()
    body = {"action": "rm.rf", "input": {}}
    first = office.agent.post(f"/runs/{run}/steps", body, once="k")
    again = office.agent.post(f"/runs/{run}/steps", body, once="k")

    first.refused(422, "unknown-action")
    again.refused(422, "unknown-action")
    assert again.raw.content == first.raw.content
    assert again.raw["Idempotency-Replayed"] == "true"


def test_what_was_refused_before_the_body_was_read_does_not_use_up_the_key(office: Office) -> None:
    Caller().post("/runs", BODY, once="k").refused(401, "token-missing")
    office.agent.send("POST", "/runs", b"{", {"Idempotency-Key": "k"}).refused(400, "malformed-body")

    office.agent.post("/runs", BODY, once="k").ok(201)


def test_an_error_of_ours_does_not_use_up_the_key(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("broken")

    with monkeypatch.context() as broken:
        broken.setattr("rollback.runs.services.record", fail)
        office.agent.post("/runs", BODY, once="k").refused(500, "internal")
    assert (Run.objects.count(), IdempotencyKey.objects.count()) == (0, 0)

    office.agent.post("/runs", BODY, once="k").ok(201)


def test_a_key_that_is_too_long_is_refused(office: Office) -> None:
    office.agent.post("/runs", BODY, once="k" * 256).refused(422, "idempotency-key-too-long")


def test_old_keys_are_forgotten_by_age(office: Office) -> None:
    office.agent.post("/runs", BODY, once="old").ok(201)
    IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(days=8))
    office.agent.post("/runs", BODY, once="new").ok(201)

    assert forget_old_keys(timezone.now()) == 1
    assert list(IdempotencyKey.objects.values_list("key", flat=True)) == ["new"]


@pytest.mark.django_db(transaction=True)
def test_two_at_once_with_one_key_have_one_effect() -> None:
    office = open_office()
    run = office.run()
    answers: list[Answer] = []
    gate = threading.Barrier(4)

    def propose() -> None:
        caller = Caller(office.agent.key)
        gate.wait()
        answers.append(caller.post(f"/runs/{run}/steps", {"action": CREATE, "input": {}}, once="k"))
        connection.close()

    threads = [threading.Thread(target=propose) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert Step.objects.count() == 1
    answered = [answer for answer in answers if answer.status == 201]
    assert answered
    assert len({answer.raw.content for answer in answered}) == 1
    for answer in answers:
        if answer.status != 201:
            answer.refused(409, "idempotency-in-flight")
            assert answer.raw["Retry-After"] == "1"


@pytest.mark.django_db(transaction=True)
def test_a_key_whose_first_request_is_under_way_is_a_conflict_or_waits_its_turn() -> None:
    office = open_office()
    once = str(uuid4())
    answers: list[Answer] = []

    def meanwhile() -> None:
        answers.append(Caller(office.agent.key).post("/runs", BODY, once=once))
        connection.close()

    with transaction.atomic():
        first = office.agent.post("/runs", BODY, once=once)  # its transaction ends with this block
        thread = threading.Thread(target=meanwhile)
        thread.start()
        thread.join(1)
    thread.join()

    if connection.vendor == "postgresql":
        answers[0].refused(409, "idempotency-in-flight")
        assert answers[0].raw["Retry-After"] == "1"
    else:
        assert answers[0].raw.content == first.raw.content
    assert Run.objects.count() == 1

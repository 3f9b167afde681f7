"""Secrets of the HTTP executor: sent by reference, and never kept."""

import json
from urllib.parse import quote, quote_plus

import pytest

from rollback.recovery.executors.contract import Call, Result, Target
from rollback.recovery.executors.http import HttpExecutor
from tests.rollback.recovery.executors.calls import answered, arrived, send
from tests.rollback.recovery.executors.wire import answering, listening

SECRET = "the-secret-of-the-tests"
BEARER = {"Authorization": "Bearer ${secret.test_token}"}


def test_a_secret_is_put_in_at_sending() -> None:
    request = arrived(
        headers=BEARER, query={"token": "${secret.test_token}"}, body={"auth": {"token": "${secret.test_token}"}}
    )

    assert request.header("Authorization") == [f"Bearer {SECRET}"]
    assert f"token={SECRET}" in request.line
    assert json.loads(request.body) == {"auth": {"token": SECRET}}


def test_the_call_itself_still_holds_the_reference_afterwards() -> None:
    request = {"method": "POST", "path": "/charges", "headers": dict(BEARER)}
    with listening() as wire:
        HttpExecutor().execute(Call(Target("billing", wire.url, (), True, True), request), "key", 5)

    assert request["headers"] == BEARER


def test_a_missing_secret_is_named_and_nothing_is_sent() -> None:
    with listening() as wire:
        outcome = send(wire.url, headers={"Authorization": "${secret.nobody_has_it}"})

        assert (outcome.result, wire.arrived) == (Result.PERMANENT, [])
        assert "nobody_has_it" in outcome.detail


def test_a_secret_that_comes_back_is_scrubbed_from_what_is_kept() -> None:
    outcome = answered(answering(500, f"no such token: {SECRET}".encode()), headers=BEARER)

    assert outcome.detail == "HTTP 500 no such token: [redacted]"


@pytest.mark.parametrize("before", range(470, 500, 3))
def test_not_even_a_piece_of_a_secret_is_left_where_the_detail_is_cut(before: int) -> None:
    outcome = answered(answering(500, b"x" * before + SECRET.encode()), headers=BEARER)

    assert len(outcome.detail) <= 500
    assert SECRET[:4] not in outcome.detail


@pytest.mark.parametrize(
    ("secret", "echo"),
    [
        ('pass"\\/wörd', json.dumps('pass"\\/wörd')),
        ('pass"\\/wörd', json.dumps('pass"\\/wörd', ensure_ascii=False)),
        ("pass\\'wörd", repr("pass\\'wörd")),
        ("pass/w&rd", quote("pass/w&rd")),
        ("pass/w&rd", quote("pass/w&rd", safe="")),
        ("pass w&rd", quote_plus("pass w&rd")),
    ],
)
def test_a_secret_is_scrubbed_however_it_is_echoed(secret: str, echo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOURSE_SECRET_ODD", secret)
    outcome = answered(answering(400, f"<{echo}>".encode()), body={"password": "${secret.odd}"})

    assert outcome.detail.translate({ord('"'): None, ord("'"): None}) == "HTTP 400 <[redacted]>"


def test_a_secret_that_begins_with_another_is_scrubbed_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOURSE_SECRET_SHORT", "abc")
    monkeypatch.setenv("RECOURSE_SECRET_LONG", "abc-def")
    outcome = answered(answering(400, b"abc-def is wrong"), body={"one": "${secret.short}", "other": "${secret.long}"})

    assert outcome.detail == "HTTP 400 [redacted] is wrong"


def test_a_secret_that_no_header_can_carry_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOURSE_SECRET_BROKEN", "first-line\nsecond-line")
    with listening() as wire:
        outcome = send(wire.url, headers={"Authorization": "${secret.broken}"})

        assert (outcome.result, wire.arrived) == (Result.PERMANENT, [])
        assert "line" not in outcome.detail


def test_the_line_end_after_a_secret_does_not_belong_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOURSE_SECRET_PIPED", "from-a-file\n")

    assert arrived(headers={"X-Key": "${secret.piped}"}).header("X-Key") == ["from-a-file"]

"""Calls are signed as Standard Webhooks says, where the system names a secret for it."""

import base64

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from rollback.recovery.executors.contract import Call, Outcome, Result, Target
from rollback.recovery.executors.http import HttpExecutor
from tests.rollback.recovery.executors.wire import Arrived, listening

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()


def send(url: str, secret: str = "SIGNING", **request: object) -> Outcome:
    """One call to a system whose calls are signed."""
    target = Target("billing", url, allow_http=True, allow_private=True, signing_secret=secret)
    call = Call(target, {"method": "POST", "path": "/charges", **request})
    return HttpExecutor().execute(call, "recourse-key-1", 5.0)


def headers_of(request: Arrived) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers}


@pytest.mark.parametrize("body", [{"for": "ü", "amount": 1}, "plain text", [1, 2], None], ids=repr)
def test_who_receives_it_can_check_it(body: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOURSE_SECRET_SIGNING", SECRET)
    with listening() as wire:
        assert send(wire.url, body=body).result is Result.SUCCEEDED

        headers = headers_of(wire.request)
        Webhook(SECRET).verify(wire.request.body, headers, json_parse=False)
        assert headers["webhook-id"] == headers["idempotency-key"] == "recourse-key-1"


def test_a_changed_body_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOURSE_SECRET_SIGNING", SECRET)
    with listening() as wire:
        send(wire.url, body={"amount": 1})

        with pytest.raises(WebhookVerificationError):
            Webhook(SECRET).verify(wire.request.body + b" ", headers_of(wire.request), json_parse=False)


def test_a_request_cannot_bring_a_signature_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOURSE_SECRET_SIGNING", SECRET)
    with listening() as wire:
        send(wire.url, headers={"Webhook-Signature": "v1,forged", "Webhook-Id": "another"}, body={"amount": 1})

        assert wire.request.header("webhook-id") == ["recourse-key-1"]
        assert "forged" not in str(wire.request.headers)


def test_without_its_secret_nothing_is_sent() -> None:
    with listening() as wire:
        outcome = send(wire.url, secret="NOWHERE", body={"amount": 1})

        assert outcome.result is Result.PERMANENT
        assert "NOWHERE" in outcome.detail
        assert wire.arrived == []


@pytest.mark.parametrize("secret", ["not base64!", ""])
def test_a_secret_that_is_none_is_said_without_showing_it(secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOURSE_SECRET_SIGNING", secret)
    with listening() as wire:
        outcome = send(wire.url, body={"amount": 1})

        assert outcome.result is Result.PERMANENT
        assert not secret or secret not in outcome.detail
        assert wire.arrived == []

"""Every refusal of the API is an RFC 9457 problem document with the status and code that were promised."""

import json
import logging
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from rollback.errors import FieldError, Invalid
from rollback.ownership.models import PersonalToken
from rollback.web.problems import document_of
from tests.api import Caller
from tests.factories import make_agent, make_personal_key
from tests.office import Office


def test_a_call_without_a_token_is_told_what_to_bring(office: Office) -> None:
    answer = Caller().post("/runs", {"workflow": "onboard"})

    answer.refused(401, "token-missing")
    assert answer.raw["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("key", ["nonsense", "abcdefgh.ijklmnop", ".", "a." + "x" * 5000, "é.ü"])
def test_an_unknown_token_is_refused(office: Office, key: str) -> None:
    answer = Caller(key).get("/runs")

    answer.refused(401, "token-unknown")
    assert answer.raw["WWW-Authenticate"] == "Bearer"


def test_the_right_prefix_with_a_wrong_secret_is_an_unknown_token(office: Office) -> None:
    prefix = office.agent.key.partition(".")[0]

    Caller(f"{prefix}.{'x' * 32}").post("/runs", {"workflow": "onboard"}).refused(401, "token-unknown")


def test_an_expired_token_says_so(office: Office) -> None:
    _, key = make_agent(office.onboard, lives=timedelta(seconds=-1))

    Caller(key).post("/runs", {"workflow": "onboard"}).refused(401, "token-expired")


def test_a_revoked_token_says_so(office: Office) -> None:
    office.token.revoked = True
    office.token.save()

    office.agent.post("/runs", {"workflow": "onboard"}).refused(401, "token-revoked")


def test_the_token_of_a_person_who_left_is_revoked(office: Office) -> None:
    caller = office.person(office.lead)
    office.lead.is_active = False
    office.lead.save()

    caller.get("/runs").refused(401, "token-revoked")


def test_an_expired_personal_token_says_so(office: Office) -> None:
    key = make_personal_key(office.lead, expiry_date=timezone.now() - timedelta(seconds=1))

    Caller(key).get("/runs").refused(401, "token-expired")


def test_tokens_are_hashed_at_rest(office: Office) -> None:
    key = make_personal_key(office.lead)
    secret = key.partition(".")[2]

    assert secret not in str(PersonalToken.objects.values().get())
    assert office.agent.key.partition(".")[2] not in str(type(office.token).objects.filter(pk=office.token.pk).values())


@pytest.mark.parametrize(
    "path", ["/nothing", "/runs/not-an-id", "/runs/", "/steps/01a20b48-c5f6-7045-a5e4-cc993a7f2b45/undo"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_address_that_does_not_exist_is_a_problem_too(office: Office, path: str, method: str) -> None:
    office.agent.send(method, path, {} if method == "POST" else None, {}).refused(404, "not-found")


def test_a_method_that_is_not_there_names_those_that_are(office: Office) -> None:
    answer = office.agent.send("DELETE", "/runs", None, {})

    answer.refused(405, "method-not-allowed")
    assert "POST" in answer.raw["Allow"]


def test_another_media_type_is_refused(office: Office) -> None:
    raw = office.agent.client.post(
        "/api/v1/runs", {"workflow": "onboard"}, headers={"Authorization": f"Bearer {office.agent.key}"}
    )

    assert (raw.status_code, raw.json()["code"]) == (415, "unsupported-media-type")


def test_an_answer_that_cannot_be_given_is_refused(office: Office) -> None:
    office.agent.post("/runs", {"workflow": "onboard"}, Accept="text/csv").refused(406, "not-acceptable")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{'workflow': 1}",
        b'{"workflow": NaN}',
        b'{"workflow": -Infinity}',
        b'{"a": 1e999}',
        b"\xff\xfe",
        b'"\x00"',
    ],
)
def test_what_is_not_json_is_malformed(office: Office, body: bytes) -> None:
    expected = (400, "malformed-body") if body else (422, "invalid")

    office.agent.send("POST", "/runs", body, {}).refused(*expected)


def test_a_number_with_thousands_of_digits_is_malformed(office: Office) -> None:
    office.agent.send("POST", "/runs", b'{"workflow": ' + b"9" * 5000 + b"}", {}).refused(400, "malformed-body")


def test_a_body_of_unknown_length_is_refused_and_not_taken_for_empty(office: Office) -> None:
    run = office.run()
    headers = {"Authorization": f"Bearer {office.agent.key}", "Transfer-Encoding": "chunked"}
    raw = office.agent.client.generic("POST", f"/api/v1/runs/{run}/heartbeat", headers=headers)

    assert (raw.status_code, raw.json()["code"]) == (411, "length-required")


def test_text_that_no_database_stores_is_made_storable(office: Office) -> None:
    run = office.agent.send("POST", "/runs", b'{"workflow": "onboard", "goal": "a\\u0000b\\ud800c"}', {}).ok(201)["id"]

    assert office.person(office.lead).get(f"/runs/{run}").ok()["goal"] == "a\ufffdb?c"


def test_a_field_error_carries_pointer_message_and_line() -> None:
    document = document_of(Invalid("No.", errors=[FieldError("/actions/0/key", "empty", 7), FieldError("", "all")]))

    assert document["errors"] == [
        {"pointer": "/actions/0/key", "message": "empty", "line": 7},
        {"pointer": "", "message": "all"},
    ]


def test_a_database_that_is_busy_asks_to_come_back(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: Any, **__: Any) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr("rollback.runs.services.record", busy)
    answer = office.agent.post("/runs", {"workflow": "onboard"})

    answer.refused(503, "busy")
    assert answer.raw["Retry-After"] == "1"


def test_an_unexpected_error_is_logged_and_says_nothing_of_our_inside(
    office: Office, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("the password is hunter2")

    monkeypatch.setattr("rollback.runs.services.record", fail)
    with caplog.at_level(logging.ERROR):
        document = office.agent.post("/runs", {"workflow": "onboard"}).refused(500, "internal")

    assert "hunter2" not in json.dumps(document)
    assert "unexpected error in the API" in caplog.text


def test_the_schema_is_served_and_the_documentation_runs_no_inline_script(office: Office) -> None:
    client = office.agent.client

    schema = client.get("/api/v1/schema")
    assert schema.status_code == 200
    page = client.get("/api/v1/docs")
    assert page.status_code == 200
    policy = page["Content-Security-Policy"]
    assert "script-src 'self';" in policy + ";"
    assert "'unsafe-inline'" in policy.partition("style-src")[2].partition(";")[0]

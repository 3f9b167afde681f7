"""The HTTP executor against a real server: what it sends, and how it judges what comes back."""

import json
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from rollback.recovery.executors.contract import Call, Outcome, Result, Target
from rollback.recovery.executors.http import HttpExecutor
from tests.rollback.recovery.executors.calls import answered, arrived, send
from tests.rollback.recovery.executors.wire import answering, listening

# --- what is sent ---------------------------------------------------------------------------------


def test_the_idempotency_key_is_sent() -> None:
    assert arrived(key="recourse-7").header("Idempotency-Key") == ["recourse-7"]


def test_the_same_call_again_carries_the_same_key() -> None:
    with listening(answering(503)) as wire:
        send(wire.url, key="recourse-7")
        send(wire.url, key="recourse-7")

        assert [request.header("Idempotency-Key") for request in wire.arrived] == [["recourse-7"], ["recourse-7"]]


@pytest.mark.parametrize("name", ["Idempotency-Key", "idempotency-key"])
def test_a_request_cannot_bring_an_idempotency_key_of_its_own(name: str) -> None:
    assert arrived(headers={name: "mine"}).header("Idempotency-Key") == ["key-1"]


@pytest.mark.parametrize("name", ["Host", "host"])
def test_a_request_cannot_name_another_host(name: str) -> None:
    with listening() as wire:
        send(wire.url, headers={name: "metadata.internal"})

        assert wire.request.header("Host") == [f"127.0.0.1:{wire.port}"]


@pytest.mark.parametrize(
    ("name", "value"), [("content-length", "3"), ("Content-Length", "900"), ("transfer-encoding", "chunked")]
)
def test_a_request_cannot_say_another_length_than_its_own(name: str, value: str) -> None:
    request = arrived(headers={name: value}, body="amount=700")

    assert (request.header("Content-Length"), request.header("Transfer-Encoding")) == (["10"], [])
    assert request.body == b"amount=700"


def test_further_headers_are_sent_once_even_where_there_is_a_usual_one() -> None:
    request = arrived(headers={"user-agent": "ours", "X-Ticket": "T-1"})

    assert (request.header("User-Agent"), request.header("X-Ticket")) == (["ours"], ["T-1"])


def test_an_object_is_sent_as_json_in_utf_8() -> None:
    request = arrived(body={"name": "Zoë 🚲", "amount": 7})

    assert request.header("Content-Type") == ["application/json"]
    assert json.loads(request.body.decode("utf-8")) == {"name": "Zoë 🚲", "amount": 7}


def test_text_is_sent_as_it_is_in_utf_8() -> None:
    request = arrived(body="<name>Zoë</name>", headers={"Content-Type": "application/xml"})

    assert (request.body.decode("utf-8"), request.header("Content-Type")) == ("<name>Zoë</name>", ["application/xml"])


def test_without_a_body_none_is_sent() -> None:
    assert arrived(method="DELETE").body == b""


def test_a_body_that_is_no_text_at_all_is_not_sent() -> None:
    with listening() as wire:
        outcome = send(wire.url, body={"name": "half a surrogate \ud800"})

        assert (outcome.result, wire.arrived) == (Result.PERMANENT, [])


def test_what_is_percent_encoded_in_the_path_stays_one_segment() -> None:
    assert arrived(path="/users/a%2Fb%20%3F%23%25/keys").line == "POST /users/a%2Fb%20%3F%23%25/keys HTTP/1.1"


def test_what_is_not_ascii_in_the_path_is_percent_encoded() -> None:
    assert arrived(path="/users/Zoë").line == "POST /users/Zo%C3%AB HTTP/1.1"


def test_the_query_is_encoded_and_added() -> None:
    request = arrived(path="/charges", query={"for": "a&b=c", "dry": "no way"})

    assert request.line == "POST /charges?for=a%26b%3Dc&dry=no+way HTTP/1.1"


def test_the_path_s_own_query_stays_beside_the_further_one() -> None:
    assert arrived(path="/charges?scope=all", query={"for": 7}).line == "POST /charges?scope=all&for=7 HTTP/1.1"


def test_the_base_url_s_own_path_stays() -> None:
    with listening() as wire:
        send(wire.url + "/v2/", path="/charges")

        assert wire.request.line == "POST /v2/charges HTTP/1.1"


@pytest.mark.parametrize("header", ["line\r\nX-Injected: yes", "caf\u00e9 \u2603"])
def test_a_header_that_http_forbids_is_not_sent_and_not_tried_again(header: str) -> None:
    with listening() as wire:
        outcome = send(wire.url, headers={"X-Note": header})

        assert (outcome.result, wire.arrived) == (Result.PERMANENT, [])
        assert outcome.detail.startswith("The request cannot be sent")


# --- where it does not go -------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with listening() as elsewhere, listening() as wire:
        wire.reply = answering(status, b"", f"Location: {elsewhere.url}/taken\r\n")
        outcome = send(wire.url, headers={"Authorization": "Bearer ${secret.test_token}"})

        assert (outcome.result, outcome.status) == (Result.PERMANENT, status)
        assert (len(wire.arrived), elsewhere.arrived) == (1, [])


def test_a_redirect_to_cloud_metadata_is_not_followed() -> None:
    with listening() as wire:
        wire.reply = answering(302, b"", "Location: http://169.254.169.254/latest/meta-data/\r\n")
        began = time.monotonic()
        outcome = send(wire.url)

        assert (outcome.result, outcome.status, len(wire.arrived)) == (Result.PERMANENT, 302, 1)
        assert time.monotonic() - began < 1


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening() as proxy, listening() as wire:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("http_proxy", proxy.url)
        send(wire.url)

        assert (len(wire.arrived), proxy.arrived) == (1, [])


def test_a_system_that_does_not_allow_plain_http_is_not_called_and_no_secret_is_looked_up() -> None:
    with listening() as wire:
        target = Target("billing", wire.url, allow_private=True)
        request = {"method": "POST", "path": "/charges", "headers": {"X-Key": "${secret.nobody_has_it}"}}
        outcome = HttpExecutor().execute(Call(target, request), "key", 5)

        assert outcome == Outcome(Result.PERMANENT, "Not sent: system billing does not allow plain http.")
        assert wire.arrived == []


# --- how the answer is judged ---------------------------------------------------------------------

S, T, P = Result.SUCCEEDED, Result.TRANSIENT, Result.PERMANENT
BY_STATUS = {
    **dict.fromkeys([200, 201, 202, 204, 206, 299], S),
    **dict.fromkeys([408, 409, 423, 425, 429, 500, 502, 503, 504], T),
    **dict.fromkeys([300, 304, 400, 401, 402, 403, 404, 405, 406, 410, 412, 413, 415, 422, 451, 501, 505], P),
}


@pytest.mark.parametrize(("status", "result"), BY_STATUS.items())
def test_the_status_decides(status: int, result: Result) -> None:
    outcome = answered(answering(status, b"" if status in (204, 304) else b"{}"))

    assert (outcome.result, outcome.status) == (result, status)


@pytest.mark.parametrize("status", [404, 410])
def test_deleting_what_is_not_there_is_success(status: int) -> None:
    assert answered(answering(status), method="DELETE").result is S


@pytest.mark.parametrize(
    ("expression", "status", "result"),
    [
        ("response.status == 404", 404, S),
        ("response.status == 404", 200, P),
        ("response.status == 404", 503, T),
        ("response.json.state == 'refunded'", 200, S),
        ("response.json.state == 'pending'", 200, P),
        ("response.json.state == 'pending'", 429, T),
        ("response.json.items[7].state == 'x'", 200, P),
        ("response.json.missing == 1", 200, P),
        ("response.json.missing == 1", 500, T),
        ("response.headers['x-mark'] == 'yes'", 200, S),
        ("response.text.contains('refunded')", 200, S),
        ("response.status", 200, P),  # a number is no yes
        ("response.status ==", 200, P),
    ],
)
def test_succeeds_when_decides_and_the_status_says_whether_to_try_again(
    expression: str, status: int, result: Result
) -> None:
    body = b'{"state": "refunded", "items": []}'

    assert answered(answering(status, body, "X-Mark: yes\r\n"), expect=expression).result is result


def test_an_expression_sees_what_the_step_was_about() -> None:
    with listening(answering(200, b'{"id": "u-7"}')) as wire:
        target = Target("billing", wire.url, allow_http=True, allow_private=True)
        request = {"method": "GET", "path": "/"}
        call = Call(target, request, "response.json.id == output.id", {"output": {"id": "u-7"}})

        assert HttpExecutor().execute(call, "key", 5).result is Result.SUCCEEDED


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b'{"state": ', b"\xff\xfe\x00", b"[" * 100_000, b"[" * 90 + b"]" * 90, b"1" * 10_000]
)
@pytest.mark.parametrize(("status", "result"), [(200, P), (503, T)])
def test_an_answer_that_is_no_json_is_no_yes_to_an_expression_over_json(
    body: bytes, status: int, result: Result
) -> None:
    assert answered(answering(status, body), expect="response.json.state == 'refunded'").result is result


def test_json_is_null_where_the_answer_is_none() -> None:
    assert answered(answering(200, b"<html>"), expect="response.json == null").result is S


def test_what_came_back_is_kept_in_short() -> None:
    outcome = answered(answering(422, b"bad \xff bytes " + b"x" * 5_000))

    assert outcome.detail.startswith("HTTP 422 bad � bytes xxx")
    assert len(outcome.detail) == 500


# --- Retry-After ----------------------------------------------------------------------------------


def asked_to_wait(value: str) -> float | None:
    """The wait that is kept of an answer with this ``Retry-After``."""
    outcome = answered(answering(429, b"", f"Retry-After: {value}\r\n"))
    assert outcome.result is Result.TRANSIENT
    return outcome.retry_after


def test_retry_after_in_seconds_is_kept() -> None:
    assert asked_to_wait("17") == 17.0


def test_retry_after_as_a_date_is_kept() -> None:
    wait = asked_to_wait(format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True))

    assert wait is not None
    assert 80 < wait <= 90


def test_retry_after_as_a_date_without_zone_is_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        wait = asked_to_wait((datetime.now(UTC) + timedelta(seconds=90)).strftime("%a, %d %b %Y %H:%M:%S -0000"))
    finally:
        monkeypatch.undo()
        time.tzset()

    assert wait is not None
    assert 80 < wait <= 90


def test_retry_after_in_the_past_is_now() -> None:
    assert asked_to_wait("Fri, 31 Dec 1999 23:59:59 GMT") == 0.0


@pytest.mark.parametrize("value", ["9" * 400, "100000", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_retry_after_more_than_a_day_is_a_day(value: str) -> None:
    assert asked_to_wait(value) == 86_400.0


@pytest.mark.parametrize("value", ["", "soon", "-5", "1.5", "\u00b2", "Fri, 99 Dec 2099 23:59:59 GMT"])
def test_retry_after_that_is_none_is_left_out(value: str) -> None:
    assert asked_to_wait(value) is None

"""Compensation by HTTP: one request, bounded in time and size, to nowhere but the system's own hosts."""

import datetime as dt
import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
from django.conf import settings
from django.utils import timezone

from rollback.catalog.cel import ExpressionError, compile_expression
from rollback.catalog.templates import render_secrets
from rollback.errors import Invalid
from rollback.recovery.executors.addresses import Blocked, Destination, destination
from rollback.recovery.executors.contract import Call, Outcome, Result
from rollback.recovery.executors.deadline import DeadlineTransport
from rollback.recovery.executors.signing import HEADERS as SIGNATURE_HEADERS
from rollback.recovery.executors.signing import signed
from rollback.recovery.secrets import SecretMissing, scrub, secret
from rollback.web.parsers import json_depth

KEY_HEADER = "Idempotency-Key"
MAX_RESPONSE_BYTES = 1_000_000
DETAIL_CHARACTERS = 500
LONGEST_WAIT = 86_400.0
"""Who asks to come back later than in a day is asked again after a day."""
_OURS = ("Host", "Content-Length", "Transfer-Encoding", "Connection")
"""Headers that follow from the request itself; a request cannot bring its own."""
_RETRIED_STATUSES = frozenset({408, 409, 423, 425, 429, 500, 502, 503, 504})


class TooBig(Exception):
    """The response is larger than is read."""


@dataclass(frozen=True)
class _Response:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    def variables(self) -> dict[str, Any]:
        """What an expression sees as ``response``; ``json`` is null where the body is not JSON, or nested too deep."""
        parsed = None
        if json_depth(self.body) <= settings.API_MAX_JSON_DEPTH:
            with suppress(ValueError):
                parsed = json.loads(self.body.decode("utf-8-sig"))
        return {"status": self.status, "headers": dict(self.headers), "json": parsed, "text": self.text}


class HttpExecutor:
    """Sends the request; a ``succeeds_when`` judges the answer, else the status does.

    Without an expression 2xx is success, and so is 404 or 410 to a DELETE: what was to be removed is gone.
    """

    def execute(self, call: Call, key: str, deadline: float) -> Outcome:
        """See ``Executor.execute``."""
        used: list[str] = []

        def look_up(name: str) -> str:
            used.append(secret(name))
            return used[-1]

        try:
            response = _send(call, key, deadline, look_up)
            outcome = _judge(call, response)
        except SecretMissing as missing:
            outcome = Outcome(Result.PERMANENT, str(missing))
        except Blocked as blocked:
            outcome = Outcome(Result.PERMANENT, f"Not sent: {blocked}.")
        except TooBig as big:
            outcome = Outcome(Result.PERMANENT, str(big))
        except httpx.TimeoutException:
            outcome = Outcome(Result.TRANSIENT, f"No complete answer within {deadline:g} s.")
        except httpx.LocalProtocolError:
            # Its message quotes the header, escaped, so that a secret in it would not be found.
            outcome = Outcome(Result.PERMANENT, "The request cannot be sent: HTTP forbids a character in its headers.")
        except (httpx.HTTPError, OSError) as error:
            outcome = Outcome(Result.TRANSIENT, f"{type(error).__name__}: {error}")
        except (httpx.InvalidURL, ValueError) as error:
            outcome = Outcome(Result.PERMANENT, f"The request cannot be sent: {error}")
        # Cut after scrubbing: half of a secret is not found any more.
        return replace(outcome, detail=scrub(outcome.detail, used)[:DETAIL_CHARACTERS])


def _send(call: Call, key: str, deadline: float, look_up: Any) -> _Response:
    ends = time.monotonic() + deadline
    # The place is checked before any secret is looked up for it.
    where = destination(call.target, str(call.request["path"]))
    request = render_secrets(dict(call.request), look_up)
    where = destination(call.target, str(request["path"]))
    body = _body(request)
    headers = _headers(request, where, key)
    if call.target.signing_secret:
        headers.update(signed(look_up(call.target.signing_secret), key, body, timezone.now()))
    sent: dict[str, Any] = {"headers": headers, "extensions": {"sni_hostname": where.host}}
    if request.get("body") is not None:
        sent["content"] = body
    with (
        httpx.Client(transport=DeadlineTransport(ends), follow_redirects=False, trust_env=False) as client,
        client.stream(str(request.get("method", "POST")), _url(request, where), **sent) as response,
    ):
        answer = b""
        for chunk in response.iter_bytes():
            answer += chunk
            if len(answer) > MAX_RESPONSE_BYTES:
                raise TooBig(f"The answer is larger than {MAX_RESPONSE_BYTES:,} bytes.")
        return _Response(response.status_code, {k.lower(): v for k, v in response.headers.items()}, answer)


def _body(request: Mapping[str, Any]) -> bytes:
    """The body, byte for byte: text as it is, anything else as JSON."""
    body = request.get("body")
    if body is None:
        return b""
    return (body if isinstance(body, str) else json.dumps(body, ensure_ascii=False, separators=(",", ":"))).encode()


def _headers(request: Mapping[str, Any], where: Destination, key: str) -> httpx.Headers:
    """What the request says, without what is ours to say: the name goes into ``Host``, the key into its header."""
    headers = httpx.Headers({"User-Agent": "Recourse", "Accept-Encoding": "identity"})
    if request.get("body") is not None and not isinstance(request["body"], str):
        headers["Content-Type"] = "application/json"
    headers.update({str(name): str(value) for name, value in (request.get("headers") or {}).items()})
    for name in (*_OURS, *SIGNATURE_HEADERS):
        headers.pop(name, None)
    headers["Host"] = where.host_header
    headers[KEY_HEADER] = key
    return headers


def _url(request: Mapping[str, Any], where: Destination) -> httpx.URL:
    """The checked address; its name is proved by TLS."""
    url = httpx.URL(where.pinned_url)
    # Not ``params``: they would replace the query that the path itself has.
    return url.copy_merge_params(query) if (query := request.get("query")) else url


def _judge(call: Call, response: _Response) -> Outcome:
    excerpt = f"HTTP {response.status} {response.text}".strip()
    if _succeeded(call, response):
        return Outcome(Result.SUCCEEDED, excerpt, response.status)
    if response.status in _RETRIED_STATUSES:
        return Outcome(Result.TRANSIENT, excerpt, response.status, _retry_after(response.headers))
    return Outcome(Result.PERMANENT, excerpt, response.status)


def _succeeded(call: Call, response: _Response) -> bool:
    if call.expect:
        try:
            variables = {**call.variables, "response": response.variables()}
            return compile_expression(call.expect).evaluate(variables) is True
        except (ExpressionError, Invalid):
            # What cannot be read as a yes is not one; the status decides whether to try again.
            return False
    gone = str(call.request.get("method", "")).upper() == "DELETE" and response.status in (404, 410)
    return 200 <= response.status < 300 or gone


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait as the other side asked, from either form of ``Retry-After`` (RFC 9110, 10.2.3)."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value), LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)  # HTTP's dates are in UTC, said or not
    return min(max(0.0, (moment - timezone.now()).total_seconds()), LONGEST_WAIT)

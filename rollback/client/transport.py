"""One call to Recourse: idempotent, retried while that can help, bounded by a deadline."""

import random
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from rollback.client.errors import ApiError, Unreachable

RETRIED_STATUSES = frozenset({429, 502, 503, 504})
# A 409: the first try of this very call is still under way there, and its answer will be the answer.
IN_FLIGHT = "idempotency-in-flight"
_MAX_WAIT = 30.0


def new_key() -> str:
    """A fresh idempotency key: one per logical call, kept through its retries."""
    return str(uuid.uuid4())


@dataclass(frozen=True)
class Backoff:
    """How long to wait between tries: exponential with full jitter, in seconds."""

    first: float = 0.25
    factor: float = 2.0
    max: float = 10.0

    def wait(self, attempt: int, asked: float | None) -> float:
        """Before try ``attempt + 1``. What the server asked for (``Retry-After``) is never cut short by jitter."""
        ours = min(self.max, self.first * self.factor ** min(attempt, 30)) * random.uniform(0.5, 1.0)  # noqa: S311 (jitter)
        return ours if asked is None else max(asked, ours)


class Transport:
    """Sends requests and reads answers; safe to use from many threads."""

    def __init__(self, url: str, token: str, *, timeout: float, backoff: Backoff, http: httpx.Client | None) -> None:
        self._owned = http is None
        self._http = http or httpx.Client(follow_redirects=False)
        self._base = url.rstrip("/") + "/api/v1"
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json", "User-Agent": "recourse"}
        self._timeout = timeout
        self._backoff = backoff

    def close(self) -> None:
        """Close the connections, unless they are somebody else's."""
        if self._owned:
            self._http.close()

    def post(self, path: str, body: Mapping[str, Any], *, within: float, key: str | None = None) -> Any:
        """POST ``body``; tries for ``within`` seconds under one idempotency key (a fresh one unless given).

        Raises ``ApiError`` when Recourse refuses, ``Unreachable`` when it cannot be reached in time.
        """
        return self._call("POST", path, within, json=dict(body), headers={"Idempotency-Key": key or new_key()})

    def get(self, path: str, *, within: float, params: Mapping[str, str] | None = None, patience: float = 0.0) -> Any:
        """GET; ``patience`` is how many seconds longer than usual the answer may take (long-poll)."""
        return self._call("GET", path, within, params=dict(params or {}), timeout=self._timeout + patience)

    def _call(self, method: str, path: str, within: float, **arguments: Any) -> Any:
        ends = time.monotonic() + within
        attempt = 0
        while True:
            try:
                return self._send(method, path, **arguments)
            except httpx.TransportError as error:
                # Sent twice does no harm: the idempotency key makes it one.
                failure: Exception = error
                asked = None
            except ApiError as error:
                if error.status not in RETRIED_STATUSES and error.code != IN_FLIGHT:
                    raise
                failure, asked = error, error.retry_after
            wait = self._backoff.wait(attempt, asked)
            if time.monotonic() + wait >= ends:
                words = str(failure) if isinstance(failure, ApiError) else f"{type(failure).__name__}: {failure}"
                raise Unreachable(f"{method} {self._base}{path}, tried {attempt + 1} times: {words}") from failure
            time.sleep(wait)
            attempt += 1

    def _send(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **arguments: Any) -> Any:
        options = {"timeout": self._timeout, **arguments, "headers": {**self._headers, **(headers or {})}}
        response = self._http.request(method, self._base + path, **options)
        if not response.is_success:
            raise _problem(response)
        try:
            return response.json() if response.content else {}
        except ValueError as error:
            raise ApiError(response.status_code, "not-json", detail="Is this the address of Recourse?") from error


def _problem(response: httpx.Response) -> ApiError:
    """The problem document in ``response``, or what can be said without one (a proxy's answer)."""
    try:
        document = response.json()
    except ValueError:
        document = None
    return ApiError.read(
        document if isinstance(document, dict) else {},
        status=response.status_code,
        title=response.reason_phrase,
        retry_after=_retry_after(response.headers.get("Retry-After", "")),
    )


def _retry_after(value: str) -> float | None:
    """Seconds, from either form of ``Retry-After`` (RFC 9110, 10.2.3); at most ``_MAX_WAIT``."""
    try:
        seconds = float(value) if value.strip().isdigit() else parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, TypeError):
        return None
    return min(_MAX_WAIT, max(0.0, seconds))

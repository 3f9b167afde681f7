"""How the agents reach the outside world."""

import time
from typing import Any, Self

import httpx

from examples.demo.world import settings
from rollback.client import OutcomeUnknown

TRIES = 3


class OutsideError(Exception):
    """The world said no. Nothing was changed there."""


class Outside:
    """One system of the world."""

    def __init__(self, system: str) -> None:
        headers = {"Authorization": f"Bearer {settings.token(system)}"}
        self._http = httpx.Client(base_url=f"{settings.url()}/{system}", headers=headers, timeout=10)

    def get(self, path: str) -> dict[str, Any]:
        """What is there. Raises ``OutsideError``."""
        return self._ask("GET", path)

    def put(self, path: str, key: str, **body: Any) -> dict[str, Any]:
        """Put something under a name, once per ``key``. Raises ``OutsideError``."""
        return self._ask("PUT", path, key, body)

    def post(self, path: str, key: str, **body: Any) -> dict[str, Any]:
        """Do something, once per ``key``. Raises ``OutsideError``."""
        return self._ask("POST", path, key, body)

    def _ask(self, method: str, path: str, key: str = "", body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Asks again when it was not answered properly: the key makes it one act. Then nobody knows what happened."""
        for attempt in range(TRIES):
            time.sleep(0.5 * attempt)
            try:
                response = self._http.request(method, path, json=body, headers={"Idempotency-Key": key} if key else {})
            except httpx.TransportError as error:
                failure = f"{type(error).__name__}: {error}"
                continue
            if response.status_code < 500:
                return _read(response)
            failure = f"{response.status_code} {response.text[:200]}"
        raise OutcomeUnknown(f"{method} {path}: {failure}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()


def _read(response: httpx.Response) -> dict[str, Any]:
    answer: dict[str, Any] = response.json() if response.content else {}
    if not response.is_success:
        raise OutsideError(f"{response.status_code} {answer.get('error')}: {answer.get('message')}")
    return answer

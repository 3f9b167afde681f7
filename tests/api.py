"""Callers of the HTTP API for tests: what they send is JSON, and what they hear is kept as it came."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from django.http import HttpResponse
from django.test import Client

API = "/api/v1"
PROBLEM = "application/problem+json"


@dataclass
class Answer:
    """An answer of the API."""

    raw: HttpResponse

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.raw.status_code

    @property
    def json(self) -> Any:
        """The body."""
        return self.raw.json()  # type: ignore[attr-defined]

    def ok(self, status: int = 200) -> Any:
        """The body, if the status is the expected one."""
        assert self.status == status, (self.status, self.raw.content)
        return self.json

    def refused(self, status: int, code: str) -> dict[str, Any]:
        """The problem document, complete and with this status and code."""
        assert (self.status, self.json.get("code")) == (status, code), (self.status, self.raw.content)
        assert self.raw["Content-Type"] == PROBLEM
        document: dict[str, Any] = self.json
        assert {"type", "title", "status", "detail", "code", "errors"} <= document.keys()
        assert document["status"] == status
        return document


@dataclass
class Caller:
    """Somebody who calls the API with a token (none: without)."""

    key: str = ""
    client: Client = field(default_factory=lambda: Client(raise_request_exception=False))

    def post(self, path: str, body: Any = None, *, once: str | None = None, **headers: str) -> Answer:
        """POST ``body`` as JSON; ``once`` is the idempotency key (a fresh one by default, "" for none)."""
        once = str(uuid4()) if once is None else once
        extra = {"Idempotency-Key": once} if once else {}
        return self.send("POST", path, body, {**extra, **headers})

    def get(self, path: str) -> Answer:
        """GET."""
        return self.send("GET", path, None, {})

    def send(self, method: str, path: str, body: Any, headers: Mapping[str, str]) -> Answer:
        """Any request; a body of bytes is sent as it is."""
        authorization = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        options: dict[str, Any] = {"headers": {**authorization, **headers}}
        if body is not None:
            options |= {"data": body, "content_type": "application/json"}
        return Answer(self.client.generic(method, API + path, **_encoded(options)))  # type: ignore[arg-type]


def _encoded(options: dict[str, Any]) -> dict[str, Any]:
    if "data" in options and not isinstance(options["data"], bytes):
        options["data"] = json.dumps(options["data"])
    return options

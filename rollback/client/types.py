"""What goes over the wire, as values that cannot change. Names are those of the HTTP contract."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Self

from rollback.client.errors import ApiError, Problem

Json = dict[str, Any]


class Verdict(StrEnum):
    """What the agent may do now."""

    GO = "go"
    WAIT = "wait"
    HALT = "halt"


class Reversibility(StrEnum):
    """How far a step can be taken back."""

    REVERSIBLE = "reversible"
    COMPENSATABLE = "compensatable"
    IRREVERSIBLE = "irreversible"


class UndoState(StrEnum):
    """Whether Recourse knows how to take a step back."""

    PENDING = "pending"
    RESOLVED = "resolved"
    UNRESOLVED = "unresolved"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Effect:
    """What a step changed: one entity by ``ref``, or ``count`` of them, and money if any moved.

    ``amount`` is in units of ``currency`` (ISO 4217), not in cents.
    """

    system: str
    kind: str
    ref: str | None = None
    count: int | None = None
    amount: Decimal | int | str | None = None
    currency: str | None = None

    def wire(self) -> Json:
        """As the API takes it; amounts as text, so that no digit is lost."""
        amount = None if self.amount is None else str(self.amount)
        ref = None if self.ref is None else str(self.ref)
        return _without_none(
            system=self.system, kind=self.kind, ref=ref, count=self.count, amount=amount, currency=self.currency
        )


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request; ``path`` is below the system's base URL. ``${secret.NAME}`` may stand in headers."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None

    def wire(self) -> Json:
        """As the API takes it."""
        body = {} if self.body is None else {"body": self.body}
        more = _without_empty(headers=dict(self.headers), query=dict(self.query))
        return {"method": self.method, "path": self.path, **more, **body}


@dataclass(frozen=True, slots=True)
class Retry:
    """When to try again: tries in all, seconds until the second, how the wait grows, and its limit in seconds."""

    attempts: int = 5
    first: float = 1.0
    factor: float = 2.0
    max: float = 60.0

    def wire(self) -> Json:
        """As the API takes it."""
        return {
            "attempts": self.attempts,
            "first": _duration(self.first),
            "factor": self.factor,
            "max": _duration(self.max),
        }


@dataclass(frozen=True, slots=True)
class Look:
    """A question to the system, and what its answer must be like: CEL over ``response``, ``input`` and ``output``."""

    request: Request
    expect: str
    within: float | timedelta | None = None

    def wire(self) -> Json:
        """As the API takes it."""
        within = None if self.within is None else _duration(self.within)
        return _without_none(request=self.request.wire(), expect=self.expect, within=within)


@dataclass(frozen=True, slots=True)
class Undo:
    """How a step is taken back, written down by who knows what was done. Wins over the workflow file's."""

    request: Request | None = None
    executor: str = "http"
    succeeds_when: str | None = None
    timeout: float | timedelta | None = None
    retry: Retry | None = None
    drift_check: Look | None = None
    verification: Look | None = None

    @classmethod
    def http(
        cls,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
        verification: Look | None = None,
        drift_check: Look | None = None,
    ) -> Self:
        """One HTTP request undoes it: ``Undo.http("DELETE", f"/users/{user.id}")``."""
        request = Request(method, path, headers or {}, body=body)
        return cls(request, verification=verification, drift_check=drift_check)

    @classmethod
    def by_hand(cls) -> Self:
        """Only a person can undo it, following the runbook."""
        return cls(executor="manual")

    def wire(self) -> Json:
        """As the API takes it."""
        return _without_none(
            executor=self.executor,
            request=self.request.wire() if self.request else None,
            succeeds_when=self.succeeds_when,
            timeout=None if self.timeout is None else _duration(self.timeout),
            retry=self.retry.wire() if self.retry else None,
            drift_check=self.drift_check.wire() if self.drift_check else None,
            verification=self.verification.wire() if self.verification else None,
        )


@dataclass(frozen=True, slots=True)
class Approval:
    """A request for a person's yes: where they decide, and until when."""

    id: str
    url: str
    expires_at: datetime | None

    @classmethod
    def read(cls, data: Mapping[str, Any] | None) -> Self | None:
        """From an answer of the API; None where there is none."""
        return cls(str(data["id"]), str(data["url"]), read_time(data.get("expires_at"))) if data else None


@dataclass(frozen=True, slots=True)
class UndoReport:
    """What became of a step's undo when its result landed. ``unresolved`` means: today nobody could take it back."""

    state: UndoState
    problems: tuple[Problem, ...] = ()
    expires_at: datetime | None = None

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Self:
        """From an answer of the API."""
        problems = tuple(Problem(item.get("pointer", ""), item["message"]) for item in data.get("problems") or ())
        return cls(UndoState(data["state"]), problems, read_time(data.get("expires_at")))


@dataclass(frozen=True, slots=True)
class FinishedStep:
    """A step that was already taken, for ``Run.report``. ``error`` None means that it succeeded.

    ``ref`` is any name by which later steps of the report may depend on it.
    """

    action: str
    input: Mapping[str, Any] = field(default_factory=dict)
    output: Any = None
    error: str | None = None
    effects: Sequence[Effect] = ()
    depends_on: Sequence[str] | None = None
    produces: Sequence[str] = ()
    consumes: Sequence[str] = ()
    system: str | None = None
    reversibility: Reversibility | None = None
    undo: Undo | None = None
    ref: str | None = None

    def wire(self, ids: Mapping[str, str]) -> Json:
        """As the API takes it; ``ids`` are the ids of what was reported before, by ``ref``."""
        return _without_none(
            action=self.action,
            input=dict(self.input),
            status="succeeded" if self.error is None else "failed",
            output=self.output,
            error=self.error,
            depends_on=None if self.depends_on is None else [ids.get(one, one) for one in self.depends_on],
            system=self.system,
            reversibility=self.reversibility,
            undo=self.undo.wire() if self.undo else None,
            ref=self.ref,
        ) | _without_empty(
            effects=[effect.wire() for effect in self.effects],
            produces=list(self.produces),
            consumes=list(self.consumes),
        )


@dataclass(frozen=True, slots=True)
class ReportedStep:
    """Recourse's answer to one step of a batch: its id, or why it was not taken."""

    id: str | None
    undo: UndoReport | None = None
    error: ApiError | None = None

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Self:
        """From an answer of the API."""
        undo = UndoReport.read(data["undo"]) if data.get("undo") else None
        return cls(data.get("id"), undo, ApiError.read(data["error"]) if data.get("error") else None)


def read_time(value: str | None) -> datetime | None:
    """An RFC 3339 time of the API, with its zone."""
    return datetime.fromisoformat(value) if value else None


def _duration(value: float | timedelta) -> str:
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    return f"{round(seconds * 1000)}ms"


def _without_none(**fields: Any) -> Json:
    return {name: value for name, value in fields.items() if value is not None}


def _without_empty(**fields: Any) -> Json:
    return {name: value for name, value in fields.items() if value}

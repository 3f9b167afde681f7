"""What an agent says, once it is known to make sense: what crosses from the API into the services."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any


@dataclass(frozen=True)
class ReportedRun:
    """A run that an agent opens. ``key`` is its own name for it, ``parent`` the id of another run."""

    workflow: str
    key: str = ""
    goal: str = ""
    parent: str | None = None
    input: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ReportedEffect:
    """One thing that a step changed. ``system`` is a slug; empty: the step's own."""

    kind: str
    system: str = ""
    ref: str = ""
    count: int = 1
    amount: Decimal | None = None
    currency: str = ""


@dataclass(frozen=True)
class ReportedStep:
    """A step that an agent wants to take. ``depends_on`` are ids; None: the agent did not say."""

    action: str
    input: dict[str, Any]
    depends_on: Sequence[str] | None = None
    consumes: Sequence[str] = ()
    system: str = ""
    reversibility: str = ""
    undo: Any = None


@dataclass(frozen=True)
class ReportedResult:
    """How a step ended."""

    status: str  # succeeded | failed
    output: Any = None
    error: str = ""
    effects: Sequence[ReportedEffect] = field(default_factory=tuple)
    produces: Sequence[str] = ()
    undo: Any = None

"""What an executor is given, what it answers, and the interface between."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol


class Result(StrEnum):
    """How a call ended, as far as what to do next is concerned."""

    SUCCEEDED = "succeeded"
    TRANSIENT = "transient"  # try again
    PERMANENT = "permanent"  # trying again cannot help: a person takes over
    UNDER_WAY = "under_way"  # it was begun and goes on elsewhere: ask again, under the same key, and count no try


@dataclass(frozen=True)
class Outcome:
    """How a call ended. ``retry_after`` (seconds) is what the other side asked for; ``status`` is HTTP's."""

    result: Result
    detail: str = ""
    status: int | None = None
    retry_after: float | None = None


@dataclass(frozen=True)
class Target:
    """The outside system as far as calls are concerned: where it is and what may be reached in its name."""

    slug: str
    base_url: str
    allowed_hosts: tuple[str, ...] = ()
    allow_http: bool = False
    allow_private: bool = False
    signing_secret: str = ""  # the name of the secret that signs calls; empty: they are not signed
    has_rate: bool = False  # how many calls it gets in a while is limited


@dataclass(frozen=True)
class Call:
    """One thing to do outside. ``request`` still holds references to secrets, never secrets.

    ``expect`` is a CEL expression over ``response``, ``input`` and ``output`` that says whether it worked;
    without it the executor judges by its own rules.
    """

    target: Target
    request: Mapping[str, Any]
    expect: str | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)


class Executor(Protocol):
    """Carries out one call. Called from many threads at once; must not touch the database."""

    def execute(self, call: Call, key: str, deadline: float) -> Outcome:
        """Carry out ``call`` under the idempotency ``key`` within ``deadline`` seconds.

        Never raises for what the outside does: that is an ``Outcome``.
        """
        ...

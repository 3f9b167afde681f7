"""What the client raises.

::

    RecourseError
    ├── Stopped             the agent must not act: nothing was done in this step
    │   ├── Halted          somebody stopped the run, its workflow or its system
    │   ├── ApprovalRefused the person asked said no
    │   ├── ApprovalExpired nobody answered in time
    │   └── ApprovalTimeout the agent itself did not want to wait any longer
    ├── ApiError            Recourse answered with a problem document (RFC 9457)
    ├── Unreachable         no answer from Recourse within the deadline, retries included
    │   └── Undelivered     …and it was the result of a step that was carried out
    └── NoRun               a tool was called outside of ``with recourse.run(…)``

``OutcomeUnknown`` is raised by the agent, not by the client: see there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self


class RecourseError(Exception):
    """Everything that the client raises."""


class Stopped(RecourseError):
    """The step was not cleared: the agent must not act."""

    def __init__(self, message: str, step_id: str | None = None) -> None:
        super().__init__(message)
        self.step_id = step_id


class Halted(Stopped):
    """Stop now: the run, its workflow or its system is frozen, or the run is being taken back."""


class ApprovalRefused(Stopped):
    """The person asked said no."""


class ApprovalExpired(Stopped):
    """Nobody said yes in time."""


class ApprovalTimeout(Stopped):
    """``approval_timeout`` passed; the request for approval is still open."""


class NoRun(RecourseError):
    """A tool was called outside of a run."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with what was sent: a JSON pointer to it, and what is wrong."""

    pointer: str
    message: str


@dataclass
class ApiError(RecourseError):
    """Recourse refused the request. ``code`` is stable, ``detail`` is for people, ``errors`` name the fields.

    ``verdict`` is ``halt`` where the refusal means that the agent must stop.
    """

    status: int
    code: str
    title: str = ""
    detail: str = ""
    errors: list[Problem] = field(default_factory=list)
    verdict: str | None = None
    retry_after: float | None = None

    @classmethod
    def read(
        cls, document: Mapping[str, Any], *, status: int = 0, title: str = "", retry_after: float | None = None
    ) -> Self:
        """From a problem document; ``status`` and ``title`` say what it leaves out (a proxy's answer)."""
        found = document.get("errors")
        return cls(
            status=int(document.get("status") or status),
            code=str(document.get("code") or f"http-{status}"),
            title=str(document.get("title") or title),
            detail=str(document.get("detail") or ""),
            errors=[
                Problem(str(item.get("pointer", "")), str(item.get("message", "")))
                for item in (found if isinstance(found, list) else [])
                if isinstance(item, Mapping)
            ],
            verdict=document.get("verdict"),
            retry_after=retry_after,
        )

    def __str__(self) -> str:
        fields = "".join(f"; {problem.pointer}: {problem.message}" for problem in self.errors)
        return f"{self.status} {self.code}: {self.detail or self.title}{fields}"


class Unreachable(RecourseError):
    """Recourse gave no usable answer within the deadline, however often it was asked."""


class Undelivered(Unreachable):
    """A step was carried out and Recourse could not be told so within the deadline.

    For Recourse the step stays *in doubt*, so a rollback takes it into account. ``result`` is what would have been
    sent, and ``idempotency_key`` under which key: keep both and deliver later with ``Recourse.deliver(…)``.
    """

    def __init__(self, step_id: str, result: dict[str, Any], idempotency_key: str) -> None:
        super().__init__(f"the result of step {step_id} could not be delivered; Recourse counts it as in doubt")
        self.step_id = step_id
        self.result = result
        self.idempotency_key = idempotency_key


class OutcomeUnknown(Exception):
    """Raise it inside a step when the act may or may not have happened (a time-out, say).

    No result is reported then: the step stays in doubt, and a rollback undoes it as if it had been done. Reporting
    it as failed would say that nothing happened.
    """

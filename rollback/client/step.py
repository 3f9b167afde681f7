"""One step: proposed before the act, its result reported after it."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self, Union

import httpx

from rollback.client.errors import (
    ApiError,
    ApprovalExpired,
    ApprovalRefused,
    ApprovalTimeout,
    Halted,
    OutcomeUnknown,
    RecourseError,
    Undelivered,
    Unreachable,
)
from rollback.client.heartbeat import Heartbeat
from rollback.client.jsonable import jsonable
from rollback.client.transport import Transport, new_key
from rollback.client.types import Approval, Effect, Json, Reversibility, Undo, UndoReport, UndoState, Verdict

log = logging.getLogger("rollback.client")
LONG_POLL = 25.0
MAX_ERROR = 10_000  # characters that Recourse keeps of an error
WaitCallback = Callable[["Step"], None]
# After one of these nobody knows whether the act happened.
DOUBTFUL: tuple[type[BaseException], ...] = (
    OutcomeUnknown,
    TimeoutError,
    ConnectionResetError,
    ConnectionAbortedError,
    BrokenPipeError,
    httpx.ReadTimeout,
    httpx.WriteTimeout,
    httpx.ReadError,
    httpx.WriteError,
    httpx.RemoteProtocolError,
)


@dataclass(frozen=True)
class Policy:
    """How long to try, and how long to wait for people; all in seconds."""

    retry_for: float
    deliver_for: float
    approval_timeout: float | None
    on_wait: WaitCallback | None

    def waiting(self, approval_timeout: float | None) -> "Policy":
        """The same with another patience for approvals, if one is given."""
        return self if approval_timeout is None else replace(self, approval_timeout=approval_timeout)


@dataclass(frozen=True)
class StepOptions:
    """What a proposal says beside action and input; see ``Run.step``."""

    depends_on: Sequence[Union["Step", str]] | None = None
    consumes: Sequence[str] = ()
    system: str | None = None
    reversibility: Reversibility | None = None
    undo: Undo | None = None
    idempotency_key: str | None = None

    def wire(self) -> Json:
        """As the API takes it."""
        body: Json = {}
        if self.depends_on is not None:
            body["depends_on"] = [step.id if isinstance(step, Step) else step for step in self.depends_on]
        if self.consumes:
            body["consumes"] = list(self.consumes)
        named = {"system": self.system, "reversibility": self.reversibility}
        body |= {name: str(value) for name, value in named.items() if value is not None}
        if self.undo is not None:
            body["undo"] = self.undo.wire()
        return body


def describe(error: BaseException) -> str:
    """An exception in one line, for people."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


class Step:
    """A step to take; made by ``Run.step`` and used as a context manager. Belongs to one thread."""

    def __init__(
        self,
        transport: Transport,
        policy: Policy,
        heartbeat: Heartbeat,
        run_id: str,
        action: str,
        input: Mapping[str, Any],
        options: StepOptions,
        in_doubt_on: tuple[type[BaseException], ...] = (),
    ) -> None:
        self.action = action
        self.input: Json = jsonable(input)
        self.approval: Approval | None = None
        self.undo: UndoReport | None = None
        self._id: str | None = None
        self._transport, self._policy, self._heartbeat = transport, policy, heartbeat
        self._run_id, self._options = run_id, options
        self._in_doubt_on = DOUBTFUL + in_doubt_on
        self._told = False  # told or tried to: the end of the block has nothing to add

    @property
    def id(self) -> str:
        """The step's id; there is one from the proposal on."""
        if self._id is None:
            raise RecourseError(f"step {self.action} has not been proposed yet: use it with `with`")
        return self._id

    def __enter__(self) -> Self:
        self._check_halted()
        answer = self._propose()
        self._id = str(answer["id"])
        self.approval = Approval.read(answer.get("approval"))
        if Verdict(answer["verdict"]) is Verdict.WAIT:
            answer = self._await_yes()
        self._raise_unless_cleared(answer)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._told:
            return
        if error is None:
            self.succeeded()
        elif isinstance(error, self._in_doubt_on) or not isinstance(error, Exception):
            # Interrupted or cut off: it may have happened. Without a result Recourse counts it as in doubt.
            log.warning("step %s (%s) is in doubt: %s", self.id, self.action, type(error).__name__)
        else:
            self._report_failure(error)

    def succeeded(
        self,
        output: Any = None,
        *,
        effects: Sequence[Effect] = (),
        produces: Sequence[str] = (),
        undo: Undo | None = None,
    ) -> UndoReport:
        """Report that the act is done, at once. Call it as soon as it is; the end of the block does it otherwise.

        ``output`` is what the workflow file's templates refer to. The answer says whether the step's undo could be
        written down; when it could not, that is logged as a warning too. Raises ``Undelivered`` when Recourse cannot be
        told in time, ``ApiError`` when it refuses what was told: then tell it again, with less (``too-large``, say).
        """
        result: Json = {"status": "succeeded", "output": jsonable(output)}
        report = self._deliver(result, effects, produces, undo)
        if report.state is UndoState.UNRESOLVED:
            found = "; ".join(f"{problem.pointer}: {problem.message}" for problem in report.problems)
            log.warning("step %s (%s) cannot be undone as declared: %s", self.id, self.action, found)
        return report

    def failed(
        self,
        error: str,
        *,
        output: Any = None,
        effects: Sequence[Effect] = (),
        produces: Sequence[str] = (),
        undo: Undo | None = None,
    ) -> UndoReport:
        """Report that the act failed. Name the ``effects`` if it did part of its work: those are undone too."""
        result: Json = {"status": "failed", "error": error[:MAX_ERROR]}
        if output is not None:
            result["output"] = jsonable(output)
        return self._deliver(result, effects, produces, undo)

    def _propose(self) -> Json:
        body = {"action": self.action, "input": self.input, **self._options.wire()}
        path = f"/runs/{self._run_id}/steps"
        key = self._options.idempotency_key
        try:
            answer: Json = self._transport.post(path, body, within=self._policy.retry_for, key=key)
        except ApiError as refused:
            self._note_verdict(refused.verdict)
            if refused.verdict == Verdict.HALT:
                raise Halted(f"{self.action}: {refused.detail}") from refused
            raise
        return answer

    def _await_yes(self) -> Json:
        """Long-poll until somebody has decided."""
        if self._policy.on_wait is not None:
            self._policy.on_wait(self)
        patience = self._policy.approval_timeout
        ends = None if patience is None else time.monotonic() + patience
        while True:
            wait = LONG_POLL if ends is None else min(LONG_POLL, max(0.0, ends - time.monotonic()))
            answer = self._look(wait)
            if Verdict(answer["verdict"]) is not Verdict.WAIT:
                return answer
            self._check_halted()
            if ends is not None and time.monotonic() >= ends:
                raise ApprovalTimeout(f"nobody decided about {self.action} within {patience:g} s", self.id)

    def _look(self, wait: float) -> Json:
        within = self._policy.retry_for + wait
        answer: Json = self._transport.get(
            f"/steps/{self.id}", within=within, params={"wait": f"{wait:.2f}"}, patience=wait
        )
        return answer

    def _raise_unless_cleared(self, answer: Json) -> None:
        if answer["status"] == "refused":
            raise ApprovalRefused(
                f"{self.action} was refused: see {self.approval.url if self.approval else ''}", self.id
            )
        if answer["status"] == "expired":
            raise ApprovalExpired(f"nobody approved {self.action} in time", self.id)
        self._note_verdict(answer["verdict"])
        self._check_halted()

    def _check_halted(self) -> None:
        if self._heartbeat.halted.is_set():
            raise Halted(f"run {self._run_id} was halted before {self.action}", self._id)

    def _note_verdict(self, verdict: str | None) -> None:
        if verdict == Verdict.HALT:
            self._heartbeat.halted.set()

    def _report_failure(self, error: Exception) -> None:
        """Report what ended the block; failing to must not hide it."""
        try:
            self.failed(describe(error))
        except RecourseError as undelivered:
            error.add_note(f"Recourse could not be told that step {self.id} failed: {undelivered}")

    def _deliver(
        self, result: Json, effects: Sequence[Effect], produces: Sequence[str], undo: Undo | None
    ) -> UndoReport:
        if self.undo is not None:
            raise RecourseError(f"the result of step {self.id} has been reported already")
        body = {**result, "effects": [effect.wire() for effect in effects], "produces": list(produces)}
        if undo is not None:
            body["undo"] = undo.wire()
        key = new_key()
        self._told = True
        try:
            answer = self._transport.post(f"/steps/{self.id}/result", body, within=self._policy.deliver_for, key=key)
        except Unreachable as error:
            raise Undelivered(self.id, body, key) from error
        self._note_verdict(answer.get("verdict"))
        self.undo = UndoReport.read(answer["undo"])
        return self.undo

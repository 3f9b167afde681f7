"""One run: its steps, its heartbeat, its end."""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar, Token
from itertools import islice
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar, Unpack

from rollback.client.errors import ApiError, Halted, NoRun, RecourseError
from rollback.client.heartbeat import Heartbeat
from rollback.client.jsonable import jsonable
from rollback.client.step import MAX_ERROR, Policy, Step, StepOptions, describe
from rollback.client.tools import StepKeywords, Telling, reported
from rollback.client.transport import Transport
from rollback.client.types import Effect, FinishedStep, Json, ReportedStep, Reversibility, Undo, Verdict

log = logging.getLogger("rollback.client")
P = ParamSpec("P")
R = TypeVar("R")
BATCH = 1_000
_current: ContextVar["Run | None"] = ContextVar("recourse_run", default=None)


def current_run() -> "Run":
    """The run whose ``with`` block we are in. Raises ``NoRun`` outside of one."""
    run = _current.get()
    if run is None:
        raise NoRun("Call tools inside of `with recourse.run(…)`.")
    return run


class Run:
    """An open run. Made by ``Recourse.run``; safe to take steps in from many threads."""

    def __init__(self, transport: Transport, policy: Policy, opened: Json, heartbeat_every: float) -> None:
        self.id = str(opened["id"])
        self.workflow = str(opened.get("workflow", ""))
        self.version = opened.get("version")
        self._transport = transport
        self._policy = policy
        self._tokens: list[Token[Run | None]] = []
        self._ended = False
        self._heartbeat = Heartbeat(self._beat, heartbeat_every)
        if opened.get("verdict") == Verdict.HALT:
            self._heartbeat.halted.set()
        else:
            self._heartbeat.start()

    @property
    def halted(self) -> bool:
        """True once Recourse has said halt: the next step would raise ``Halted``."""
        return self._heartbeat.halted.is_set()

    def raise_if_halted(self) -> None:
        """Raise ``Halted`` when somebody stopped this run; good to call inside a long act."""
        if self.halted:
            raise Halted(f"run {self.id} was halted")

    def step(
        self,
        action: str,
        *,
        input: Mapping[str, Any] | None = None,
        depends_on: Sequence[Step | str] | None = None,
        consumes: Sequence[str] = (),
        system: str | None = None,
        reversibility: Reversibility | None = None,
        undo: Undo | None = None,
        approval_timeout: float | None = None,
        in_doubt_on: tuple[type[BaseException], ...] = (),
        idempotency_key: str | None = None,
    ) -> Step:
        """A step to take, as a context manager: entering it proposes it and waits until it is cleared.

        Entering raises ``Halted``, ``ApprovalRefused``, ``ApprovalExpired`` or ``ApprovalTimeout``: then do not act.
        An exception inside the block is reported as the step's failure and raised again. One that leaves open
        whether the act happened (time-outs, lost connections, ``OutcomeUnknown``, ``in_doubt_on``) is not reported:
        the step stays in doubt, so that a rollback undoes it too.

        ``depends_on`` are the steps that this one builds on; not said, it counts as building on all before it, ``()``
        says that it builds on none. ``undo`` at this point is what is undone should the outcome remain unknown.
        """
        options = StepOptions(depends_on, consumes, system, reversibility, undo, idempotency_key)
        policy = self._policy.waiting(approval_timeout)
        return Step(self._transport, policy, self._heartbeat, self.id, action, input or {}, options, in_doubt_on)

    def tool(
        self,
        action: str,
        *,
        effects: Sequence[Effect] | Callable[[Any], Sequence[Effect]] = (),
        produces: Sequence[str] | Callable[[Any], Sequence[str]] = (),
        undo: Undo | Callable[[Any], Undo | None] | None = None,
        **options: Unpack[StepKeywords],
    ) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """``Recourse.tool`` bound to this run."""
        return reported(lambda: self, action, Telling(effects, produces, undo), options)

    def report(self, steps: Sequence[FinishedStep]) -> list[ReportedStep]:
        """Report steps that were already taken (back-fill, high rates); any number, 1,000 to a request.

        Answers in the order given. A step that was not taken has an ``error`` and no ``id``; the others are in.
        ``depends_on`` may name the ``ref`` of an earlier step.
        """
        answers: list[ReportedStep] = []
        ids: dict[str, str] = {}
        rest = iter(steps)
        while chunk := list(islice(rest, BATCH)):
            body = {"steps": [jsonable(step.wire(ids)) for step in chunk]}
            answer = self._transport.post(f"/runs/{self.id}/steps/batch", body, within=self._policy.deliver_for)
            found = [ReportedStep.read(item) for item in answer["steps"]]
            # Refs are known within one request only; across requests we put the ids in their place.
            ids |= {step.ref: one.id for step, one in zip(chunk, found, strict=True) if step.ref and one.id}
            answers += found
        return answers

    def finish(self, error: str | None = None) -> None:
        """End the run: as succeeded, or as failed with ``error``. Done for you at the end of ``with``.

        Raises ``Halted`` when it was ended by somebody else meanwhile.
        """
        self.close()
        if self._ended:
            return
        body = {"status": "succeeded"} if error is None else {"status": "failed", "error": error[:MAX_ERROR]}
        try:
            self._transport.post(f"/runs/{self.id}/finish", body, within=self._policy.retry_for)
        except ApiError as refused:
            if refused.verdict != Verdict.HALT:
                raise
            self._heartbeat.halted.set()
            raise Halted(f"run {self.id} has ended otherwise: {refused.detail}") from refused
        self._ended = True

    def close(self) -> None:
        """Stop the heartbeat without ending the run: Recourse will find it lost unless somebody goes on with it."""
        self._heartbeat.stop()

    def _beat(self) -> Verdict:
        answer = self._transport.post(f"/runs/{self.id}/heartbeat", {}, within=self._policy.retry_for)
        return Verdict(answer["verdict"])

    def __enter__(self) -> Self:
        self._tokens.append(_current.set(self))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        _current.reset(self._tokens.pop())
        if error is None:
            self.finish()
            return
        try:
            self.finish(describe(error))
        except Halted as halted:
            log.info("%s", halted)
        except RecourseError as untold:
            # What went wrong here matters more: it is what leaves the block.
            error.add_note(f"Recourse could not be told that run {self.id} failed: {untold}")

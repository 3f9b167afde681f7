"""The connection to Recourse, from which runs are opened."""

import os
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar, Unpack

import httpx

from rollback.client.errors import RecourseError
from rollback.client.jsonable import jsonable
from rollback.client.run import Run, current_run
from rollback.client.step import Policy, WaitCallback
from rollback.client.tools import StepKeywords, Telling, reported
from rollback.client.transport import Backoff, Transport
from rollback.client.types import Effect, Undo, UndoReport

P = ParamSpec("P")
R = TypeVar("R")


class Recourse:
    """Where an agent reports. Safe to share between threads; use it as a context manager or ``close`` it.

    ``url`` and ``token`` default to ``RECOURSE_URL`` and ``RECOURSE_TOKEN``. All times are seconds:

    - ``timeout``: one HTTP request.
    - ``retry_for``: how long an ordinary call is tried again while Recourse does not answer.
    - ``deliver_for``: the same for the result of a step, which must not be lost.
    - ``heartbeat_every``: how often a running run says that it lives, in the background.
    - ``approval_timeout``: how long a step waits for a person; None: until the request itself expires.

    ``on_wait(step)`` is called once when a step begins to wait; ``step.approval.url`` is where the person decides.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        timeout: float = 10.0,
        retry_for: float = 30.0,
        deliver_for: float = 300.0,
        heartbeat_every: float = 30.0,
        approval_timeout: float | None = None,
        on_wait: WaitCallback | None = None,
        backoff: Backoff | None = None,
        http: httpx.Client | None = None,
    ) -> None:
        url, token = url or os.environ.get("RECOURSE_URL"), token or os.environ.get("RECOURSE_TOKEN")
        if not url or not token:
            raise RecourseError(
                "Say where Recourse is and who you are: url and token, or RECOURSE_URL and RECOURSE_TOKEN."
            )
        self._transport = Transport(url, token, timeout=timeout, backoff=backoff or Backoff(), http=http)
        self._policy = Policy(retry_for, deliver_for, approval_timeout, on_wait)
        self._heartbeat_every = heartbeat_every

    def run(
        self,
        workflow: str,
        *,
        key: str | None = None,
        goal: str | None = None,
        parent: Run | str | None = None,
        input: Mapping[str, Any] | None = None,
    ) -> Run:
        """Open a run of ``workflow``. Raises ``Halted`` when it must not go on.

        Use it as a context manager: it ends as succeeded when the block does, as failed when an exception leaves it.
        ``key`` is your own name for this run: opening it again finds the same run instead of making a second one
        (and raises ``Halted`` when that one has ended).
        """
        body: dict[str, Any] = {"workflow": workflow}
        named = {"key": key, "goal": goal, "parent": parent.id if isinstance(parent, Run) else parent}
        body |= {name: value for name, value in named.items() if value is not None}
        if input is not None:
            body["input"] = jsonable(input)
        opened = self._transport.post("/runs", body, within=self._policy.retry_for)
        run = Run(self._transport, self._policy, opened, self._heartbeat_every)
        run.raise_if_halted()
        return run

    def tool(
        self,
        action: str,
        *,
        effects: Sequence[Effect] | Callable[[Any], Sequence[Effect]] = (),
        produces: Sequence[str] | Callable[[Any], Sequence[str]] = (),
        undo: Undo | Callable[[Any], Undo | None] | None = None,
        **options: Unpack[StepKeywords],
    ) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """A decorator: every call of the function reports itself as a step of the run it happens in.

        The arguments are the step's input, the return value is its output. ``effects``, ``produces`` and
        ``undo`` are values, or functions of the return value. ``options`` are those of ``Run.step``. Works on
        ``async def`` too. The call raises ``NoRun`` outside of ``with recourse.run(…)``. A thread that you
        start yourself is outside: there use ``run.tool`` or ``contextvars.copy_context().run``.
        """
        return reported(current_run, action, Telling(effects, produces, undo), options)

    def deliver(self, step_id: str, result: Mapping[str, Any], *, idempotency_key: str) -> UndoReport:
        """Deliver what an ``Undelivered`` carries, now that Recourse can be reached again."""
        path = f"/steps/{step_id}/result"
        answer = self._transport.post(path, result, within=self._policy.deliver_for, key=idempotency_key)
        return UndoReport.read(answer["undo"])

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

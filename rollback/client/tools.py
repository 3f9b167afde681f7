"""Functions that report themselves: the decorator behind ``Recourse.tool`` and ``Run.tool``."""

import asyncio
import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ParamSpec, TypedDict, TypeVar, cast

from rollback.client.errors import Undelivered
from rollback.client.step import Step
from rollback.client.types import Effect, Reversibility, Undo

if TYPE_CHECKING:
    from rollback.client.run import Run

P = ParamSpec("P")
R = TypeVar("R")


class StepKeywords(TypedDict, total=False):
    """What a tool passes on to ``Run.step``; see there."""

    depends_on: Sequence[Step | str] | None
    consumes: Sequence[str]
    system: str | None
    reversibility: Reversibility | None
    approval_timeout: float | None
    in_doubt_on: tuple[type[BaseException], ...]


@dataclass(frozen=True)
class Telling:
    """What is told beside the return value: values, or functions of it."""

    effects: Sequence[Effect] | Callable[[Any], Sequence[Effect]]
    produces: Sequence[str] | Callable[[Any], Sequence[str]]
    undo: Undo | Callable[[Any], Undo | None] | None


def reported(
    run: Callable[[], "Run"], action: str, telling: Telling, options: StepKeywords
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """The decorator; ``run`` finds the run at the time of the call. See ``Recourse.tool``."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(function)

        def propose(*args: Any, **kwargs: Any) -> Step:
            return run().step(action, input=_arguments(signature, args, kwargs), **options)

        if inspect.iscoroutinefunction(function):
            return cast("Callable[P, R]", _asynchronous(function, propose, telling))

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            with propose(*args, **kwargs) as step:
                value = function(*args, **kwargs)
                _tell(step, value, telling)
                return value

        return call

    return decorate


def _asynchronous(function: Callable[..., Any], propose: Callable[..., Step], telling: Telling) -> Callable[..., Any]:
    """The same for a coroutine function: talking to Recourse happens in a thread, the loop goes on meanwhile."""

    @functools.wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        step = propose(*args, **kwargs)
        await asyncio.to_thread(step.__enter__)
        try:
            value = await function(*args, **kwargs)
            await asyncio.to_thread(_tell, step, value, telling)
        except BaseException as error:
            # A cancelled call (CancelledError is no Exception) stays in doubt, as it should.
            await asyncio.to_thread(step.__exit__, type(error), error, error.__traceback__)
            raise
        return value

    return call


def _tell(step: Step, value: Any, telling: Telling) -> None:
    """Report the return value as the step's output. Whatever is wrong with the rest, that it was done is reported."""
    try:
        told = {name: _of(getattr(telling, name), value) for name in ("effects", "produces", "undo")}
        step.succeeded(value, **told)
    except Undelivered:
        raise
    except Exception:
        step.succeeded(value)
        raise


def _of(detail: Any, value: Any) -> Any:
    return detail(value) if callable(detail) else detail


def _arguments(signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments by name, defaults included; ``self`` and ``cls`` say nothing about the act."""
    bound = signature.bind(*args, **kwargs)
    bound.apply_defaults()
    named: dict[str, Any] = {}
    for name, parameter in signature.parameters.items():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            named |= bound.arguments[name]
        elif name not in ("self", "cls"):
            named[name] = bound.arguments[name]
    return named

"""One call of the HTTP executor to a real server."""

from typing import Any

from rollback.recovery.executors.contract import Call, Outcome, Result, Target
from rollback.recovery.executors.http import HttpExecutor
from tests.rollback.recovery.executors.wire import Reply, listening


def send(url: str, deadline: float = 5.0, expect: str | None = None, key: str = "key-1", **request: Any) -> Outcome:
    """Carry out one call to the system at ``url``."""
    target = Target("billing", url, allow_http=True, allow_private=True)
    call = Call(target, {"method": "POST", "path": "/charges", **request}, expect)
    return HttpExecutor().execute(call, key, deadline)


def answered(reply: Reply, deadline: float = 5.0, **parts: Any) -> Outcome:
    """The outcome of one call to a server that replies like this."""
    with listening(reply) as wire:
        return send(wire.url, deadline, **parts)


def arrived(**request: Any) -> Any:
    """What arrives of a request."""
    with listening() as wire:
        outcome = send(wire.url, **request)
        assert outcome.result is Result.SUCCEEDED, outcome
        return wire.request

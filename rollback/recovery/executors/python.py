"""Compensation by a Python callable of the installation's own, registered under a name.

Put it into a module called ``compensations`` of any installed app; it is imported when Django starts:

.. code-block:: python

    from rollback.recovery.executors.python import compensates

    @compensates("ledger.void")
    def void(arguments, key):
        ledger.void(arguments["entry"], idempotency_key=key)

A workflow file then says:

.. code-block:: yaml

    executor: python
    request: {callable: ledger.void, arguments: {entry: "${output.id}"}}
"""

from collections.abc import Callable, Mapping
from typing import Any

from rollback.catalog.cel import ExpressionError, compile_expression
from rollback.recovery.executors.contract import Call, Outcome, Result

Compensator = Callable[[Mapping[str, Any], str], Any]
_registered: dict[str, Compensator] = {}
DETAIL_CHARACTERS = 500


class TryAgain(Exception):
    """Raised by a callable: it did not work now and may work later."""


def compensates(name: str) -> Callable[[Compensator], Compensator]:
    """Register a callable under ``name``. It gets the request's arguments and the compensation's key.

    It runs in a thread, may be called again with the same key, and is not interrupted: it has to keep time
    itself. What it raises is handed to a person, except ``TryAgain``. Raises ``ValueError`` for a name that is taken.
    """

    def register(function: Compensator) -> Compensator:
        if _registered.get(name, function) is not function:
            raise ValueError(f"{name} is registered already")
        _registered[name] = function
        return function

    return register


class PythonExecutor:
    """Calls what is registered. ``succeeds_when`` sees what it returned as ``result``."""

    def execute(self, call: Call, key: str, deadline: float) -> Outcome:
        """See ``Executor.execute``."""
        name = str(call.request.get("callable"))
        function = _registered.get(name)
        if function is None:
            return Outcome(Result.PERMANENT, f"No callable is registered as {name}.")
        try:
            result = function(call.request.get("arguments") or {}, key)
        except TryAgain as reason:
            return Outcome(Result.TRANSIENT, str(reason)[:DETAIL_CHARACTERS])
        if call.expect and not _holds(call, result):
            return Outcome(Result.PERMANENT, f"{name} answered {str(result)[:DETAIL_CHARACTERS]}")
        return Outcome(Result.SUCCEEDED, "" if result is None else str(result)[:DETAIL_CHARACTERS])


def _holds(call: Call, result: object) -> bool:
    try:
        return compile_expression(call.expect or "").evaluate({**call.variables, "result": result}) is True
    except ExpressionError:
        return False

"""Compensation by a Celery task of the installation's own, on its own queue and workers.

.. code-block:: yaml

    executor: celery
    request: {task: ledger.void, queue: ledger, kwargs: {entry: "${output.id}"}}
    timeout: 10m

The task is sent once, with the compensation's key as its id, and its result is asked for until ``timeout``; no
worker of ours waits meanwhile. A try that got no result in time sends the task again under the same id, so the
task has to bear that. Which exceptions are worth another try is the task's own business: what it raises in the
end is handed to a person.
"""

import time
from functools import cache as once
from typing import Any

from celery import Celery
from celery.exceptions import CeleryError
from django.conf import settings
from django.core.cache import cache
from kombu.exceptions import OperationalError
from redis import RedisError

from rollback.catalog.cel import ExpressionError, compile_expression
from rollback.recovery.executors.contract import Call, Outcome, Result

DETAIL_CHARACTERS = 500
REMEMBERED_SECONDS = 7 * 24 * 3600
SOONEST, LATEST = 0.5, 30.0
"""Seconds between two looks at a result: a quarter of the time that it has taken so far, within these."""


@once
def _app() -> Celery:
    """Where the tasks are sent, and their results are read: not our own queue."""
    app = Celery("compensations", broker=settings.TASKS_BROKER_URL, backend=settings.TASKS_RESULT_URL)
    app.conf.broker_transport_options = {"socket_connect_timeout": 2, "max_retries": 1, "interval_start": 0}
    return app


class CeleryExecutor:
    """Sends the task, and looks for its result. ``succeeds_when`` sees what it returned as ``result``."""

    def execute(self, call: Call, key: str, deadline: float) -> Outcome:
        """See ``Executor.execute``."""
        try:
            waited = _send_once(call, key)
            return _look(call, key, waited, deadline)
        except (OperationalError, CeleryError, RedisError, OSError) as error:
            return Outcome(Result.TRANSIENT, f"The task could not be sent or asked for: {type(error).__name__}.")


def _send_once(call: Call, key: str) -> float:
    """Send the task unless it was sent; the seconds since then. What is not remembered is sent again: it bears that."""
    sent = cache.get(_memory(key))
    if sent is None:
        request = call.request
        options = {"queue": request["queue"]} if request.get("queue") else {}
        _app().send_task(
            str(request["task"]), request.get("args") or [], request.get("kwargs") or {}, task_id=key, **options
        )
        sent = time.time()
        cache.set(_memory(key), sent, REMEMBERED_SECONDS)
    return max(0.0, time.time() - float(sent))


def _memory(key: str) -> str:
    return f"task-sent:{key}"


def _look(call: Call, key: str, waited: float, deadline: float) -> Outcome:
    task, result = call.request["task"], _app().AsyncResult(key)
    state = result.state
    if state == "SUCCESS":
        value = result.result
        if call.expect and not _holds(call, value):
            return Outcome(Result.PERMANENT, f"{task} answered {str(value)[:DETAIL_CHARACTERS]}")
        return Outcome(Result.SUCCEEDED, "" if value is None else str(value)[:DETAIL_CHARACTERS])
    if state in ("FAILURE", "REVOKED"):
        why = str(result.result)[:DETAIL_CHARACTERS]
        # A person may let it be tried again: then it is sent again.
        result.forget()
        cache.delete(_memory(key))
        return Outcome(Result.PERMANENT, f"{task} failed: {why}")
    if waited > deadline:
        cache.delete(_memory(key))
        return Outcome(Result.TRANSIENT, f"{task} gave no result within {deadline:g} s.")
    return Outcome(Result.UNDER_WAY, f"{task} is under way.", retry_after=min(LATEST, max(SOONEST, waited / 4)))


def _holds(call: Call, value: Any) -> bool:
    try:
        return compile_expression(call.expect or "").evaluate({**call.variables, "result": value}) is True
    except ExpressionError:
        return False

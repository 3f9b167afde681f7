"""The ways to carry out a compensation, behind one interface and found by entry point.

An executor lives in the entry point group ``recourse.executors`` under the name that workflow files use.
"""

from functools import cache
from importlib.metadata import entry_points

from rollback.recovery.executors.celery import CeleryExecutor
from rollback.recovery.executors.contract import Executor
from rollback.recovery.executors.http import HttpExecutor
from rollback.recovery.executors.python import PythonExecutor

GROUP = "recourse.executors"


@cache
def executors() -> dict[str, Executor]:
    """All executors by name: our own and those that other packages bring."""
    found: dict[str, Executor] = {
        "http": HttpExecutor(),
        "celery": CeleryExecutor(),
        "python": PythonExecutor(),
    }
    for point in entry_points(group=GROUP):
        found[point.name] = point.load()()
    return found

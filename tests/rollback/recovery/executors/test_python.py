"""Compensation by a registered callable, and by an executor that somebody else brings."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from rollback.recovery.executors import executors
from rollback.recovery.executors.contract import Call, Outcome, Result, Target
from rollback.recovery.executors.python import PythonExecutor, TryAgain, compensates
from rollback.recovery.models import Rollback
from tests.rollback.recovery.conftest import Scene, undo_of

Engine = Callable[[Rollback], Rollback]
seen: list[tuple[Mapping[str, Any], str]] = []


@compensates("tests.note")
def note(arguments: Mapping[str, Any], key: str) -> dict[str, Any]:
    seen.append((arguments, key))
    return {"noted": arguments.get("what")}


@compensates("tests.later")
def later(arguments: Mapping[str, Any], key: str) -> None:
    raise TryAgain("the ledger is closed for the night")


@compensates("tests.broken")
def broken(arguments: Mapping[str, Any], key: str) -> None:
    raise KeyError("entry")


def call(name: str, expect: str | None = None, **arguments: Any) -> Outcome:
    request = {"callable": name, "arguments": arguments}
    return PythonExecutor().execute(Call(Target("ledger", ""), request, expect), "key-1", 5.0)


def test_it_gets_the_arguments_and_the_key() -> None:
    outcome = call("tests.note", what="x")

    assert (outcome.result, outcome.detail) == (Result.SUCCEEDED, "{'noted': 'x'}")
    assert seen[-1] == ({"what": "x"}, "key-1")


def test_an_expression_judges_what_it_returned() -> None:
    assert call("tests.note", 'result.noted == "x"', what="x").result is Result.SUCCEEDED
    assert call("tests.note", 'result.noted == "y"', what="x").result is Result.PERMANENT
    assert call("tests.note", "result.missing == 1", what="x").result is Result.PERMANENT


def test_it_can_ask_for_another_try() -> None:
    assert call("tests.later") == Outcome(Result.TRANSIENT, "the ledger is closed for the night")


def test_a_name_that_nobody_registered_is_for_a_person() -> None:
    assert call("tests.nobody") == Outcome(Result.PERMANENT, "No callable is registered as tests.nobody.")


def test_a_name_is_registered_once() -> None:
    with pytest.raises(ValueError, match="registered already"):
        compensates("tests.note")(lambda arguments, key: None)


def python_undo(name: str) -> dict[str, Any]:
    return undo_of("", executor="python", request={"callable": name, "arguments": {}})


def test_the_engine_carries_it_out(scene: Scene, engine: Engine) -> None:
    scene.did(undo=python_undo("tests.note"))

    assert engine(scene.start()).state == "completed"
    assert seen[-1][1] == scene.compensation(1).key


def test_what_it_raises_is_handed_to_a_person_without_its_words(scene: Scene, engine: Engine) -> None:
    scene.did(undo=python_undo("tests.broken"))

    assert engine(scene.start()).state == "needs_attention"
    assert scene.compensation(1).last_error == "The executor python failed: KeyError."


class Telegraph:
    """An executor of somebody else's: it takes two looks."""

    def __init__(self) -> None:
        self.looks = 0

    def execute(self, call: Call, key: str, deadline: float) -> Outcome:
        self.looks += 1
        return Outcome(Result.SUCCEEDED if self.looks > 2 else Result.UNDER_WAY, retry_after=0.01)


def test_an_executor_that_somebody_brings_may_take_its_time_without_using_up_tries(
    scene: Scene, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    telegraph = Telegraph()
    monkeypatch.setitem(executors(), "telegraph", telegraph)
    scene.did(undo=undo_of("", executor="telegraph", request={}))

    assert engine(scene.start()).state == "completed"
    assert telegraph.looks == 3
    assert scene.compensation(1).attempts_made == 1

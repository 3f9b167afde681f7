"""Runs: how they open, end, and learn that they must stop."""

import os
import subprocess
import sys
import threading
import time
from datetime import date

import pytest

from rollback.client import (
    ApiError,
    FinishedStep,
    Halted,
    Recourse,
    RecourseError,
)
from tests.rollback.client.contract import Contract, Trouble


def test_the_client_never_imports_django_or_anything_else_of_ours() -> None:
    program = (
        "import sys, rollback.client\n"
        "ours = {m for m in sys.modules if m.split('.')[0] in ('rollback', 'incidents', 'config')}\n"
        "foreign = {m for m in ours if m != 'rollback' and not m.startswith('rollback.client')}\n"
        "assert 'django' not in sys.modules and not foreign, foreign"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)


def test_address_and_token_come_from_the_environment(contract: Contract, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOURSE_URL", contract.url)
    monkeypatch.setenv("RECOURSE_TOKEN", "from-the-environment")

    with Recourse() as recourse, recourse.run("refund-batch"):
        pass

    assert {asked.token for asked in contract.asked} == {"from-the-environment"}


def test_without_an_address_or_a_token_it_says_what_is_missing() -> None:
    assert "RECOURSE_URL" not in os.environ

    with pytest.raises(RecourseError, match="RECOURSE_TOKEN"):
        Recourse()


def test_a_run_is_opened_with_all_that_is_known_and_ends_as_succeeded(recourse: Recourse, contract: Contract) -> None:
    with recourse.run("refund-batch", goal="Refund", input={"day": date(2026, 11, 24)}) as parent:
        with recourse.run("refund-batch", key="nightly", parent=parent):
            pass

    first, second = contract.writes("/runs")
    assert first.body == {"workflow": "refund-batch", "goal": "Refund", "input": {"day": "2026-11-24"}}
    assert second.body == {"workflow": "refund-batch", "key": "nightly", "parent": parent.id}
    assert [run["status"] for run in contract.runs.values()] == ["succeeded", "succeeded"]


def test_an_exception_ends_the_run_as_failed_and_is_raised_again(recourse: Recourse, contract: Contract) -> None:
    with pytest.raises(ZeroDivisionError), recourse.run("refund-batch"):
        raise ZeroDivisionError("no accounts")

    (run,) = contract.runs.values()
    assert (run["status"], run["error"]) == ("failed", "ZeroDivisionError: no accounts")


def test_the_same_key_finds_the_run_again(recourse: Recourse) -> None:
    first = recourse.run("refund-batch", key="nightly")
    second = recourse.run("refund-batch", key="nightly")
    first.close()
    second.close()

    assert first.id == second.id


def test_a_run_that_has_ended_is_not_gone_on_with(recourse: Recourse) -> None:
    with recourse.run("refund-batch", key="nightly"):
        pass

    with pytest.raises(Halted):
        recourse.run("refund-batch", key="nightly")


def test_what_recourse_refuses_is_a_typed_error_that_names_the_fields(recourse: Recourse, contract: Contract) -> None:
    found = [{"pointer": "/workflow", "message": "not active"}]
    document = {"code": "unknown-workflow", "title": "Not found", "detail": "There is none.", "errors": found}
    contract.troubles.append(Trouble("/runs", 404, body=document))

    with pytest.raises(ApiError) as caught:
        recourse.run("nothing")

    assert (caught.value.status, caught.value.code) == (404, "unknown-workflow")
    assert caught.value.errors[0].pointer == "/workflow"
    assert str(caught.value) == "404 unknown-workflow: There is none.; /workflow: not active"
    assert len(contract.writes("/runs")) == 1


def test_the_heartbeat_says_halt_and_the_next_step_is_not_taken(contract: Contract) -> None:
    with Recourse(contract.url, "token", heartbeat_every=0.02) as recourse:
        with pytest.raises(Halted), recourse.run("refund-batch") as run:
            assert not run.halted
            contract.halt()
            assert _eventually(lambda: run.halted)
            with run.step("billing.refund"):
                pytest.fail("a halted run must not act")

    assert not contract.writes("/steps")


def test_a_halt_in_the_answer_to_a_proposal_stops_the_agent(recourse: Recourse, contract: Contract) -> None:
    with pytest.raises(Halted, match="halted"), recourse.run("refund-batch") as run:
        contract.halt()
        with run.step("billing.refund"):
            pytest.fail("a halted run must not act")

    assert run.halted


def test_a_run_that_was_halted_during_its_last_step_does_not_end_as_succeeded(
    recourse: Recourse, contract: Contract
) -> None:
    with pytest.raises(Halted), recourse.run("refund-batch") as run, run.step("billing.refund"):
        contract.halt()

    (step,) = contract.steps.values()
    assert step["status"] == "succeeded"


def test_the_heartbeat_goes_on_until_the_run_ends_and_then_stops(contract: Contract) -> None:
    with Recourse(contract.url, "token", heartbeat_every=0.02) as recourse:
        with recourse.run("refund-batch"):
            assert _eventually(lambda: len(contract.writes("/heartbeat")) >= 2)
        time.sleep(0.05)
        beats = len(contract.writes("/heartbeat"))
        time.sleep(0.1)

    assert len(contract.writes("/heartbeat")) == beats


def test_a_client_that_is_closed_leaves_no_noise_behind(contract: Contract, monkeypatch: pytest.MonkeyPatch) -> None:
    noise: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", noise.append)
    with Recourse(contract.url, "token", heartbeat_every=0.02) as recourse:
        recourse.run("refund-batch")
    beating = [thread for thread in threading.enumerate() if thread.name == "recourse-heartbeat"]
    for thread in beating:
        thread.join(2)

    assert not noise
    assert not any(thread.is_alive() for thread in beating)


def test_finished_steps_are_reported_a_thousand_at_a_time_and_refs_reach_across(
    recourse: Recourse, contract: Contract
) -> None:
    steps = [FinishedStep("billing.refund", {"n": n}, ref=f"r{n}") for n in range(1000)]
    last = FinishedStep("billing.close", depends_on=["r7", "r1000"], error="closed already")
    with recourse.run("refund-batch") as run:
        answers = run.report([*steps, FinishedStep("billing.refund", ref="r1000"), FinishedStep("unknown"), last])

    first, second = contract.writes("/batch")
    assert (len(first.body["steps"]), len(second.body["steps"]), len(answers)) == (1000, 3, 1003)
    assert second.body["steps"][2]["depends_on"] == [answers[7].id, "r1000"]
    assert second.body["steps"][2]["status"] == "failed"
    assert answers[1001].id is None
    assert answers[1001].error is not None
    assert answers[1001].error.code == "unknown-action"
    assert answers[1002].undo is not None


def _eventually(holds: object, within: float = 5.0) -> bool:
    ends = time.monotonic() + within
    while time.monotonic() < ends:
        if callable(holds) and holds():
            return True
        time.sleep(0.01)
    return False

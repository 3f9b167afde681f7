"""Steps: proposed before the act, reported after it, in doubt when nobody knows."""

import logging
import threading
from decimal import Decimal

import httpx
import pytest

from rollback.client import (
    ApiError,
    ApprovalExpired,
    ApprovalRefused,
    ApprovalTimeout,
    Effect,
    Halted,
    Look,
    OutcomeUnknown,
    Recourse,
    RecourseError,
    Request,
    Retry,
    Reversibility,
    Step,
    Undo,
    UndoState,
)
from tests.rollback.client.contract import Contract, Trouble


def test_a_step_is_proposed_before_the_act_and_its_result_reported_after_it(
    recourse: Recourse, contract: Contract
) -> None:
    with recourse.run("refund-batch") as run, run.step("billing.refund", input={"charge": "ch-1"}) as step:
        (proposed,) = contract.writes("/steps")
        assert not contract.writes("/result")
        effect = Effect("billing", "refund", "re-1", amount=Decimal("12.50"), currency="EUR")
        step.succeeded(output={"id": "re-1"}, effects=[effect], produces=["refund:re-1"])

    (result,) = contract.writes("/result")
    assert proposed.body == {"action": "billing.refund", "input": {"charge": "ch-1"}}
    assert result.path.endswith(f"/steps/{step.id}/result")
    assert result.body == {
        "status": "succeeded",
        "output": {"id": "re-1"},
        "effects": [{"system": "billing", "kind": "refund", "ref": "re-1", "amount": "12.50", "currency": "EUR"}],
        "produces": ["refund:re-1"],
    }
    assert step.undo is not None
    assert step.undo.state is UndoState.RESOLVED


def test_the_end_of_the_block_reports_success_when_nobody_else_did(recourse: Recourse, contract: Contract) -> None:
    with recourse.run("refund-batch") as run, run.step("billing.refund"):
        pass

    assert contract.writes("/result")[0].body["status"] == "succeeded"


def test_what_a_step_builds_on_and_brings_along_is_said_in_the_proposal(recourse: Recourse, contract: Contract) -> None:
    look = Look(Request("GET", "/refunds/1"), "response.status == 404", within=2.5)
    undo = Undo(Request("DELETE", "/refunds/1", {"X": "${secret.t}"}), timeout=5, retry=Retry(3), verification=look)
    with recourse.run("refund-batch") as run:
        with run.step("first", depends_on=[]) as first:
            pass
        more = {"consumes": ["account:1"], "system": "billing", "undo": undo}
        with run.step("own", depends_on=[first, "other"], reversibility=Reversibility.COMPENSATABLE, **more):  # type: ignore[arg-type]
            pass

    one, two = (asked.body for asked in contract.writes("/steps"))
    assert one == {"action": "first", "input": {}, "depends_on": []}
    assert (two["depends_on"], two["consumes"], two["system"]) == ([first.id, "other"], ["account:1"], "billing")
    assert two["reversibility"] == "compensatable"
    assert two["undo"] == {
        "executor": "http",
        "request": {"method": "DELETE", "path": "/refunds/1", "headers": {"X": "${secret.t}"}},
        "timeout": "5000ms",
        "retry": {"attempts": 3, "first": "1000ms", "factor": 2.0, "max": "60000ms"},
        "verification": {
            "request": {"method": "GET", "path": "/refunds/1"},
            "expect": "response.status == 404",
            "within": "2500ms",
        },
    }


def test_an_exception_is_reported_as_the_steps_failure_and_raised_again(recourse: Recourse, contract: Contract) -> None:
    with pytest.raises(ValueError, match="account closed"), recourse.run("refund-batch") as run:
        with run.step("billing.refund"):
            raise ValueError("account closed")

    assert contract.writes("/result")[0].body["status"] == "failed"
    assert contract.writes("/result")[0].body["error"] == "ValueError: account closed"


def test_a_step_that_failed_half_way_names_what_it_did(recourse: Recourse, contract: Contract) -> None:
    with recourse.run("refund-batch") as run, run.step("billing.refund_all") as step:
        step.failed("3 of 5", output={"ids": [1, 2, 3]}, effects=[Effect("billing", "refund", count=3)])

    body = contract.writes("/result")[0].body
    assert (body["status"], body["error"], body["effects"][0]["count"]) == ("failed", "3 of 5", 3)


@pytest.mark.parametrize(
    "error", [OutcomeUnknown(), TimeoutError(), httpx.ReadTimeout("slow"), KeyboardInterrupt(), SystemExit(1)]
)
def test_when_nobody_knows_whether_it_happened_no_result_is_reported(
    recourse: Recourse, contract: Contract, error: BaseException
) -> None:
    with pytest.raises(type(error)), recourse.run("refund-batch") as run, run.step("billing.refund"):
        raise error

    assert not contract.writes("/result")
    assert [run["status"] for run in contract.runs.values()] == ["failed"]


def test_an_act_that_surely_did_not_happen_is_a_failure(recourse: Recourse, contract: Contract) -> None:
    with pytest.raises(httpx.ConnectError), recourse.run("refund-batch") as run, run.step("billing.refund"):
        raise httpx.ConnectError("refused")

    assert contract.writes("/result")[0].body["status"] == "failed"


def test_what_fails_after_the_result_does_not_change_it(recourse: Recourse, contract: Contract) -> None:
    with pytest.raises(ValueError, match="later"), recourse.run("refund-batch") as run:
        with run.step("billing.refund") as step:
            step.succeeded(output={"id": 1})
            raise ValueError("later")

    assert [asked.body["status"] for asked in contract.writes("/result")] == ["succeeded"]


def test_a_result_is_reported_once(recourse: Recourse) -> None:
    with recourse.run("refund-batch") as run, run.step("billing.refund") as step:
        step.succeeded()
        with pytest.raises(RecourseError, match="already"):
            step.succeeded()


def test_a_result_that_was_refused_can_be_told_again_with_less(recourse: Recourse, contract: Contract) -> None:
    contract.troubles.append(Trouble("/result", 413, body={"code": "too-large"}))
    with recourse.run("refund-batch") as run, run.step("billing.refund") as step:
        with pytest.raises(ApiError):
            step.succeeded(output={"log": "x" * 1000})
        step.succeeded(output={"id": 1})

    assert contract.steps[step.id]["result"]["output"] == {"id": 1}


def test_an_undo_that_does_not_resolve_is_told_to_the_agent(
    recourse: Recourse, contract: Contract, caplog: pytest.LogCaptureFixture
) -> None:
    found = [{"pointer": "/compensation/request/path", "message": "there is no id"}]
    contract.undo = {"state": "unresolved", "problems": found, "expires_at": "2026-12-24T00:00:00Z"}

    with caplog.at_level(logging.WARNING), recourse.run("refund-batch") as run, run.step("billing.refund") as step:
        report = step.succeeded(output={})

    assert report.state is UndoState.UNRESOLVED
    assert report.problems[0].message == "there is no id"
    assert report.expires_at is not None
    assert report.expires_at.utcoffset() is not None
    assert "there is no id" in caplog.text


def test_a_step_waits_for_the_yes_and_says_where_it_is_given(contract: Contract) -> None:
    contract.ask_for = {"billing.refund"}
    waiting: list[Step] = []

    def decide_once_it_polls() -> None:
        contract.wait_until_asked(waiting[0].id)
        contract.decide("cleared")

    decided = threading.Thread(target=decide_once_it_polls)

    def on_wait(step: Step) -> None:
        waiting.append(step)
        decided.start()

    with Recourse(contract.url, "token", on_wait=on_wait) as recourse, recourse.run("refund-batch") as run:
        with run.step("billing.refund") as step:
            assert contract.steps[step.id]["status"] == "cleared"
    decided.join()

    assert waiting == [step]
    assert step.approval is not None
    assert step.approval.url.startswith(contract.url)


@pytest.mark.parametrize(("decision", "error"), [("refused", ApprovalRefused), ("expired", ApprovalExpired)])
def test_without_a_yes_the_agent_does_not_act(contract: Contract, decision: str, error: type[Exception]) -> None:
    contract.ask_for = {"billing.refund"}
    with Recourse(contract.url, "token", on_wait=lambda step: contract.decide(decision)) as recourse:
        with pytest.raises(error), recourse.run("refund-batch") as run, run.step("billing.refund"):
            pytest.fail("it was not approved")

    assert not contract.writes("/result")


def test_a_halt_ends_the_wait(contract: Contract) -> None:
    contract.ask_for = {"billing.refund"}
    with Recourse(contract.url, "token", on_wait=lambda step: contract.halt()) as recourse:
        with pytest.raises(Halted), recourse.run("refund-batch") as run, run.step("billing.refund"):
            pytest.fail("it was not approved")


def test_an_agent_can_stop_waiting(recourse: Recourse, contract: Contract) -> None:
    contract.ask_for = {"billing.refund"}

    with pytest.raises(ApprovalTimeout), recourse.run("refund-batch") as run:
        with run.step("billing.refund", approval_timeout=0.1):
            pytest.fail("it was not approved")

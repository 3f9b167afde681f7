"""Retrying: a call that is repeated has its effect once, and a result is not lost silently."""

import threading
import time

import httpx
import pytest

from rollback.client import ApiError, Recourse, Undelivered, Unreachable
from rollback.client.transport import Backoff
from tests.rollback.client.contract import Contract, Trouble


@pytest.mark.parametrize("status", [429, 502, 503, 504, None])
def test_a_call_that_may_work_later_is_repeated_under_the_same_key(
    recourse: Recourse, contract: Contract, status: int | None
) -> None:
    contract.troubles += [Trouble("/steps", status), Trouble("/steps", status)]

    with recourse.run("refund-batch") as run, run.step("billing.refund"):
        pass

    asked = contract.writes("/steps")
    assert len(asked) == 3
    assert len({one.key for one in asked}) == 1


def test_a_call_whose_first_try_is_still_under_way_there_is_asked_again(recourse: Recourse, contract: Contract) -> None:
    in_flight = {"status": 409, "code": "idempotency-in-flight", "detail": "The first one is under way."}
    contract.troubles.append(Trouble("/steps", 409, {"Retry-After": "0"}, in_flight))

    with recourse.run("refund-batch") as run, run.step("billing.refund"):
        pass

    assert len({one.key for one in contract.writes("/steps")}) == 1
    assert len(contract.steps) == 1


def test_a_write_whose_answer_was_lost_happens_once(recourse: Recourse, contract: Contract) -> None:
    contract.troubles += [Trouble("/steps", after_acting=True), Trouble("/result", after_acting=True)]

    with recourse.run("refund-batch") as run, run.step("billing.refund"):
        pass

    assert len(contract.steps) == 1
    assert len(contract.writes("/result")) == 2


def test_every_logical_call_has_a_key_of_its_own(recourse: Recourse, contract: Contract) -> None:
    with recourse.run("refund-batch") as run:
        for _ in range(3):
            with run.step("billing.refund"):
                pass

    keys = [asked.key for asked in contract.asked]
    assert all(keys)
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422, 500])
def test_what_will_not_get_better_is_not_repeated(recourse: Recourse, contract: Contract, status: int) -> None:
    contract.troubles.append(Trouble("/runs", status))

    with pytest.raises(ApiError) as caught:
        recourse.run("refund-batch")

    assert (caught.value.status, caught.value.code) == (status, f"http-{status}")
    assert len(contract.writes("/runs")) == 1


def test_retry_after_is_honoured(recourse: Recourse, contract: Contract) -> None:
    contract.troubles.append(Trouble("/runs", 503, {"Retry-After": "1"}))
    began = time.monotonic()

    with recourse.run("refund-batch"):
        pass

    assert time.monotonic() - began >= 1.0


def test_the_deadline_ends_the_retries(contract: Contract) -> None:
    contract.troubles += [Trouble("/runs", 503, {"Retry-After": "20"})]
    with Recourse(contract.url, "token", retry_for=5) as recourse:
        began = time.monotonic()
        with pytest.raises(Unreachable, match="503"):
            recourse.run("refund-batch")

    assert time.monotonic() - began < 3  # no use in waiting for a try that comes after the deadline


def test_a_result_that_cannot_be_delivered_says_so_and_can_be_delivered_later(contract: Contract) -> None:
    quick = Backoff(first=0.01, max=0.05)
    contract.troubles += [Trouble("/result", 503) for _ in range(1000)]
    with Recourse(contract.url, "token", deliver_for=0.2, backoff=quick) as recourse:
        with pytest.raises(Undelivered) as caught, recourse.run("refund-batch") as run:
            with run.step("billing.refund") as step:
                step.succeeded(output={"id": "re-1"})
        contract.troubles.clear()
        lost = caught.value
        report = recourse.deliver(lost.step_id, lost.result, idempotency_key=lost.idempotency_key)

    assert lost.step_id == step.id
    assert report.state == "resolved"
    assert contract.steps[step.id]["result"]["output"] == {"id": "re-1"}
    assert len({asked.key for asked in contract.writes("/result")}) == 1


def test_a_failure_that_cannot_be_delivered_does_not_hide_what_failed(contract: Contract) -> None:
    contract.troubles += [Trouble("/result", 503) for _ in range(1000)]
    with Recourse(contract.url, "token", deliver_for=0.1, backoff=Backoff(first=0.01, max=0.02)) as recourse:
        with pytest.raises(ValueError, match="account closed") as caught, recourse.run("refund-batch") as run:
            with run.step("billing.refund"):
                raise ValueError("account closed")

    assert any("could not be told" in note for note in caught.value.__notes__)


def test_nobody_listening_is_unreachable(unused_port: int) -> None:
    recourse = Recourse(f"http://127.0.0.1:{unused_port}", "token", retry_for=0.2, backoff=Backoff(first=0.01))

    with pytest.raises(Unreachable, match="ConnectError"):
        recourse.run("refund-batch")


def test_an_address_that_is_not_recourse_is_told_so(recourse: Recourse, contract: Contract) -> None:
    contract.troubles.append(Trouble("/runs", 200, body=None))

    with pytest.raises(ApiError, match="address of Recourse"):
        recourse.run("refund-batch")


def test_many_threads_take_steps_in_one_run(recourse: Recourse, contract: Contract) -> None:
    with recourse.run("refund-batch") as run:

        def refund(number: int) -> None:
            with run.step("billing.refund", input={"number": number}, depends_on=()) as step:
                step.succeeded(output={"number": number})

        threads = [threading.Thread(target=refund, args=(number,)) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    results = [(step["body"]["input"], step["result"]["output"]) for step in contract.steps.values()]
    assert len(results) == 20
    assert all(asked == answered for asked, answered in results)


def test_a_client_of_ones_own_is_used_and_left_open(contract: Contract) -> None:
    with httpx.Client() as mine:
        with Recourse(contract.url, "token", http=mine) as recourse, recourse.run("refund-batch"):
            pass
        assert not mine.is_closed

"""The agents' API: waiting for a yes, by long-poll, with real threads and a real database."""

import threading
import time
from collections.abc import Callable

import pytest
from django.db import connection

from rollback.approvals.services import decide
from rollback.runs.services import halt_run
from tests.office import MAIL, Office, open_office, stored_run, stored_step

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def office() -> Office:
    """The office, in a database that other threads see."""
    return open_office()


def soon(act: Callable[[], object]) -> threading.Thread:
    """Do ``act`` in a moment, in another thread."""

    def later() -> None:
        time.sleep(0.4)
        try:
            act()
        finally:
            connection.close()

    thread = threading.Thread(target=later)
    thread.start()
    return thread


def test_the_answer_comes_as_soon_as_the_owner_has_said_yes(office: Office) -> None:
    step = office.step(office.run(), MAIL)
    approval = stored_step(step).approvals.get()
    began = time.monotonic()
    thread = soon(lambda: decide(approval, office.owner, "approve", "The text was read."))
    answer = office.agent.get(f"/steps/{step}?wait=20").ok()
    thread.join()

    assert (answer["status"], answer["verdict"]) == ("cleared", "go")
    assert 0.3 < time.monotonic() - began < 10


def test_the_answer_comes_as_soon_as_the_run_is_halted(office: Office) -> None:
    run = office.run()
    step = office.step(run, MAIL)
    thread = soon(lambda: halt_run(stored_run(run), "Stop.", office.lead.actor()))
    answer = office.agent.get(f"/steps/{step}?wait=20").ok()
    thread.join()

    assert answer["verdict"] == "halt"


def test_nothing_happens_and_the_answer_is_to_go_on_waiting(office: Office) -> None:
    step = office.step(office.run(), MAIL)
    began = time.monotonic()
    answer = office.agent.get(f"/steps/{step}?wait=0.5").ok()

    assert (answer["verdict"], set(answer["approval"])) == ("wait", {"id", "url", "expires_at"})
    assert 0.5 <= time.monotonic() - began < 5


def test_a_verdict_that_is_there_is_answered_at_once(office: Office) -> None:
    step = office.step(office.run())
    began = time.monotonic()

    assert office.agent.get(f"/steps/{step}?wait=25").ok()["verdict"] == "go"
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("wait", ["soon", "", "1,5"])
def test_a_wait_that_is_no_number_is_refused(office: Office, wait: str) -> None:
    office.agent.get(f"/steps/{office.step(office.run())}?wait={wait}").refused(422, "invalid")


@pytest.mark.parametrize("wait", ["-1", "nan", "0"])
def test_a_wait_of_no_time_is_answered_at_once(office: Office, wait: str) -> None:
    assert office.agent.get(f"/steps/{office.step(office.run(), MAIL)}?wait={wait}").ok()["verdict"] == "wait"

"""The supervisor behind ``make run``: nothing that it started outlives it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from config.supervision import CannotStart, free_port, own_port
from tests.acceptance.processes import ROOT, wait_until

SUPERVISE = """
import sys
from config.supervision import supervise
sys.exit(supervise({processes!r}, "http://127.0.0.1:1/", {{}}))
"""
TALKS = "sh -c 'while true; do echo pid $$; sleep 0.1; done'"


@contextmanager
def supervised(**processes: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", SUPERVISE.format(processes=processes)]
    supervisor = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
    )
    try:
        yield supervisor
    finally:
        supervisor.kill()
        supervisor.wait()


def pid_of_the_talker(supervisor: subprocess.Popen[str]) -> int:
    assert supervisor.stdout is not None
    for line in supervisor.stdout:
        if "| pid " in line:
            return int(line.rsplit(" ", 1)[1])
    raise AssertionError("it never spoke")


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_a_kill_and_a_closed_terminal_stop_everything(number: signal.Signals) -> None:
    with supervised(talker=TALKS) as supervisor:
        talker = pid_of_the_talker(supervisor)

        supervisor.send_signal(number)

        assert supervisor.wait(10) == 0
        wait_until(lambda: is_gone(talker), 5)


def test_when_nobody_reads_what_it_prints_everything_stops() -> None:
    with supervised(talker=TALKS) as supervisor:
        talker = pid_of_the_talker(supervisor)

        assert supervisor.stdout is not None
        supervisor.stdout.close()

        supervisor.wait(10)
        wait_until(lambda: is_gone(talker), 5)


def test_one_process_that_ends_by_itself_ends_all_and_that_is_a_failure() -> None:
    with supervised(talker=TALKS, brief="sleep 0.5") as supervisor:
        talker = pid_of_the_talker(supervisor)

        assert supervisor.wait(10) == 1
        wait_until(lambda: is_gone(talker), 5)


@pytest.mark.parametrize("text", ["", "eighty", "0", "65536", "-1"])
def test_a_port_that_is_none_is_said_in_one_line(text: str) -> None:
    with pytest.raises(CannotStart, match="PORT must be a number"):
        own_port(text)


def test_a_free_port_is_taken_as_it_is() -> None:
    port = free_port()

    assert own_port(str(port)) == port

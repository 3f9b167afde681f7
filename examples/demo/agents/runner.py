"""Runs an agent: once with given flags, or as the demo does, a few runs at once and then one every minute or so."""

import argparse
import json
import logging
import os
import signal
import sys
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from examples.demo.agents.job import Agent, Job
from examples.demo.agents.outside import OutsideError
from rollback.client import OutcomeUnknown, Recourse, RecourseError, Step, Stopped

log = logging.getLogger("agent")
WAIT_FOR_TOKEN = 120.0


@dataclass(frozen=True)
class Ended:
    """How a run went: ``succeeded``, ``failed`` (the world refused), ``stopped`` (no yes, or halted)."""

    run: str
    goal: str
    ended: str
    steps: int
    error: str = ""

    def as_planned(self, job: Job) -> bool:
        """A run that was to fail and did is as planned too."""
        return self.ended == ("failed" if job.fail_at else "succeeded")


class Journal:
    """Which runs were begun and not ended: what an agent that was stopped takes up again. A small JSON file."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._lock = threading.Lock()
        self._next: int = 1
        self._open: list[int] = []
        if path.exists():
            stored = json.loads(path.read_text())
            self._next, self._open = stored["next"], stored["open"]

    @property
    def next(self) -> int:
        """The number of the next new run."""
        return self._next

    def open(self) -> list[int]:
        """The numbers of the runs that were begun and not ended."""
        return list(self._open)

    def begin(self) -> int:
        """Take the next number."""
        with self._lock:
            number = self._next
            self._next += 1
            self._open.append(number)
            self._write()
        return number

    def end(self, number: int) -> None:
        """It has ended, whichever way."""
        with self._lock:
            self._open.remove(number)
            self._write()

    def _write(self) -> None:
        """In one move, so that no half-written file is ever found."""
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps({"next": self._next, "open": self._open}))
        new.replace(self._path)


def main(agent: Agent, arguments: Sequence[str] | None = None) -> int:
    """The command line of an agent. With ``--once``: 0 when the run ended as planned, 1 when not."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    options = _parser(agent).parse_args(arguments)
    journal = Journal(Path(os.environ.get("DATA_DIR", "var")) / "demo" / "agents" / f"{agent.workflow}.json")
    if options.once:
        return _once(agent, journal, options)
    _go_on(agent, journal, options)
    return 0


def _parser(agent: Agent) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=agent.__doc__)
    parser.add_argument("--once", action="store_true", help="one run, then exit: 0 when it ended as planned")
    parser.add_argument("--number", type=int, help="which run (everything in it follows from its number)")
    parser.add_argument("--fail-at", choices=agent.actions, metavar="ACTION", help=f"one of {', '.join(agent.actions)}")
    if agent.has_more:
        parser.add_argument("--more", action="store_true", help="with the step that a person must approve")
    parser.add_argument("--approval-timeout", type=float, metavar="SECONDS", help="how long to wait for a yes")
    runs = int(os.environ.get("DEMO_RUNS", "30"))
    parser.add_argument("--runs", type=int, default=runs, help="how many runs in all (DEMO_RUNS, else 30)")
    parser.add_argument("--at-once", type=int, default=4, help="how many of them without a pause (default 4)")
    parser.add_argument("--every", type=float, default=75, metavar="SECONDS", help="the pause between the others")
    return parser


def _once(agent: Agent, journal: Journal, options: argparse.Namespace) -> int:
    number = options.number or journal.begin()
    try:
        more = agent.has_more and options.more
        job = Job(number, f"{agent.workflow}-{number:03d}-{uuid.uuid4().hex[:8]}", options.fail_at, more)
        ended = perform(agent, job, approval_timeout=options.approval_timeout)
    finally:
        if options.number is None:
            journal.end(number)
    print(json.dumps(ended.__dict__), flush=True)
    return 0 if ended.as_planned(job) else 1


def _go_on(agent: Agent, journal: Journal, options: argparse.Namespace) -> None:
    """First what was left open, then new runs; a run that waits for a person does not keep the others waiting."""
    for number in journal.open():
        _begin(agent, journal, number)
    while journal.next <= options.runs:
        if journal.next > options.at_once:
            time.sleep(options.every)
        _begin(agent, journal, journal.begin())
    log.info("%s: all %d runs are done or wait for a person.", agent.workflow, options.runs)
    signal.pause()


def _begin(agent: Agent, journal: Journal, number: int) -> None:
    """Carry out a run in a thread; returns when it has ended or begun to wait for a person."""
    key = f"{agent.workflow}-{number:03d}"
    job = Job(number, key, agent.jobs_fail_at(number), agent.jobs_have_more(number))
    idle = threading.Event()

    def carry_out() -> None:
        try:
            ended = perform(agent, job, idle)
            journal.end(number)
            log.info("%s: %s%s", ended.goal, ended.ended, f" ({ended.error})" if ended.error else "")
        except RecourseError as error:
            # It stays open in the journal and is taken up again at the next start.
            log.error("%s: %s", key, error)
        finally:
            idle.set()

    threading.Thread(target=carry_out, name=key, daemon=True).start()
    idle.wait()


def perform(
    agent: Agent, job: Job, idle: threading.Event | None = None, approval_timeout: float | None = None
) -> Ended:
    """One run from its opening to its end. ``idle`` is set when it begins to wait for a person.

    Raises ``RecourseError`` when Recourse cannot be reached or refuses what is reported.
    """

    def on_wait(step: Step) -> None:
        log.info("%s waits for a yes: %s", step.action, step.approval.url if step.approval else "")
        if idle is not None:
            idle.set()

    goal, ended, error, run_id = agent.goal(job), "succeeded", "", ""
    with Recourse(token=token(), retry_for=120, on_wait=on_wait, approval_timeout=approval_timeout) as recourse:
        try:
            with recourse.run(agent.workflow, key=job.key, goal=goal, input=agent.input(job)) as run:
                run_id = run.id
                agent.carry_out(run, job)
        except (OutsideError, OutcomeUnknown) as refused:
            ended, error = "failed", str(refused)
        except Stopped as stopped:
            ended, error = "stopped", str(stopped)
    return Ended(run_id, goal, ended, job.taken.total(), error)


def token() -> str | None:
    """``RECOURSE_TOKEN``, else what stands in ``RECOURSE_TOKEN_FILE`` as soon as that is there."""
    path = os.environ.get("RECOURSE_TOKEN_FILE")
    if "RECOURSE_TOKEN" in os.environ or not path:
        return os.environ.get("RECOURSE_TOKEN")
    ends = time.monotonic() + WAIT_FOR_TOKEN
    while not Path(path).exists() and time.monotonic() < ends:
        time.sleep(0.5)
    return Path(path).read_text().strip()

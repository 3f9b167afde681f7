"""The demo from end to end, but for the browser: real agents, real HTTP on both sides, the real engine."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from examples.demo.agents.cluster import ClusterChanges
from examples.demo.agents.job import Agent, Job
from examples.demo.agents.onboarding import Onboarding
from examples.demo.agents.refunds import Refunds
from examples.demo.agents.runner import Ended, perform
from examples.demo.world import settings as world_settings
from examples.demo.world.faults import Fault
from examples.demo.world.server import World, state
from rollback.approvals.models import Approval
from rollback.approvals.services import decide
from rollback.audit.actors import RECOURSE
from rollback.catalog.models import Workflow
from rollback.catalog.parsing import Source, sources_in
from rollback.catalog.services import import_sources
from rollback.client import Effect, FinishedStep, Halted, OutcomeUnknown, Recourse, UndoState
from rollback.ownership.models import AgentToken, User
from rollback.recovery import sweeper
from rollback.recovery.coordinator import Coordinator
from rollback.recovery.models import Attempt, Rollback
from rollback.recovery.preview import preview
from rollback.recovery.services import start_rollback
from rollback.runs.models import Run
from tests.examples.conftest import eventually

pytestmark = pytest.mark.django_db(transaction=True)
CATALOG = Path("examples/catalog").absolute()
WRITTEN_URL = f"http://127.0.0.1:{world_settings.DEFAULT_PORT}"
ALL = {"kind": "all", "cascade": False}
# What stays by design: a compensated refund leaves its trace.
TRACES = ("refund", "entry", "batch")


@pytest.fixture
def organisation(world: World, live_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example catalog imported, an agent's token, and Recourse and the world knowing each other's secrets."""
    files = sources_in([CATALOG])
    import_sources([Source(f.name, f.text.replace(WRITTEN_URL, world_settings.url())) for f in files], RECOURSE)
    token, key = AgentToken.objects.create_key(name="demo-agent")
    assert isinstance(token, AgentToken)
    token.workflows.set(Workflow.objects.all())
    monkeypatch.setenv("RECOURSE_URL", live_server.url)
    monkeypatch.setenv("RECOURSE_TOKEN", key)
    for system in world.systems:
        monkeypatch.setenv(f"RECOURSE_SECRET_{system.upper()}_TOKEN", world_settings.token(system))


@pytest.fixture
def take_back(organisation: None) -> Iterator[Callable[[str], Rollback]]:
    """Rolls a run back as the lead does, and works as a worker does until nothing moves any more."""
    pool = ThreadPoolExecutor(16)

    def work(run_id: str) -> Rollback:
        run = Run.objects.get(pk=run_id)
        lead = User.objects.get(email="noor.vandermeer@example.org")
        rollback = start_rollback(run, ALL, "The demo went wrong.", preview(run, ALL).hash, lead)
        ends = time.monotonic() + 30
        while rollback.state == "running" and time.monotonic() < ends:
            Coordinator(rollback.pk, pool, lanes=8, slice_seconds=5).run()
            sweeper.sweep()
            rollback.refresh_from_db()
        return rollback

    yield work
    pool.shutdown()


def without_traces(world: World) -> dict[str, Any]:
    return {kind: things for kind, things in state(world.store).items() if things and kind not in TRACES}


@pytest.mark.parametrize(
    ("agent", "job", "steps"),
    [
        (Onboarding(), Job(1, "a"), 12),
        (Onboarding(), Job(2, "b", fail_at="cluster.grant_role"), 12),
        (Refunds(), Job(2, "c", fail_at="billing.refund"), 6),
        (ClusterChanges(), Job(1, "d"), 4),
        (ClusterChanges(), Job(2, "e", fail_at="cluster.scale"), 3),
    ],
)
def test_what_an_agent_did_is_taken_back_and_the_world_is_as_before(
    take_back: Callable[[str], Rollback], world: World, agent: Agent, job: Job, steps: int
) -> None:
    before = without_traces(world)

    ended = perform(agent, job)
    between = without_traces(world)
    rollback = take_back(ended.run)

    run = Run.objects.get(pk=ended.run)
    assert ended.as_planned(job)
    assert run.steps.count() == steps
    assert not run.steps.filter(undo_state="unresolved").exists()
    assert between != before
    assert rollback.state == "completed", list(rollback.compensations.values_list("state", "last_error"))
    assert run.state == "rolled_back"
    assert rollback.compensations.filter(verified=False).count() == 0
    assert without_traces(world) == before
    assert {refund["status"] for refund in world.store.find("refund")} <= {"reversed"}


def test_the_undos_run_in_reverse_order_of_what_was_built_on_what(
    take_back: Callable[[str], Rollback], world: World
) -> None:
    ended = perform(Onboarding(), Job(1, "a"))
    take_back(ended.run)

    undone = [row["path"] for row in reversed(world.store.requests(500)) if row["method"] == "DELETE"]
    place = {path.split("/")[1] + ("/members" if "members" in path else ""): n for n, path in enumerate(undone)}
    assert all(row["status"] == 204 for row in world.store.requests(500) if row["method"] == "DELETE")
    assert len(undone) == 12
    assert place["namespaces"] < place["budgets"] < place["cost-centres"]
    assert place["users"] > max(place["groups/members"], place["devices"], place["mailboxes"], place["namespaces"])


def test_an_undo_that_is_interrupted_is_repeated_under_one_key_and_done_once(
    take_back: Callable[[str], Rollback], world: World
) -> None:
    ended = perform(Refunds(), Job(1, "a"))
    world.faults.add("billing", Fault(method="POST", path="/refunds", status=502, times=2, after_acting=True))
    rollback = take_back(ended.run)

    assert rollback.state == "completed"
    assert sum(row["repeats"] for row in world.store.applied(100)) >= 2
    for refund in world.store.find("refund"):
        entries = [entry["what"] for entry in world.store.find("entry", refund=refund["id"])]
        assert entries == ["refund", "reversal"]


def test_a_big_refund_is_paid_after_the_owner_said_yes(organisation: None, world: World) -> None:
    def say_yes() -> None:
        assert eventually(Approval.objects.exists)
        asked = Approval.objects.get()
        decide(asked, User.objects.get(email="mei-lin.tan@example.org"), "approve", "Checked with the customer.")

    ended: list[Ended] = []
    agent = threading.Thread(target=lambda: ended.append(perform(Refunds(), Job(3, "a", more=True))))
    agent.start()
    say_yes()
    agent.join(30)

    assert ended[0].ended == "succeeded"
    assert max(float(refund["amount"]) for refund in world.store.find("refund")) > 500


def test_a_refused_welcome_is_never_sent(organisation: None, world: World) -> None:
    ended: list[Ended] = []
    agent = threading.Thread(target=lambda: ended.append(perform(Onboarding(), Job(1, "a", more=True))))
    agent.start()
    assert eventually(Approval.objects.exists)
    owner = User.objects.get(email="amara.okafor@example.org")
    decide(Approval.objects.get(), owner, "refuse", "She starts a week later.")
    agent.join(30)

    assert (ended[0].ended, ended[0].steps) == ("stopped", 13)
    assert world.store.find("message") == []
    assert Run.objects.get().state == "failed"


def test_a_step_in_doubt_is_undone_from_what_was_known_before_it(
    take_back: Callable[[str], Rollback], world: World
) -> None:
    before = without_traces(world)
    with Recourse() as recourse, pytest.raises(OutcomeUnknown), recourse.run("onboard-employee") as run:
        asked = {"code": "cc-lost", "name": "Lost"}
        with run.step("billing.create_cost_centre", input=asked) as step:
            world.store.add("cost_centre", "cc-lost", {"name": "Lost"})
            raise OutcomeUnknown

    rollback = take_back(run.id)

    assert step.undo is None
    assert rollback.state == "completed"
    assert without_traces(world) == before
    assert Attempt.objects.filter(compensation__rollback=rollback, outcome="succeeded").exists()


def test_a_rollback_halts_the_agent(take_back: Callable[[str], Rollback]) -> None:
    with Recourse(heartbeat_every=0.2) as recourse, pytest.raises(Halted), recourse.run("onboard-employee") as run:
        with run.step("billing.create_cost_centre", input={"code": "cc-x", "name": "X"}) as step:
            report = step.succeeded({"id": "cc-x"}, effects=[Effect("billing", "cost_centre", "cc-x")])
        assert report.state is UndoState.RESOLVED
        take_back(run.id)
        assert eventually(lambda: run.halted)
        with run.step("billing.create_cost_centre", input={"code": "cc-y", "name": "Y"}):
            pytest.fail("the agent must not act any more")

    assert Run.objects.get().state == "rolled_back"


def test_an_unresolved_undo_and_a_batch_are_answered_as_the_client_expects(organisation: None) -> None:
    with Recourse() as recourse, recourse.run("onboard-employee", key="batch") as run:
        with run.step("directory.register_device", input={"user": "u-0001", "model": "Laptop"}) as step:
            report = step.succeeded({"serial": "?"})
        one = FinishedStep("billing.create_cost_centre", {"code": "cc-1", "name": "One"}, ref="one")
        two = FinishedStep("billing.open_budget", {"amount": 5}, {"id": "bu-1", "amount": "5"}, depends_on=["one"])
        answers = run.report([one, two, FinishedStep("no.such_action")])

    assert report.state is UndoState.UNRESOLVED
    assert report.problems
    assert [answer.undo.state if answer.undo else None for answer in answers] == ["resolved", "resolved", None]
    assert answers[2].error is not None
    assert answers[2].error.code == "unknown-action"
    stored = Run.objects.get().steps.get(action_key="billing.open_budget")
    assert stored.depends_on == [answers[0].id]
    assert Run.objects.get().state == "succeeded"
    assert Run.objects.get().ended_at <= timezone.now()  # type: ignore[operator]

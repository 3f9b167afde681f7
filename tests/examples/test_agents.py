"""The demo's agents really work in the world and report what they do there."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.demo.agents.cluster import ClusterChanges
from examples.demo.agents.job import Agent, Job
from examples.demo.agents.onboarding import Onboarding
from examples.demo.agents.refunds import Refunds, charges_of
from examples.demo.agents.runner import Journal, main, perform
from examples.demo.world.server import World, state
from tests.rollback.client.contract import Contract, contract_server

AGENTS: list[Agent] = [Onboarding(), Refunds(), ClusterChanges()]


@pytest.fixture
def contract(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Contract]:
    """Where the agents report."""
    with contract_server() as running:
        monkeypatch.setenv("RECOURSE_URL", running.url)
        monkeypatch.setenv("RECOURSE_TOKEN", "the-token")
        monkeypatch.setenv("DATA_DIR", str(tmp_path))
        yield running


def test_onboarding_takes_twelve_steps_that_form_a_graph(contract: Contract, world: World) -> None:
    ended = perform(Onboarding(), Job(1, "first"))

    steps = list(contract.steps.values())
    assert (ended.ended, ended.steps, len(steps)) == ("succeeded", 12, 12)
    roots = [step["body"]["action"] for step in steps if step["body"]["depends_on"] == []]
    assert roots == ["directory.create_user", "billing.create_cost_centre"]
    assert all(step["result"]["effects"] for step in steps)
    assert len(world.store.find("membership", user=steps[0]["result"]["output"]["id"])) == 3
    assert len(world.store.find("namespace")) == 3


@pytest.mark.parametrize(
    ("agent", "action"), [(agent, action) for agent in AGENTS for action in agent.actions if "welcome" not in action]
)
def test_a_run_fails_exactly_where_it_is_told_to(contract: Contract, world: World, agent: Agent, action: str) -> None:
    ended = perform(agent, Job(3, "third", fail_at=action))

    steps = list(contract.steps.values())
    assert ended.ended == "failed"
    assert (steps[-1]["body"]["action"], steps[-1]["status"]) == (action, "failed")
    assert {step["status"] for step in steps[:-1]} <= {"succeeded"}
    assert [run["status"] for run in contract.runs.values()] == ["failed"]


def test_a_failure_at_the_last_step_has_reported_twelve(
    contract: Contract, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(Onboarding(), ["--once", "--fail-at", "cluster.grant_role"])

    told = json.loads(capsys.readouterr().out)
    assert (code, told["ended"], told["steps"]) == (0, "failed", 12)
    assert told["run"] in contract.runs


def test_a_run_that_does_not_end_as_planned_exits_with_one(
    contract: Contract, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.store.remove("group", "vpn")

    assert main(Onboarding(), ["--once"]) == 1
    assert json.loads(capsys.readouterr().out)["ended"] == "failed"


def test_a_big_refund_waits_for_a_yes_and_without_one_no_money_moves(contract: Contract, world: World) -> None:
    contract.ask_for = {"billing.refund"}
    ended = perform(Refunds(), Job(3, "third", more=True), approval_timeout=0.1)

    assert ended.ended == "stopped"
    assert world.store.find("refund") == []


def test_some_batches_hold_a_refund_over_500_and_some_do_not(world: World) -> None:
    def amounts(job: Job) -> list[float]:
        return [float((world.store.get("charge", charge) or {})["amount"]) for charge in charges_of(job)]

    assert all(max(amounts(Job(number, "", more=True))) > 500 for number in range(1, 15))
    assert all(max(amounts(Job(number, ""))) < 500 for number in range(1, 15))


def test_an_agent_that_was_stopped_takes_up_the_run_again_and_does_nothing_twice(
    contract: Contract, world: World
) -> None:
    contract.ask_for = {"mail.send_welcome"}
    first = perform(Onboarding(), Job(1, "first", more=True), approval_timeout=0.05)
    between = state(world.store)
    run = contract.runs[first.run]
    run["status"] = "running"  # as if the process had been killed while it waited
    contract.ask_for = set()
    contract.decide("cleared")

    again = perform(Onboarding(), Job(1, "first", more=True))

    after = state(world.store)
    assert (first.ended, again.ended) == ("stopped", "succeeded")
    assert again.run == first.run
    assert len(contract.steps) == 13
    assert {kind: things for kind, things in after.items() if kind != "message"} == between
    assert len(after["message"]) == 1


def test_the_journal_remembers_what_was_left_open(tmp_path: Path) -> None:
    path = tmp_path / "agents" / "journal.json"
    journal = Journal(path)
    first, second = journal.begin(), journal.begin()
    journal.end(first)

    found = Journal(path)

    assert (found.open(), found.next) == ([second], 3)

"""The agents' API: opening a run and proposing steps."""

from typing import Any
from uuid import uuid4

import pytest

from rollback.runs.models import Run
from tests.api import Caller
from tests.factories import make_agent
from tests.office import CREATE, Office, stored_run, stored_step


def test_opening_a_run_pins_it_to_the_active_version(office: Office) -> None:
    answer = office.agent.post("/runs", {"workflow": "onboard", "goal": "Ada starts on Monday"}).ok(201)

    run = stored_run(answer["id"])
    assert answer == {"id": str(run.pk), "workflow": "onboard", "version": 1, "status": "running", "verdict": "go"}
    assert (run.version, run.agent, run.goal) == (office.onboard.active, "onboarder", "Ada starts on Monday")


def test_the_same_key_finds_the_first_run_again(office: Office) -> None:
    first = office.agent.post("/runs", {"workflow": "onboard", "key": "ada"}).ok(201)
    again = office.agent.post("/runs", {"workflow": "onboard", "key": "ada", "goal": "said anew"}).ok(200)

    assert again == first
    assert Run.objects.count() == 1


def test_a_key_of_another_workflow_is_not_taken_over(office: Office) -> None:
    office.token.workflows.add(office.other)
    office.agent.post("/runs", {"workflow": "onboard", "key": "ada"}).ok(201)

    office.agent.post("/runs", {"workflow": "other", "key": "ada"}).refused(409, "key-in-use")


@pytest.mark.parametrize("slug", ["no-such-workflow", "other", "", "x" * 80])
def test_an_unknown_workflow_or_one_out_of_scope_is_not_found(office: Office, slug: str) -> None:
    expected = (404, "unknown-workflow") if slug else (422, "invalid")
    office.agent.post("/runs", {"workflow": slug}).refused(*expected)


def test_a_workflow_without_an_active_version_takes_no_runs(office: Office) -> None:
    office.onboard.active = None
    office.onboard.save()

    office.agent.post("/runs", {"workflow": "onboard"}).refused(404, "unknown-workflow")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/workflow"),
        ({"workflow": 5}, "/workflow"),
        ({"workflow": None}, "/workflow"),
        ({"workflow": ["onboard"]}, "/workflow"),
        ({"workflow": "onboard", "input": [1]}, "/input"),
        ({"workflow": "onboard", "parent": "not-an-id"}, "/parent"),
        ({"workflow": "onboard", "key": "k" * 201}, "/key"),
        ({"workflow": "onboard", "gaol": "misspelt"}, "/gaol"),
    ],
)
def test_wrong_types_and_unknown_fields_are_named(office: Office, body: dict[str, Any], pointer: str) -> None:
    document = office.agent.post("/runs", body).refused(422, "invalid")

    assert [error["pointer"] for error in document["errors"]] == [pointer]


@pytest.mark.parametrize("body", [[], "text", 7, None, True])
def test_a_body_that_is_no_object_is_invalid(office: Office, body: Any) -> None:
    office.agent.send("POST", "/runs", b"null" if body is None else body, {}).refused(422, "invalid")


def test_a_child_run_names_its_parent(office: Office) -> None:
    parent = office.run()
    child = office.run(parent=parent)

    assert str(stored_run(child).parent_id) == parent


def test_a_parent_out_of_scope_is_not_found(office: Office) -> None:
    foreign = office.other_agent.post("/runs", {"workflow": "other"}).ok(201)["id"]

    for parent in (foreign, str(uuid4())):
        office.agent.post("/runs", {"workflow": "onboard", "parent": parent}).refused(404, "unknown-parent")


def test_a_step_without_a_gate_is_cleared_at_once(office: Office) -> None:
    answer = office.agent.post(f"/runs/{office.run()}/steps", {"action": CREATE, "input": {"name": "Ada"}}).ok(201)

    step = stored_step(answer["id"])
    assert answer == {"id": str(step.pk), "status": "cleared", "verdict": "go"}
    assert (step.number, step.input, step.system, step.declared) == (1, {"name": "Ada"}, office.directory, True)
    assert step.cleared_at is not None


def test_steps_are_numbered_in_the_order_of_their_proposal(office: Office) -> None:
    run = office.run()
    steps = [office.step(run) for _ in range(3)]

    assert [stored_step(step).number for step in steps] == [1, 2, 3]
    assert stored_run(run).steps_taken == 3


def test_a_step_may_depend_on_earlier_steps_of_its_run(office: Office) -> None:
    run = office.run()
    first, second = office.step(run), office.step(run)
    third = office.step(run, depends_on=[second, first, second])

    assert stored_step(third).depends_on == [second, first]
    assert stored_step(office.step(run, depends_on=[])).depends_on == []
    assert stored_step(office.step(run)).depends_on is None


def test_a_dependency_that_is_not_an_earlier_step_of_this_run_is_refused(office: Office) -> None:
    run, elsewhere = office.run(), office.step(office.run())
    own = office.step(run)

    document = office.agent.post(
        f"/runs/{run}/steps", {"action": CREATE, "input": {}, "depends_on": [own, elsewhere, str(uuid4())]}
    ).refused(422, "unknown-dependency")

    assert [error["pointer"] for error in document["errors"]] == ["/depends_on/1", "/depends_on/2"]
    assert stored_run(run).steps.count() == 1


def test_an_unknown_action_is_refused_where_the_workflow_refuses_undeclared_ones(office: Office) -> None:
    run = office.run()
    body = {"action": "rm.rf", "input": {}, "system": "directory", "reversibility": "reversible"}

    document = office.agent.post(f"/runs/{run}/steps", body).refused(422, "unknown-action")

    assert document["errors"][0]["pointer"] == "/action"


def test_an_undeclared_action_needs_system_and_reversibility(office: Office) -> None:
    agent = office.other_agent
    run = agent.post("/runs", {"workflow": "other"}).ok(201)["id"]

    document = agent.post(f"/runs/{run}/steps", {"action": "new.thing", "input": {}}).refused(422, "undeclared-action")
    assert [error["pointer"] for error in document["errors"]] == ["/system", "/reversibility"]

    body = {"action": "new.thing", "input": {}, "system": "elsewhere", "reversibility": "reversible"}
    step = stored_step(agent.post(f"/runs/{run}/steps", body).ok(201)["id"])
    assert (step.declared, step.action, step.system.slug) == (False, None, "elsewhere")


def test_an_ended_run_takes_no_new_intent_and_tells_the_agent_to_halt(office: Office) -> None:
    run = office.run()
    office.finish(run)

    document = office.agent.post(f"/runs/{run}/steps", {"action": CREATE, "input": {}}).refused(409, "run-not-running")

    assert document["verdict"] == "halt"
    assert office.agent.post(f"/runs/{run}/heartbeat").ok() == {"verdict": "halt"}


def test_consumed_resources_are_kept_once_each(office: Office) -> None:
    step = office.step(office.run(), consumes=["user:ada", "user:ada", "team:math"])

    uses = stored_step(step).resources.order_by("pk").values_list("resource", "produced")
    assert list(uses) == [("user:ada", False), ("team:math", False)]


def test_every_write_is_a_sign_of_life(office: Office) -> None:
    run = office.run()
    seen = []
    for write in (lambda: office.step(run), lambda: office.agent.post(f"/runs/{run}/heartbeat").ok()):
        write()
        seen.append(stored_run(run).heartbeat_at)

    assert stored_run(run).started_at < seen[0] < seen[1]


def test_another_token_for_the_same_workflow_does_not_see_the_run(office: Office) -> None:
    run = office.run()
    _, key = make_agent(office.onboard, name="a colleague")

    Caller(key).post(f"/runs/{run}/steps", {"action": CREATE, "input": {}}).refused(404, "unknown-run")

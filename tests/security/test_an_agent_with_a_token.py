"""SECURITY.md: an agent with a token approves, waives, triggers a rollback, reads or writes others' runs."""

from uuid import uuid4

import pytest
from django.urls import URLPattern

from rollback.runs.models import Run
from rollback.urls import api
from tests.api import Caller
from tests.factories import make_agent
from tests.office import CREATE, MAIL, Office, stored_run, stored_step

OF_AGENTS = {"api-steps", "api-step", "api-result", "api-batch", "api-heartbeat", "api-finish"}
FOR_EVERYBODY = {"api-schema", "api-docs", "api-json-schema"}


def addresses_of_people() -> list[tuple[str, str]]:
    """Every address of the API that is for people, with its name."""
    found = []
    for pattern in api:
        assert isinstance(pattern, URLPattern)
        name = pattern.name or ""
        if name not in OF_AGENTS | FOR_EVERYBODY:
            route = str(pattern.pattern).replace("<uuid:pk>", str(uuid4())).replace("<slug:slug>", "onboard")
            found.append((name, f"/{route}"))
    return found


@pytest.mark.parametrize("address", addresses_of_people(), ids=lambda address: address[0])
def test_an_agent_with_a_token_is_refused_at_every_call_of_people(office: Office, address: tuple[str, str]) -> None:
    name, path = address
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        if (name, method) == ("api-runs", "POST"):
            continue
        answer = office.agent.send(method, path, {} if method != "GET" else None, {})
        assert answer.status in (403, 405), (method, path, answer.raw.content)
        if answer.status == 403:
            answer.refused(403, "agents-cannot")


def test_an_agent_with_a_token_does_not_see_or_touch_another_agents_run(office: Office) -> None:
    run = office.run()
    step = office.step(run)
    _, key = make_agent(office.onboard, name="same workflow, other agent")
    for intruder in (office.other_agent, Caller(key)):
        for path, body in (
            (f"/runs/{run}/steps", {"action": CREATE, "input": {}}),
            (f"/runs/{run}/steps/batch", {"steps": [{"action": CREATE, "status": "succeeded"}]}),
            (f"/runs/{run}/heartbeat", None),
            (f"/runs/{run}/finish", {"status": "succeeded"}),
        ):
            intruder.post(path, body).refused(404, "unknown-run")
        intruder.post(f"/steps/{step}/result", {"status": "succeeded"}).refused(404, "unknown-step")
        intruder.get(f"/steps/{step}").refused(404, "unknown-step")

    assert (stored_run(run).state, stored_run(run).steps_taken) == ("running", 1)
    assert stored_step(step).state == "cleared"


def test_an_agent_with_a_token_that_lost_its_workflow_opens_nothing_but_still_reports(office: Office) -> None:
    run = office.run()
    step = office.step(run)
    office.token.workflows.clear()

    office.agent.post("/runs", {"workflow": "onboard"}).refused(404, "unknown-workflow")
    assert office.result(step, output={"id": "7"})["undo"]["state"] == "resolved"


def test_an_agent_with_a_token_does_not_act_before_the_yes(office: Office) -> None:
    step = office.step(office.run(), MAIL)

    office.agent.post(f"/steps/{step}/result", {"status": "succeeded"}).refused(409, "step-not-cleared")


def test_a_person_does_not_report_in_an_agents_name(office: Office) -> None:
    run = office.run()
    step = office.step(run)
    lead = office.person(office.lead)

    lead.post("/runs", {"workflow": "onboard"}).refused(403, "people-cannot")
    lead.post(f"/steps/{step}/result", {"status": "succeeded"}).refused(403, "people-cannot")
    assert Run.objects.count() == 1


def test_an_agent_reuses_anothers_idempotency_key_and_gets_an_answer_of_its_own(office: Office) -> None:
    first = office.agent.post("/runs", {"workflow": "onboard"}, once="k").ok(201)
    other = office.other_agent.post("/runs", {"workflow": "other"}, once="k").ok(201)

    assert first["id"] != other["id"]
    assert other["workflow"] == "other"


def test_an_agent_replays_a_captured_request_and_nothing_happens_twice(office: Office) -> None:
    for _ in range(2):
        office.agent.post("/runs", {"workflow": "onboard"}, once="captured").ok(201)

    assert Run.objects.count() == 1

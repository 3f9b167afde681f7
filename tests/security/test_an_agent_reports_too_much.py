"""SECURITY.md: an agent reports 50 MB, 10,000 levels of JSON, 1 M effects, a cyclic step graph, a clock in 2099."""

import json
import time
from typing import Any

import pytest
from django.utils import timezone

from rollback.runs.models import Effect, Step
from tests.office import CREATE, Office, stored_run, stored_step


@pytest.mark.parametrize("megabytes", [2, 50])
def test_an_agent_reports_too_many_megabytes(office: Office, megabytes: int) -> None:
    run = office.run()
    step = office.step(run)
    body = json.dumps({"status": "succeeded", "output": {"text": "x" * (megabytes * 1_000_000)}}).encode()

    office.agent.send("POST", f"/steps/{step}/result", body, {}).refused(413, "body-too-large")
    office.agent.send("POST", "/runs", body, {}).refused(413, "body-too-large")
    assert stored_step(step).state == "cleared"
    assert office.result(step, output={"id": "7"})["undo"]["state"] == "resolved"


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_an_agent_reports_ten_thousand_levels_of_json(office: Office, opening: bytes) -> None:
    body = b'{"workflow": "onboard", "input": {"a": ' + opening * 10_000

    office.agent.send("POST", "/runs", body, {}).refused(422, "body-too-deep")


def test_an_agent_reports_fifty_levels_and_no_more(office: Office) -> None:
    def nested(levels: int) -> Any:
        value: Any = 1
        for _ in range(levels):
            value = [value]
        return value

    office.run(input={"a": nested(48)})
    office.agent.post("/runs", {"workflow": "onboard", "input": {"a": nested(49)}}).refused(422, "body-too-deep")


def test_an_agent_reports_a_million_effects(office: Office) -> None:
    run = office.run()
    step = office.step(run)
    effects = [{"kind": "u"}] * 60_000
    began = time.monotonic()
    document = office.agent.post(f"/steps/{step}/result", {"status": "succeeded", "effects": effects}).refused(
        422, "invalid"
    )
    assert document["errors"] == [{"pointer": "/effects", "message": "There are more than 1000 items."}]

    items = [{"action": CREATE, "status": "succeeded", "effects": [{"kind": "u"}] * 500}] * 21
    office.agent.post(f"/runs/{run}/steps/batch", {"steps": items}).refused(422, "too-many-effects")
    million = b'{"status": "succeeded", "effects": [' + b'{"kind":"u"},' * 1_000_000 + b"{}]}"
    office.agent.send("POST", f"/steps/{step}/result", million, {}).refused(413, "body-too-large")
    assert time.monotonic() - began < 20
    assert Effect.objects.count() == 0


def test_an_agent_reports_a_step_graph_with_a_cycle(office: Office) -> None:
    run = office.run()
    first = office.step(run)
    items = [
        {"action": CREATE, "status": "succeeded", "ref": "a", "depends_on": ["b"]},
        {"action": CREATE, "status": "succeeded", "ref": "b", "depends_on": ["a"]},
        {"action": CREATE, "status": "succeeded", "ref": "c", "depends_on": ["c", first]},
    ]
    answers = office.agent.post(f"/runs/{run}/steps/batch", {"steps": items}).ok()["steps"]

    assert [answer["error"]["code"] for answer in answers] == ["unknown-dependency"] * 3
    assert Step.objects.count() == 1


def test_an_agent_reports_a_clock_in_2099(office: Office) -> None:
    run = office.run(input={"at": "2099-01-01T00:00:00Z"})
    step = office.step(run, input={"started_at": "2099-01-01T00:00:00Z"})
    body = {"status": "succeeded", "finished_at": "2099-01-01T00:00:00Z"}
    office.agent.post(f"/steps/{step}/result", body).refused(422, "invalid")
    office.result(step, output={"id": "7", "at": "2099-01-01T00:00:00Z"})

    stored = stored_step(step)
    assert stored.finished_at is not None
    for moment in (stored.proposed_at, stored.finished_at, stored_run(run).heartbeat_at):
        assert moment <= timezone.now()


def test_an_agent_names_a_step_script_and_it_comes_back_as_json_text(office: Office) -> None:
    script = "<script>alert(1)</script>"
    run = office.agent.post("/runs", {"workflow": "onboard", "goal": script, "input": {script: script}}).ok(201)["id"]
    office.agent.post(f"/runs/{run}/steps", {"action": script, "input": {}}).refused(422, "unknown-action")
    answer = office.person(office.lead).get(f"/runs/{run}")

    assert (answer.json["goal"], answer.json["input"]) == (script, {script: script})
    assert answer.raw["Content-Type"] == "application/json"
    assert answer.raw["X-Content-Type-Options"] == "nosniff"

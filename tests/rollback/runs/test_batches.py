"""The agents' API: many finished steps in one request."""

from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext

from rollback.audit.models import AuditEvent
from rollback.runs.models import Effect, Step
from tests.office import CREATE, MAIL, Office, stored_run


def item(number: int = 1, **body: Any) -> dict[str, Any]:
    """A finished step that created a user."""
    made = {"output": {"id": f"u-{number}"}, "effects": [{"kind": "user", "ref": f"u-{number}"}]}
    return {"action": CREATE, "input": {}, "status": "succeeded", **made, **body}


def batch(office: Office, run: str, *items: dict[str, Any]) -> list[dict[str, Any]]:
    """The answers to a batch, in order."""
    answers: list[dict[str, Any]] = office.agent.post(f"/runs/{run}/steps/batch", {"steps": list(items)}).ok()["steps"]
    return answers


def test_each_item_is_answered_in_its_place(office: Office) -> None:
    run = office.run()
    answers = batch(
        office,
        run,
        item(1),
        item(action="rm.rf"),
        item(status="done"),
        item(4, effects=[{"kind": "user", "system": "nowhere"}]),
        item(5, undo={"executor": "http"}),
        item(6, output={}),
    )

    codes = [answer.get("error", {}).get("code") or answer["undo"]["state"] for answer in answers]
    assert codes == ["resolved", "unknown-action", "invalid", "unknown-system", "invalid-undo", "unresolved"]
    assert answers[3]["error"]["errors"] == [
        {"pointer": "/effects/0/system", "message": "there is no system 'nowhere'"}
    ]
    stored = stored_run(run).steps.order_by("number")
    assert [(str(step.pk), step.number, step.state) for step in stored] == [
        (answers[0]["id"], 1, "succeeded"),
        (answers[5]["id"], 2, "succeeded"),
    ]
    assert stored_run(run).steps_taken == 2


def test_items_depend_on_earlier_items_by_ref_and_on_steps_by_id(office: Office) -> None:
    run = office.run()
    before = office.did(run)
    answers = batch(
        office,
        run,
        item(1, ref="ada"),
        item(2, depends_on=["ada", before]),
        item(3, depends_on=["later"]),
        item(4, ref="later"),
        item(5, ref="ada"),
    )

    assert Step.objects.get(pk=answers[1]["id"]).depends_on == [answers[0]["id"], before]
    assert answers[2]["error"]["code"] == "unknown-dependency"
    assert answers[4]["error"]["code"] == "ref-in-use"


def test_what_was_done_already_asks_nobody(office: Office) -> None:
    run = office.run()
    answers = batch(office, run, item(action=MAIL))

    step = Step.objects.get(pk=answers[0]["id"])
    assert (step.state, step.undo_state, step.approvals.count()) == ("succeeded", "none", 0)


def test_a_batch_after_the_run_has_ended_is_taken_and_the_agent_halted(office: Office) -> None:
    run = office.run()
    office.finish(run)
    answer = office.agent.post(f"/runs/{run}/steps/batch", {"steps": [item()]}).ok()

    assert (answer["verdict"], answer["steps"][0]["verdict"]) == ("halt", "halt")
    assert stored_run(run).steps.filter(state="succeeded").count() == 1


def test_a_thousand_steps_take_a_few_statements(office: Office) -> None:
    run = office.run()
    with CaptureQueriesContext(connection) as statements:
        batch(office, run, *(item(number) for number in range(1000)))

    assert Effect.objects.count() == 1000
    # SQLite takes 999 values in one statement: the inserts are cut into portions there, and nothing else is.
    assert len(statements) < 60


def test_a_batch_is_one_event_that_names_every_step(office: Office) -> None:
    run = office.run()
    answers = batch(office, run, item(1), item(2))

    event = AuditEvent.objects.get(subject=run, type="run.batch")
    assert all(answer["id"] in event.payload for answer in answers)


def test_more_than_a_thousand_steps_are_refused(office: Office) -> None:
    run = office.run()
    document = office.agent.post(f"/runs/{run}/steps/batch", {"steps": [{}] * 1001}).refused(422, "invalid")

    assert document["errors"][0]["pointer"] == "/steps"
    office.agent.post(f"/runs/{run}/steps/batch", {"steps": []}).refused(422, "invalid")


def test_a_batch_may_be_larger_than_other_bodies_up_to_ten_megabytes(office: Office) -> None:
    run = office.run()
    large = item(1, output={"id": "1", "text": "x" * 2_000_000})

    assert batch(office, run, large)[0]["undo"]["state"] == "resolved"
    body = b'{"steps": [' + b" " * 10_000_000 + b"]}"
    office.agent.send("POST", f"/runs/{run}/steps/batch", body, {}).refused(413, "body-too-large")

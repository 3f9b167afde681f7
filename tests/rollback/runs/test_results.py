"""The agents' API: reporting how a step ended, and the undo that is frozen with it."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils.dateparse import parse_datetime

from rollback.catalog.models import Action
from rollback.runs.models import Effect
from tests.office import CREATE, MAIL, REFUND, Office, stored_step

UNDO: dict[str, Any] = {"executor": "http", "request": {"method": "DELETE", "path": "/people/7"}}


def test_a_success_freezes_the_actions_undo(office: Office) -> None:
    step = office.step(office.run())
    answer = office.result(step, output={"id": "a/b"})

    assert answer == {"undo": {"state": "resolved", "problems": [], "expires_at": None}, "verdict": "go"}
    undo: Any = stored_step(step).undo
    assert undo["compensation"]["request"] == {"method": "DELETE", "path": "/users/a%2Fb"}
    assert undo["compensation"]["retry"] == {"attempts": 5, "first": 1.0, "factor": 2, "max": 60.0}
    assert undo["verification"]["request"]["path"] == "/users/a%2Fb"


def test_the_undo_window_starts_when_the_result_lands(office: Office) -> None:
    Action.objects.filter(key=CREATE).update(undo_window=timedelta(days=30))
    step = office.step(office.run())
    answer = office.result(step, output={"id": "7"})

    finished = stored_step(step).finished_at
    assert finished is not None
    assert parse_datetime(answer["undo"]["expires_at"]) == finished + timedelta(days=30)
    assert answer["undo"]["expires_at"].endswith("Z")


def test_an_undo_that_does_not_resolve_is_told_and_kept(office: Office) -> None:
    step = office.step(office.run())
    answer = office.result(step, output={"name": "no id"})

    pointers = [problem["pointer"] for problem in answer["undo"]["problems"]]
    assert answer["undo"]["state"] == "unresolved"
    assert pointers == ["/compensation/request/path", "/verification/request/path"]
    kept = stored_step(step)
    assert (kept.undo, kept.undo_state) == (None, "unresolved")
    assert kept.undo_problems == answer["undo"]["problems"]


def test_an_irreversible_step_has_no_undo(office: Office) -> None:
    run = office.run()
    step = office.step(run, MAIL)
    approval = stored_step(step).approvals.get()
    office.person(office.owner).post(
        f"/approvals/{approval.pk}/decide", {"verdict": "approve", "reason": "The text was read."}
    ).ok()

    assert office.result(step)["undo"] == {"state": "none", "problems": [], "expires_at": None}


def test_the_undo_that_the_agent_brings_wins_over_the_actions(office: Office) -> None:
    run = office.run()
    with_result, with_proposal, with_both = office.step(run), office.step(run, undo=UNDO), office.step(run, undo=UNDO)
    newer = {**UNDO, "request": {"method": "DELETE", "path": "/people/8"}}
    office.result(with_result, output={"id": "1"}, undo=UNDO)
    office.result(with_proposal, output={"id": "1"})
    office.result(with_both, output={"id": "1"}, undo=newer)

    undos: list[Any] = [stored_step(step).undo for step in (with_result, with_proposal, with_both)]
    paths = [undo["compensation"]["request"]["path"] for undo in undos]
    assert paths == ["/people/7", "/people/7", "/people/8"]


def test_an_undeclared_step_is_undone_as_its_agent_wrote_down(office: Office) -> None:
    agent = office.other_agent
    run = agent.post("/runs", {"workflow": "other"}).ok(201)["id"]
    body = {"action": "new.thing", "input": {}, "system": "elsewhere", "reversibility": "reversible"}
    bare, brought = (agent.post(f"/runs/{run}/steps", body).ok(201)["id"] for _ in range(2))

    assert agent.post(f"/steps/{bare}/result", {"status": "succeeded"}).ok()["undo"]["state"] == "unresolved"
    answer = agent.post(f"/steps/{brought}/result", {"status": "succeeded", "undo": UNDO}).ok()
    assert answer["undo"]["state"] == "resolved"


def undo_with(**parts: Any) -> dict[str, Any]:
    """An undo whose request has these parts."""
    return {"executor": "http", "request": {**UNDO["request"], **parts}}


@pytest.mark.parametrize(
    ("undo", "code"),
    [
        ({"executor": "http"}, "invalid-undo"),
        (undo_with(path="/users/${output.id}"), "invalid-undo"),
        (undo_with(body="${input.id}"), "invalid-undo"),
        ({**UNDO, "unknown": 1}, "invalid-undo"),
        (undo_with(headers={"X": "${secret.billing_key}"}), "foreign-secret"),
        (undo_with(headers={"Authorization": "Bearer 123"}), "literal-secret"),
        (undo_with(body=[{"api_key": "123"}]), "literal-secret"),
        ("DELETE /users/7", "invalid"),
    ],
)
def test_an_undo_that_is_none_is_refused_and_the_step_stays_open(office: Office, undo: Any, code: str) -> None:
    run = office.run()
    step = office.step(run)

    office.agent.post(f"/steps/{step}/result", {"status": "succeeded", "undo": undo}).refused(422, code)
    office.agent.post(f"/runs/{run}/steps", {"action": CREATE, "input": {}, "undo": undo}).refused(422, code)
    assert stored_step(step).state == "cleared"


def test_effects_are_kept_with_system_count_and_money(office: Office) -> None:
    step = office.step(office.run(), REFUND, input={"amount": 20})
    effects = [
        {"system": "billing", "kind": "refund", "ref": "r-1", "amount": "19.99", "currency": "EUR"},
        {"system": "directory", "kind": "note", "count": 3},
    ]
    office.result(step, effects=effects, produces=["refund:r-1"])

    rows = Effect.objects.order_by("pk").values_list("system__slug", "kind", "ref", "count", "amount", "currency")
    assert [(*row[:4], row[4] and f"{row[4]:f}", row[5]) for row in rows] == [
        ("billing", "refund", "r-1", 1, "19.990000", "EUR"),
        ("directory", "note", "", 3, None, ""),
    ]
    assert stored_step(step).resources.get().produced is True


@pytest.mark.parametrize(
    ("effect", "pointer"),
    [
        ({"kind": "user", "count": -1}, "/effects/0/count"),
        ({"kind": "user", "count": "many"}, "/effects/0/count"),
        ({"kind": "user", "count": 10**30}, "/effects/0/count"),
        ({"kind": "x", "amount": 1}, "/effects/0/currency"),
        ({"kind": "x", "amount": 1, "currency": "euro"}, "/effects/0/currency"),
        ({"kind": "x", "amount": "NaN", "currency": "EUR"}, "/effects/0/amount"),
        ({"system": "directory"}, "/effects/0/kind"),
        ({"kind": "user", "system": "nowhere"}, "/effects/0/system"),
    ],
)
def test_an_effect_that_makes_no_sense_is_named(office: Office, effect: dict[str, Any], pointer: str) -> None:
    step = office.step(office.run())
    answer = office.agent.post(f"/steps/{step}/result", {"status": "succeeded", "effects": [effect]})

    assert answer.status == 422
    assert [error["pointer"] for error in answer.json["errors"]] == [pointer]
    assert (stored_step(step).state, Effect.objects.count()) == ("cleared", 0)


def test_the_same_result_again_is_answered_as_before(office: Office) -> None:
    step = office.step(office.run())
    body: dict[str, Any] = {"output": {"id": "7"}, "effects": [{"kind": "user", "ref": "7"}]}

    assert office.result(step, **body) == office.result(step, **body)
    assert Effect.objects.count() == 1


@pytest.mark.parametrize(
    "other",
    [
        {"status": "failed"},
        {"status": "succeeded", "output": {"id": "8"}},
        {"status": "succeeded", "output": {"id": "7"}, "effects": [{"kind": "user"}]},
        {"status": "succeeded", "output": {"id": "7"}, "produces": ["user:7"]},
    ],
)
def test_another_result_for_a_finished_step_is_refused(office: Office, other: dict[str, Any]) -> None:
    step = office.step(office.run())
    office.result(step, output={"id": "7"})

    office.agent.post(f"/steps/{step}/result", other).refused(409, "step-finished")


def test_a_step_without_a_go_has_no_result(office: Office) -> None:
    step = office.step(office.run(), MAIL)

    document = office.agent.post(f"/steps/{step}/result", {"status": "succeeded"}).refused(409, "step-not-cleared")
    assert document["verdict"] == "wait"


def test_a_failed_step_without_effects_has_nothing_to_undo(office: Office) -> None:
    answer = office.result(office.step(office.run()), "failed", error="The directory is down.")

    assert answer["undo"] == {"state": "none", "problems": [], "expires_at": None}


def test_a_failed_step_with_effects_may_have_acted_and_keeps_its_undo(office: Office) -> None:
    run = office.run()
    effects = [{"kind": "user", "ref": "7"}]
    known = office.result(office.step(run), "failed", output={"id": "7"}, effects=effects)
    unknown = office.result(office.step(run), "failed", effects=effects)

    assert (known["undo"]["state"], unknown["undo"]["state"]) == ("resolved", "unresolved")


def test_configured_keys_are_redacted_before_anything_is_stored(office: Office) -> None:
    hidden = {"Password": "s3cret!", "list": [{"X-API-Key": "s3cret!"}], "nested": {"tokens": {"a": "s3cret!"}}}
    secrets: dict[str, Any] = {**hidden, "token": ""}
    step = office.step(office.run(input=secrets), input=secrets)
    office.result(step, output={"id": "7", **secrets})

    kept = stored_step(step)
    readable = {"Password": "[redacted]", "list": [{"X-API-Key": "[redacted]"}], "nested": {"tokens": "[redacted]"}}
    assert kept.input == kept.run.input == {**readable, "token": ""}
    assert kept.output == {"id": "7", **readable, "token": ""}


@pytest.mark.parametrize("reference", ["${input.password}", "${input}", "Bearer ${input.password}"])
def test_a_template_that_refers_to_a_redacted_value_is_a_problem_and_no_leak(office: Office, reference: str) -> None:
    request = {"method": "POST", "path": "/undo", "body": {"with": reference}}
    Action.objects.filter(key=CREATE).update(compensation={"executor": "http", "request": request}, verification=None)
    step = office.step(office.run(), input={"password": "s3cret!"})
    answer = office.result(step, output={"id": "7"})

    assert answer["undo"]["state"] == "unresolved"
    assert "s3cret" not in str(answer)

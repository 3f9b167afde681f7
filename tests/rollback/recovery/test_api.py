"""Rollbacks over HTTP: previewing, starting exactly what was previewed, steering, and finishing by hand."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from rollback.models import Rollback, Run
from rollback.ownership.models import User
from rollback.runs.models import Step
from tests.api import Caller
from tests.factories import make_agent, make_person, make_personal_key
from tests.rollback.recovery.conftest import ALL, Scene
from tests.rollback.recovery.outside import Answer

Engine = Callable[[Rollback], Rollback]


def calls(person: User) -> Caller:
    """``person`` with a token."""
    return Caller(make_personal_key(person))


@pytest.fixture
def lead(scene: Scene) -> Caller:
    """Who may start rollbacks."""
    return calls(scene.lead)


def asked_for(scene: Scene, **change: Any) -> dict[str, Any]:
    """The body that previews the scene's run."""
    return {"run": str(scene.run.pk), "scope": {"kind": "all"}, **change}


def previewed(scene: Scene, caller: Caller, **change: Any) -> dict[str, Any]:
    """The body that starts what ``caller`` is shown now."""
    body = asked_for(scene, **change)
    plan = caller.post("/rollbacks/preview", body).ok()
    return {**body, "reason": "It went wrong.", "plan_hash": plan["hash"]}


# --- previewing -----------------------------------------------------------------------------------


def test_a_preview_tells_what_would_be_done_in_which_order(scene: Scene, lead: Caller) -> None:
    first, second = scene.did(), scene.did(reversibility="irreversible", undo=None)
    scene.did()

    plan = lead.post("/rollbacks/preview", asked_for(scene)).ok()
    assert plan.keys() == {"run", "scope", "hash", "made_at", "steps", "blast_radius"}
    assert [(s["number"], s["treatment"], s["after"]) for s in plan["steps"]] == [
        (3, "undo", []),
        (2, "not_possible", [3]),
        (1, "undo", [3]),
    ]
    assert [s["step"] for s in plan["steps"]][1:] == [str(second.pk), str(first.pk)]
    assert plan["steps"][2] == {
        "step": str(first.pk),
        "number": 1,
        "action": "thing.make_1",
        "treatment": "undo",
        "in_doubt": False,
        "after": [3],
        "sends": first.undo["compensation"] if first.undo else None,
        "undo_expires_at": None,
        "answerable": "owner@example.org",
    }
    assert plan["blast_radius"]["now"] == {"systems": 1, "effects": 3, "records": 3, "money": {}}
    assert plan["blast_radius"]["after"] == {"systems": 1, "effects": 1, "records": 1, "money": {}}


def test_a_preview_carries_out_nothing(scene: Scene, lead: Caller) -> None:
    scene.did()
    lead.post("/rollbacks/preview", asked_for(scene)).ok()

    assert scene.outside.asked == []
    assert not Rollback.objects.exists()
    assert Run.objects.get(pk=scene.run.pk).state == "failed"


@pytest.mark.parametrize(
    "scope",
    [{}, {"kind": "most"}, {"kind": "back_to"}, {"kind": "steps", "steps": []}, {"kind": "steps", "steps": [7]}],
)
@pytest.mark.parametrize("path", ["/rollbacks/preview", "/rollbacks"])
def test_a_scope_that_makes_no_sense_is_refused(scene: Scene, lead: Caller, path: str, scope: dict[str, Any]) -> None:
    scene.did()
    more = {} if path.endswith("preview") else {"reason": "Why", "plan_hash": "0" * 64}

    lead.post(path, asked_for(scene, scope=scope, **more)).refused(422, "invalid-scope")


@pytest.mark.parametrize("scope", [None, "all", ["all"], 7])
def test_a_scope_that_is_no_object_names_the_field(scene: Scene, lead: Caller, scope: Any) -> None:
    document = lead.post("/rollbacks/preview", asked_for(scene, scope=scope)).refused(422, "invalid")

    assert [error["pointer"] for error in document["errors"]] == ["/scope"]


# --- starting -------------------------------------------------------------------------------------


def test_what_was_previewed_is_started(scene: Scene, lead: Caller, engine: Engine) -> None:
    scene.did()
    body = previewed(scene, lead)
    answer = lead.post("/rollbacks", body).ok(202)

    assert (answer["status"], answer["plan_hash"], answer["started_by"]) == ("running", body["plan_hash"], "Lea Lead")
    assert (answer["run"], answer["scope"], answer["reason"]) == (body["run"], {"kind": "all"}, "It went wrong.")
    assert engine(Rollback.objects.get(pk=answer["id"])).state == "completed"
    assert scene.outside.things == set()


def test_only_what_is_in_the_scope_is_taken_back(scene: Scene, lead: Caller, engine: Engine) -> None:
    scene.did(after=[])
    kept = scene.did(after=[])
    scene.did(after=[2])
    scope = {"kind": "steps", "steps": [str(scene.steps[0].pk)]}
    answer = lead.post("/rollbacks", previewed(scene, lead, scope=scope)).ok(202)
    engine(Rollback.objects.get(pk=answer["id"]))

    assert scene.outside.things == {"/things/2", "/things/3"}
    assert not kept.compensations.exists()


def _a_step_more(scene: Scene) -> None:
    scene.did()


def _another_undo(scene: Scene) -> None:
    step = scene.steps[0]
    assert step.undo is not None
    step.undo["compensation"]["request"]["path"] = "/things/2"
    step.save()


@pytest.mark.parametrize("happens", [_a_step_more, _another_undo])
def test_a_plan_that_changed_since_is_not_started(scene: Scene, lead: Caller, happens: Callable[[Scene], None]) -> None:
    scene.did()
    body = previewed(scene, lead)
    happens(scene)

    lead.post("/rollbacks", body).refused(409, "plan-changed")
    assert not Rollback.objects.exists()
    assert Run.objects.get(pk=scene.run.pk).state == "failed"


def test_a_hash_of_another_scope_is_not_taken(scene: Scene, lead: Caller) -> None:
    scene.did()
    scene.did()
    body = previewed(scene, lead, scope={"kind": "back_to", "step": str(scene.steps[0].pk)})

    lead.post("/rollbacks", {**body, "scope": {"kind": "all"}}).refused(409, "plan-changed")


def test_where_there_is_nothing_to_undo_nothing_is_started(scene: Scene, lead: Caller) -> None:
    scene.did(reversibility="irreversible", undo=None)

    lead.post("/rollbacks", previewed(scene, lead)).refused(409, "nothing-to-undo")
    assert not Rollback.objects.exists()


def test_a_second_rollback_while_one_is_under_way_is_refused(scene: Scene, lead: Caller) -> None:
    scene.did()
    body = previewed(scene, lead)
    lead.post("/rollbacks", body).ok(202)

    lead.post("/rollbacks", body).refused(409, "rollback-underway")
    assert Rollback.objects.count() == 1


def test_the_same_request_again_is_the_same_rollback(scene: Scene, lead: Caller) -> None:
    scene.did()
    body = previewed(scene, lead)
    first, second = (lead.post("/rollbacks", body, once="once-1").ok(202) for _ in range(2))

    assert first == second
    assert Rollback.objects.count() == 1


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"reason": ""}, 422, "invalid"),
        ({"reason": " \n"}, 422, "invalid"),
        ({"reason": "x" * 5001}, 422, "invalid"),
        ({"plan_hash": ""}, 422, "invalid"),
        ({"plan_hash": "0" * 64}, 409, "plan-changed"),
        ({"incident": "seven"}, 422, "invalid"),
        ({"force": True}, 422, "invalid"),
    ],
)
def test_a_start_that_makes_no_sense_is_refused(
    scene: Scene, lead: Caller, change: dict[str, Any], status: int, code: str
) -> None:
    scene.did()

    lead.post("/rollbacks", {**previewed(scene, lead), **change}).refused(status, code)
    assert not Rollback.objects.exists()


def test_the_agent_is_told_to_halt_and_open_intents_are_in_doubt(scene: Scene, lead: Caller) -> None:
    token, key = make_agent(scene.run.workflow)
    Run.objects.filter(pk=scene.run.pk).update(state="running", token=token)
    scene.did()
    scene.did(state="cleared", finished_at=None)
    lead.post("/rollbacks", previewed(scene, lead)).ok(202)

    assert Caller(key).post(f"/runs/{scene.run.pk}/heartbeat").ok()["verdict"] == "halt"
    assert Step.objects.get(pk=scene.steps[1].pk).state == "in_doubt"


# --- who may --------------------------------------------------------------------------------------


def test_the_owner_previews_and_does_not_start(scene: Scene) -> None:
    scene.did()
    owner = calls(scene.owner)

    owner.post("/rollbacks", previewed(scene, owner)).refused(403, "not-permitted")
    assert not Rollback.objects.exists()


def test_who_only_reads_does_not_even_preview(scene: Scene) -> None:
    viewer = make_person("viewer")
    scene.run.workflow.backup = viewer
    scene.run.workflow.save()

    calls(viewer).post("/rollbacks/preview", asked_for(scene)).refused(403, "not-permitted")


def test_a_run_that_one_does_not_see_is_not_there(scene: Scene, lead: Caller) -> None:
    body = asked_for(scene)

    calls(make_person()).post("/rollbacks/preview", body).refused(404, "unknown-run")
    lead.post("/rollbacks/preview", {**body, "run": str(uuid4())}).refused(404, "unknown-run")


def test_a_rollback_that_one_does_not_see_is_not_there(scene: Scene, lead: Caller) -> None:
    scene.did()
    rollback = scene.start()
    stranger = calls(make_person())

    stranger.get(f"/rollbacks/{rollback.pk}").refused(404, "unknown-rollback")
    for verb in ("pause", "resume"):
        stranger.post(f"/rollbacks/{rollback.pk}/{verb}").refused(404, "unknown-rollback")
    lead.get(f"/rollbacks/{uuid4()}").refused(404, "unknown-rollback")
    assert stranger.get("/rollbacks").ok()["results"] == []


# --- reading --------------------------------------------------------------------------------------


def test_a_rollback_is_read_with_its_compensations_and_every_try(scene: Scene, lead: Caller, engine: Engine) -> None:
    scene.did()
    scene.outside.script("DELETE", "/things/1", Answer(503, {"busy": True}))
    rollback = engine(scene.start())

    document = lead.get(f"/rollbacks/{rollback.pk}").ok()
    assert document["status"] == "completed"
    assert document["progress"] == {"total": 1, "settled": 1, "in_flight": 0, "handed_over": 0, "verified": 0}
    [compensation] = document["compensations"]
    assert (compensation["status"], compensation["action"]) == ("compensated", "thing.make_1")
    assert [(a["number"], a["phase"], a["outcome"], a["status"]) for a in compensation["attempts"]] == [
        (1, "execute", "transient", 503),
        (2, "execute", "succeeded", 204),
    ]
    assert compensation["attempts"][0]["detail"] == 'HTTP 503 {"busy": true}'


def test_rollbacks_are_listed_newest_first(scene: Scene, lead: Caller, engine: Engine) -> None:
    scene.did()
    scene.outside.script("DELETE", "/things/1", Answer(503))
    first = engine(scene.start())
    scene.did()
    second = scene.start()

    assert [row["id"] for row in lead.get("/rollbacks").ok()["results"]] == [str(second.pk), str(first.pk)]


# --- steering -------------------------------------------------------------------------------------


def test_a_lead_pauses_and_resumes(scene: Scene, lead: Caller, engine: Engine) -> None:
    scene.did()
    rollback = scene.start()

    assert lead.post(f"/rollbacks/{rollback.pk}/pause").ok()["status"] == "paused"
    engine(rollback)
    assert scene.outside.asked == []

    assert lead.post(f"/rollbacks/{rollback.pk}/resume").ok()["status"] == "running"
    assert engine(rollback).state == "completed"


def test_what_its_state_does_not_allow_is_a_conflict(scene: Scene, lead: Caller) -> None:
    scene.did()
    rollback = scene.start()

    lead.post(f"/rollbacks/{rollback.pk}/resume").refused(409, "wrong-state")
    lead.post(f"/rollbacks/{rollback.pk}/pause").ok()
    lead.post(f"/rollbacks/{rollback.pk}/pause").refused(409, "wrong-state")


def test_an_owner_does_not_steer(scene: Scene) -> None:
    scene.did()
    rollback = scene.start()

    calls(scene.owner).post(f"/rollbacks/{rollback.pk}/pause").refused(403, "not-permitted")
    assert Rollback.objects.get().state == "running"


# --- what was handed over -------------------------------------------------------------------------


@pytest.fixture
def handed_over(scene: Scene, engine: Engine) -> str:
    """The address of a compensation that the system's owner has now."""
    scene.did()
    scene.outside.script("DELETE", "/things/1", Answer(400, b"no"))
    engine(scene.start())
    return f"/compensations/{scene.compensation(1).pk}"


def test_who_has_it_finishes_it_with_evidence(scene: Scene, handed_over: str, engine: Engine) -> None:
    answer = calls(scene.owner).post(f"{handed_over}/done", {"evidence": "Removed it in the console."}).ok()

    assert (answer["status"], answer["evidence"]) == ("done_by_hand", "Removed it in the console.")
    assert (answer["last_error"], answer["handed_to"]) == ("HTTP 400 no", "owner@example.org")
    assert scene.compensation(1).ended_by == scene.owner
    assert engine(Rollback.objects.get()).state == "completed"


@pytest.mark.parametrize("body", [{}, {"evidence": ""}, {"evidence": " "}, {"evidence": "x" * 10_001}])
def test_without_evidence_it_is_not_finished(scene: Scene, handed_over: str, body: dict[str, str]) -> None:
    document = calls(scene.owner).post(f"{handed_over}/done", body).refused(422, "invalid")

    assert [error["pointer"] for error in document["errors"]] == ["/evidence"]
    assert scene.states() == ["handed_over"]


def test_software_tries_again_under_the_same_key(scene: Scene, handed_over: str, engine: Engine) -> None:
    assert calls(scene.owner).post(f"{handed_over}/retry").ok()["status"] == "ready"

    assert engine(Rollback.objects.get()).state == "completed"
    assert len({call.key for call in scene.outside.calls("DELETE")}) == 1


def test_what_is_not_handed_over_any_more_is_a_conflict(scene: Scene, handed_over: str) -> None:
    owner = calls(scene.owner)
    owner.post(f"{handed_over}/done", {"evidence": "Removed it."}).ok()

    owner.post(f"{handed_over}/done", {"evidence": "Removed it."}).refused(409, "wrong-state")
    owner.post(f"{handed_over}/retry").refused(409, "wrong-state")


def test_what_software_cannot_do_is_not_tried(scene: Scene, engine: Engine) -> None:
    scene.did(undo=None)
    engine(scene.start())

    calls(scene.owner).post(f"/compensations/{scene.compensation(1).pk}/retry").refused(409, "nothing-to-execute")


def test_others_do_not_finish_it(scene: Scene, handed_over: str) -> None:
    evidence = {"evidence": "Removed it."}

    calls(make_person("manager")).post(f"{handed_over}/done", evidence).refused(403, "not-permitted")
    calls(make_person()).post(f"{handed_over}/done", evidence).refused(404, "unknown-compensation")
    calls(scene.lead).post(f"/compensations/{uuid4()}/done", evidence).refused(404, "unknown-compensation")
    assert scene.states() == ["handed_over"]


def test_rollbacks_are_for_people(scene: Scene, handed_over: str) -> None:
    _, key = make_agent(scene.run.workflow)
    rollback = Rollback.objects.get()
    for path in ("/rollbacks/preview", "/rollbacks", f"/rollbacks/{rollback.pk}/pause", f"{handed_over}/retry"):
        Caller(key).post(path, asked_for(scene, scope=ALL)).refused(403, "agents-cannot")
        assert Caller().post(path, {}).status == 401

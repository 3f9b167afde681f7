"""Which steps are taken back: the whole run, back to a step, chosen steps; through page and API."""

from typing import Any

import pytest
from django.test import Client

from rollback.recovery.models import Rollback
from tests.api import Caller
from tests.factories import make_personal_key
from tests.rollback.recovery.conftest import Scene


@pytest.fixture
def lead(client: Client, scene: Scene) -> Client:
    client.force_login(scene.lead, backend="django.contrib.auth.backends.ModelBackend")
    return client


def started(lead: Client, scene: Scene, query: str) -> list[int]:
    """Start what the page shows for ``query``; the numbers of the steps that get undone."""
    address = f"/runs/{scene.run.pk}/rollback/?{query}"
    shown = lead.get(address).context["preview"]
    assert lead.post(address, {"plan_hash": shown.hash, "reason": "Wrong."}).status_code == 302
    return sorted(Rollback.objects.get().compensations.values_list("step__number", flat=True))


def test_back_to_a_step_takes_back_what_was_done_after_it(lead: Client, scene: Scene) -> None:
    _, second, *_ = [scene.did() for _ in range(4)]

    assert started(lead, scene, f"scope=back_to&step={second.pk}") == [3, 4]


def test_chosen_steps_bring_along_what_was_built_on_them(lead: Client, scene: Scene) -> None:
    scene.did(after=[]), scene.did(after=[1]), scene.did(after=[])

    assert started(lead, scene, f"scope=steps&steps={scene.steps[0].pk}") == [1, 2]


@pytest.mark.parametrize("query", ["", "scope=all", "scope=back_to", "scope=steps&steps=nothing", "scope=sideways"])
def test_an_address_that_names_no_scope_means_the_whole_run(lead: Client, scene: Scene, query: str) -> None:
    scene.did(), scene.did()

    assert started(lead, scene, query) == [1, 2]


def test_the_plan_that_was_shown_for_one_scope_does_not_start_another(lead: Client, scene: Scene) -> None:
    first, _ = scene.did(), scene.did()
    address = f"/runs/{scene.run.pk}/rollback/"
    narrow = lead.get(f"{address}?scope=back_to&step={first.pk}").context["preview"]

    answer = lead.post(address, {"plan_hash": narrow.hash, "reason": "Wrong."})

    assert answer.status_code == 409
    assert b"plan has changed" in answer.content
    assert not Rollback.objects.exists()


def test_the_api_takes_the_same_scopes(scene: Scene) -> None:
    first, _ = scene.did(), scene.did()
    caller = Caller(make_personal_key(scene.lead))
    scope: dict[str, Any] = {"kind": "back_to", "step": str(first.pk), "cascade": False}

    plan = caller.post("/rollbacks/preview", {"run": str(scene.run.pk), "scope": scope}).ok()
    body = {"run": str(scene.run.pk), "scope": scope, "reason": "Wrong.", "plan_hash": plan["hash"]}
    rollback = caller.post("/rollbacks", body).ok(202)

    assert [step["number"] for step in plan["steps"]] == [2]
    whole = caller.get(f"/rollbacks/{rollback['id']}").ok()
    assert len(whole["compensations"]) == 1


def test_a_rollback_is_paused_and_cancelled_through_the_page(lead: Client, scene: Scene) -> None:
    scene.did()
    rollback = scene.start()
    lead.post(f"/rollbacks/{rollback.pk}/pause/")

    refused = lead.post(f"/rollbacks/{rollback.pk}/cancel/", {"reason": ""})
    done = lead.post(f"/rollbacks/{rollback.pk}/cancel/", {"reason": "Wrong run."})

    assert (refused.status_code, done.status_code) == (422, 302)
    assert b"This field is required" in refused.content
    rollback.refresh_from_db()
    assert rollback.state == "cancelled"


def test_a_rollback_is_cancelled_through_the_api(scene: Scene) -> None:
    scene.did()
    rollback = scene.start()
    caller = Caller(make_personal_key(scene.lead))

    caller.post(f"/rollbacks/{rollback.pk}/cancel", {"reason": "Wrong run."}).refused(409, "wrong-state")
    caller.post(f"/rollbacks/{rollback.pk}/pause").ok()
    caller.post(f"/rollbacks/{rollback.pk}/cancel", {"reason": ""}).refused(422, "invalid")

    assert caller.post(f"/rollbacks/{rollback.pk}/cancel", {"reason": "Wrong run."}).ok()["status"] == "cancelled"


def test_a_cascade_is_refused_and_not_left_out_silently(scene: Scene) -> None:
    scene.did()
    scope = {"kind": "all", "cascade": True}

    answer = Caller(make_personal_key(scene.lead)).post(
        "/rollbacks/preview", {"run": str(scene.run.pk), "scope": scope}
    )

    assert answer.refused(422, "no-cascade")["errors"][0]["pointer"] == "/scope/cascade"

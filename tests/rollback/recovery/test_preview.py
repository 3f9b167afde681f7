"""The preview: what would be done, to what, how far it reaches, and a hash that stands for exactly that."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from rollback.audit.models import AuditEvent
from rollback.errors import Invalid
from rollback.models import Compensation, Effect, Rollback, Run, Step
from rollback.recovery.preview import Preview, PreviewItem, Reach, preview
from rollback.recovery.services import finish_by_hand
from tests.factories import make_person, make_system
from tests.rollback.recovery.conftest import ALL, Scene, undo_of
from tests.rollback.recovery.outside import Answer

Engine = Callable[[Rollback], Rollback]
NOBODYS = "01900000-0000-7000-8000-000000000000"
IRREVERSIBLE: dict[str, Any] = {"reversibility": "irreversible", "undo": None}


def shown(scene: Scene, scope: dict[str, Any] | None = None) -> Preview:
    """The preview of the scene's run."""
    return preview(Run.objects.get(pk=scene.run.pk), ALL if scope is None else scope)


def numbers(items: tuple[PreviewItem, ...] | list[PreviewItem]) -> list[int]:
    """The numbers of the steps."""
    return [item.step.number for item in items]


def change(step: Step, **fields: Any) -> None:
    """Let the stored step say something else."""
    Step.objects.filter(pk=step.pk).update(**fields)


# --- what it shows --------------------------------------------------------------------------------


def test_steps_are_shown_in_undo_order_with_what_comes_first(scene: Scene) -> None:
    scene.did(after=[])
    scene.did(after=[1])
    scene.did(after=[1])
    scene.did(after=[2, 3])

    items = shown(scene).items
    assert numbers(items)[0] == 4
    assert numbers(items)[-1] == 1
    assert {item.step.number: (item.after, item.wave) for item in items} == {
        4: ((), 1),
        3: ((4,), 2),
        2: ((4,), 2),
        1: ((2, 3), 3),
    }


def test_steps_are_grouped_by_what_happens_to_them(scene: Scene) -> None:
    scene.did()
    scene.did(undo=None)
    scene.did(**IRREVERSIBLE)
    scene.did(undo_expires_at=timezone.now() - timedelta(seconds=1))
    scene.did(state="in_doubt", finished_at=None)

    plan = shown(scene)
    assert numbers(plan.will_be_undone) == [5, 1]
    assert numbers(plan.by_hand) == [2]
    assert numbers(plan.cannot_be_undone) == [4, 3]
    assert numbers(plan.already_undone) == []
    assert numbers(plan.in_doubt) == [5]
    assert plan.has_work


def test_what_an_earlier_rollback_restored_is_shown_as_undone(scene: Scene, engine: Engine) -> None:
    scene.did(after=[])
    scene.did(after=[])
    scene.did(after=[], **IRREVERSIBLE)
    scene.outside.script("DELETE", "/things/2", Answer(400))
    rollback = engine(scene.start())
    finish_by_hand(scene.compensation(2), scene.owner, "Removed it in the console.")
    engine(rollback)

    plan = shown(scene)
    assert (numbers(plan.already_undone), numbers(plan.cannot_be_undone)) == ([2, 1], [3])
    assert not plan.has_work


def test_steps_that_never_acted_are_not_shown(scene: Scene) -> None:
    for state in ("proposed", "awaiting_approval", "refused", "expired"):
        scene.did(state=state, finished_at=None)
    Effect.objects.all().delete()
    scene.did(state="failed")
    Effect.objects.all().delete()

    assert shown(scene).items == ()


def test_a_step_that_failed_half_way_is_shown(scene: Scene) -> None:
    scene.did(state="failed")

    assert numbers(shown(scene).will_be_undone) == [1]


def test_what_would_be_sent_is_shown_with_references_in_place_of_secrets(scene: Scene) -> None:
    headers = {"Authorization": "Bearer ${secret.test_token}"}
    request = {"method": "DELETE", "path": "/things/1", "headers": headers, "query": {}, "body": None}
    undo = undo_of("/things/1", request=request)
    scene.did(undo=undo)

    [item] = shown(scene).items
    assert item.sends == undo["compensation"]
    assert "the-secret-of-the-tests" not in repr(item.sends)


@pytest.mark.parametrize("fields", [IRREVERSIBLE, {"undo": None}])
def test_where_nothing_would_be_sent_nothing_is_shown(scene: Scene, fields: dict[str, Any]) -> None:
    scene.did(**fields)

    [item] = shown(scene).items
    assert item.sends is None


def test_who_answers_is_the_systems_owner(scene: Scene) -> None:
    scene.did()

    [item] = shown(scene).items
    assert item.answerable == scene.owner


def test_where_the_systems_owner_has_left_the_backup_answers(scene: Scene) -> None:
    scene.system.owner = make_person(name="Gone Already", is_active=False)
    scene.system.backup = make_person(name="Bea Backup")
    scene.system.save()
    scene.did()

    [item] = shown(scene).items
    assert item.answerable == scene.system.backup


def test_where_nobody_answers_for_the_system_the_workflows_owner_does(scene: Scene) -> None:
    scene.system.owner = make_person(name="Gone Already", is_active=False)
    scene.system.save()
    scene.did()

    [item] = shown(scene).items
    assert item.answerable == scene.run.workflow.owner


def test_the_reach_is_what_the_run_changed_and_what_would_be_left_of_it(scene: Scene) -> None:
    billing = make_system("billing")
    scene.did()
    last = scene.did(**IRREVERSIBLE)
    for ref in ("m-1", "m-1", "m-2"):
        Effect.objects.create(step=last, run=scene.run, system=billing, kind="mail", ref=ref)
    Effect.objects.create(step=last, run=scene.run, system=billing, kind="sms", count=40)
    for amount, currency in (("0.1", "EUR"), ("0.2", "EUR"), ("5", "CHF")):
        Effect.objects.create(
            step=last, run=scene.run, system=billing, kind="fee", ref="f", amount=Decimal(amount), currency=currency
        )

    plan = shown(scene)
    money = {"CHF": "5.000000", "EUR": "0.300000"}
    assert plan.reach == Reach(systems=2, effects=9, records=45, money=money)
    assert plan.reach_after == Reach(systems=2, effects=8, records=44, money=money)


def test_what_was_undone_already_does_not_count_into_the_reach(scene: Scene, engine: Engine) -> None:
    scene.did()
    engine(scene.start())

    assert shown(scene).reach == Reach(systems=0, effects=0, records=0, money={})


# --- it carries out nothing -----------------------------------------------------------------------


def test_a_preview_carries_out_nothing(scene: Scene) -> None:
    scene.did()
    scene.did(state="cleared", finished_at=None)
    before = (Run.objects.values().get(), list(Step.objects.order_by("pk").values()))

    shown(scene)

    assert (Run.objects.values().get(), list(Step.objects.order_by("pk").values())) == before
    assert [model.objects.count() for model in (Rollback, Compensation, AuditEvent)] == [0, 0, 0]
    assert (scene.outside.asked, scene.outside.things) == ([], {"/things/1", "/things/2"})


# --- the hash -------------------------------------------------------------------------------------


def test_the_same_plan_has_the_same_hash(scene: Scene) -> None:
    scene.did()
    scene.did()

    assert shown(scene).hash == shown(scene).hash


def _add(scene: Scene) -> None:
    scene.did()


def _resend(scene: Scene) -> None:
    change(scene.steps[0], undo=undo_of("/things/elsewhere"))


def _time_out(scene: Scene) -> None:
    change(scene.steps[0], undo_expires_at=timezone.now() - timedelta(seconds=1))


def _doubt(scene: Scene) -> None:
    change(scene.steps[0], state="in_doubt")


def _order(scene: Scene) -> None:
    change(scene.steps[1], depends_on=[])


def _forget(scene: Scene) -> None:
    change(scene.steps[0], undo=None)


def _undo(scene: Scene) -> None:
    step = scene.steps[0]
    rollback = Rollback.objects.create(run=scene.run, scope=ALL, plan_hash="", reason="r", on_failure="hold")
    Compensation.objects.create(
        rollback=rollback, step=step, system=step.system, position=1, key="k", state="compensated"
    )


@pytest.mark.parametrize("happens", [_add, _resend, _time_out, _doubt, _order, _forget, _undo])
def test_the_hash_changes_with_what_would_be_done(scene: Scene, happens: Callable[[Scene], None]) -> None:
    scene.did()
    scene.did()
    before = shown(scene).hash

    happens(scene)

    assert shown(scene).hash != before


def test_the_hash_of_another_scope_is_another(scene: Scene) -> None:
    scene.did(after=[])
    scene.did(after=[])
    chosen = {"kind": "steps", "steps": [str(scene.steps[1].pk)]}

    assert shown(scene).hash != shown(scene, chosen).hash


def test_the_hash_does_not_change_with_what_is_not_agreed_to(scene: Scene) -> None:
    scene.did()
    before = shown(scene).hash
    Run.objects.update(goal="Something else", heartbeat_at=timezone.now())
    change(scene.steps[0], output={"more": 1})

    assert shown(scene).hash == before


def test_a_rehearsal_undid_nothing(scene: Scene) -> None:
    scene.did()
    before = shown(scene).hash
    _undo(scene)
    Rollback.objects.update(rehearsal=True)

    assert shown(scene).hash == before


# --- scopes ---------------------------------------------------------------------------------------


def test_back_to_a_step_shows_what_was_done_after_it(scene: Scene) -> None:
    for _ in range(3):
        scene.did()

    assert numbers(shown(scene, {"kind": "back_to", "step": str(scene.steps[0].pk)}).items) == [3, 2]


def test_chosen_steps_are_shown_with_what_built_on_them(scene: Scene) -> None:
    scene.did(after=[])
    scene.did(after=[1])
    scene.did(after=[])

    assert numbers(shown(scene, {"kind": "steps", "steps": [str(scene.steps[0].pk)]}).items) == [2, 1]


@pytest.mark.parametrize(
    "scope",
    [
        {},
        {"kind": "most"},
        {"kind": ["all"]},
        {"kind": "back_to"},
        {"kind": "back_to", "step": None},
        {"kind": "back_to", "step": "seven"},
        {"kind": "back_to", "step": NOBODYS},
        {"kind": "steps"},
        {"kind": "steps", "steps": []},
        {"kind": "steps", "steps": "all"},
        {"kind": "steps", "steps": [None]},
        {"kind": "steps", "steps": [{"id": 1}]},
        {"kind": "steps", "steps": [NOBODYS]},
    ],
    ids=str,
)
def test_a_scope_that_makes_no_sense_is_refused(scene: Scene, scope: dict[str, Any]) -> None:
    scene.did()

    with pytest.raises(Invalid) as refused:
        shown(scene, scope)
    assert refused.value.code == "invalid-scope"


def test_a_scope_with_a_step_of_another_run_is_refused(scene: Scene) -> None:
    elsewhere = scene.did()
    scene.run = Run.objects.create(workflow=scene.run.workflow, version=scene.version, agent="maker", state="failed")
    scene.steps = []
    scene.did()

    with pytest.raises(Invalid, match="ids of this run's steps"):
        shown(scene, {"kind": "steps", "steps": [str(scene.steps[0].pk), str(elsewhere.pk)]})

"""The one writer of state, on the real database: every machine, every state, every action; and many at once."""

import json
import threading
from collections.abc import Callable
from enum import StrEnum
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from incidents.response.states import INCIDENT
from rollback.approvals.states import APPROVAL
from rollback.audit.actors import RECOURSE, Actor, ActorKind
from rollback.audit.machine import Machine
from rollback.audit.models import AuditChain, AuditEvent
from rollback.audit.services import move, record
from rollback.audit.verify import broken_links
from rollback.errors import Conflict
from rollback.models import Compensation, Run
from rollback.recovery.states import COMPENSATION, ROLLBACK
from rollback.runs.states import RUN, STEP
from tests.rollback.audit.things import THINGS, make_compensation, make_run, put, stored

MACHINES = [RUN, STEP, APPROVAL, ROLLBACK, COMPENSATION, INCIDENT]
LEA = Actor(ActorKind.PERSON, "7", "Lea Lead")
Row = tuple[Machine, StrEnum, str]
ROWS: list[Row] = [(m, state, action) for m in MACHINES for state in m.states for action in m.moves]
LEGAL = [row for row in ROWS if row[1] in row[0].moves[row[2]].sources]
ILLEGAL = [row for row in ROWS if row not in LEGAL]


def _name(row: Row) -> str:
    return f"{row[0].name}-{row[1]}-{row[2]}"


def test_every_machine_has_a_thing(db: None) -> None:
    assert {name: make().MACHINE for name, make in THINGS.items()} == {machine.name: machine for machine in MACHINES}


@pytest.mark.parametrize("row", LEGAL, ids=_name)
def test_a_legal_move_writes_the_state_and_exactly_one_event(row: Row, db: None) -> None:
    machine, state, action = row
    thing = THINGS[machine.name]()
    put(thing, state)
    before, began = stored(thing), timezone.now()

    move(thing, action, LEA, payload={"why": "so it is"})

    after, [event] = stored(thing), AuditEvent.objects.all()
    assert {name for name in after if after[name] != before[name]} <= {"state", "state_at"}
    assert (after["state"], thing.state) == (machine.moves[action].target, machine.moves[action].target)
    assert began <= after["state_at"] == thing.state_at == event.at
    assert (event.kind, event.subject, event.number) == (*thing.audit_chain(), 1)
    assert (event.type, event.actor_kind, event.actor_id) == (f"{machine.name}.{action}", "person", "7")
    assert json.loads(event.payload) == {"id": str(thing.pk), "why": "so it is"}
    assert list(broken_links()) == []


@pytest.mark.parametrize("row", ILLEGAL, ids=_name)
def test_an_illegal_move_is_refused_and_changes_nothing(row: Row, db: None) -> None:
    machine, state, action = row
    thing = THINGS[machine.name]()
    put(thing, state)
    before = stored(thing)

    with pytest.raises(Conflict) as refused:
        move(thing, action, LEA, set={"state_at": timezone.now()})

    assert (refused.value.code, state.replace("_", " ") in refused.value.detail) == ("wrong-state", True)
    assert (stored(thing), thing.state) == (before, state)
    assert not AuditEvent.objects.exists()


def test_the_stored_state_counts_not_the_one_in_hand(db: None) -> None:
    run = make_run()
    stale = Run.objects.get(pk=run.pk)
    move(run, "fail", LEA)

    with pytest.raises(Conflict, match="is failed"):
        move(stale, "succeed", LEA)

    assert stored(run)["state"] == "failed"


def test_further_fields_are_written_with_the_state_and_into_the_thing(db: None) -> None:
    run, ended = make_run(), timezone.now()

    move(run, "fail", LEA, set={"error": "No more disk", "ended_at": ended})

    assert (run.error, run.ended_at) == ("No more disk", ended)
    assert (stored(run)["error"], stored(run)["ended_at"]) == ("No more disk", ended)


def test_a_move_under_an_old_fence_changes_nothing(db: None) -> None:
    compensation = make_compensation()
    Compensation.objects.filter(pk=compensation.pk).update(state="executing", fence=3)
    compensation.refresh_from_db()
    before = stored(compensation)

    with pytest.raises(Conflict):
        move(compensation, "compensate", RECOURSE, set={"verified": True}, where={"fence": 2})

    assert (stored(compensation), compensation.verified) == (before, False)
    assert not AuditEvent.objects.exists()


def test_a_move_under_its_own_fence_is_made(db: None) -> None:
    compensation = make_compensation()
    Compensation.objects.filter(pk=compensation.pk).update(state="executing", fence=3)

    move(compensation, "compensate", RECOURSE, where={"fence": 3})

    assert stored(compensation)["state"] == "compensated"


def test_a_transaction_that_is_rolled_back_leaves_neither_state_nor_event(db: None) -> None:
    run = make_run()
    before = stored(run)

    with transaction.atomic():
        move(run, "fail", LEA)
        transaction.set_rollback(True)

    assert stored(run) == before
    assert not AuditEvent.objects.exists()
    assert not AuditChain.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_a_move_opens_its_own() -> None:
    run = make_run()

    with pytest.raises(TypeError):
        move(run, "fail", LEA, payload={("no", "key"): "that JSON has"})  # type: ignore[dict-item]

    assert stored(run)["state"] == "running"
    assert not AuditEvent.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_event_is_not_recorded_outside_the_transaction_of_its_fact() -> None:
    with pytest.raises(RuntimeError, match="share the transaction"):
        record(make_run().audit_chain(), "run.noted", LEA)

    assert not AuditEvent.objects.exists()
    assert not AuditChain.objects.exists()


def test_each_event_names_the_one_before_it(db: None) -> None:
    run = make_run()
    for action in ("fail", "begin_rollback", "end_rolled_back"):
        move(run, action, LEA)

    first, second, third = AuditEvent.objects.order_by("number")
    assert ["", first.hash, second.hash] == [first.previous, second.previous, third.previous]
    assert (third.number, third.hash) == AuditChain.objects.values_list("length", "head").get()


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """What each of ``works`` answers or raises when all of them begin at the same moment."""
    gate, answers = threading.Barrier(len(works)), []

    def run(work: Callable[[], Any]) -> None:
        gate.wait()
        try:
            answers.append(work())
        except Conflict as refused:
            answers.append(refused)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(answers) == len(works)
    return answers


@pytest.mark.django_db(transaction=True)
def test_of_many_who_move_one_thing_at_once_one_wins() -> None:
    run = make_run()

    def end(action: str) -> str:
        move(Run.objects.get(pk=run.pk), action, LEA)
        return action

    answers = at_once(*(lambda action=action: end(action) for action in ["succeed", "fail", "halt", "lose"] * 2))

    [winner] = [answer for answer in answers if isinstance(answer, str)]
    assert stored(run)["state"] == RUN.moves[winner].target
    assert [event.type for event in AuditEvent.objects.all()] == [f"run.{winner}"]


@pytest.mark.django_db(transaction=True)
def test_many_who_write_into_one_chain_at_once_write_one_after_the_other() -> None:
    chain = make_run().audit_chain()

    def note(number: int) -> None:
        with transaction.atomic():
            record(chain, "run.noted", LEA, {"number": number})

    at_once(*(lambda number=number: note(number) for number in range(8)))

    assert list(AuditEvent.objects.order_by("number").values_list("number", flat=True)) == list(range(1, 9))
    assert {json.loads(event.payload)["number"] for event in AuditEvent.objects.all()} == set(range(8))
    assert list(broken_links()) == []

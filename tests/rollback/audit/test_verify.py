"""A history that cannot be changed unnoticed: the database refuses, and ``manage.py audit verify`` finds out."""

import io
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.utils import timezone

from rollback.audit.actors import RECOURSE
from rollback.audit.chain import canonical, checkpoint_hash
from rollback.audit.models import AuditChain, AuditCheckpoint, AuditEvent
from rollback.audit.services import record, seal
from rollback.audit.verify import Broken, broken_links

RUN, OTHER = UUID(int=7), UUID(int=8)
NOT_WRITTEN = "what it says is not what was written"


def write(subject: UUID = RUN, events: int = 3, kind: str = "run") -> None:
    """A history."""
    with transaction.atomic():
        for number in range(1, events + 1):
            record((kind, subject), "run.noted", RECOURSE, {"number": number})


@pytest.fixture
def history(db: None) -> None:
    """A chain of three events."""
    write()


@pytest.fixture
def tampering(db: None) -> None:
    """From here on, the triggers are gone: what only somebody with the database in hand can do."""
    with connection.cursor() as cursor:
        for table in ("rollback_auditevent", "rollback_auditcheckpoint"):
            on = f" ON {table}" if connection.vendor == "postgresql" else ""
            for verb in ("update", "delete"):
                cursor.execute(f"DROP TRIGGER {table}_no_{verb}{on}")


def event(number: int, subject: UUID = RUN) -> Any:
    """The one event with ``number``, as rows."""
    return AuditEvent.objects.filter(subject=subject, number=number)


def verify() -> tuple[str, str]:
    """What ``manage.py audit verify`` says: on standard output, and on standard error."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("audit", "verify", stdout=out, stderr=err)
    except CommandError as error:
        err.write(f"({error})")
    return out.getvalue().strip(), err.getvalue().strip()


# --- the database refuses -------------------------------------------------------------------------


@pytest.mark.parametrize("model", [AuditEvent, AuditCheckpoint])
def test_the_history_cannot_be_updated(model: Any, history: None) -> None:
    seal()

    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        model.objects.update(hash="")

    assert list(broken_links()) == []


@pytest.mark.parametrize("model", [AuditEvent, AuditCheckpoint])
def test_the_history_cannot_be_deleted(model: Any, history: None) -> None:
    seal()

    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        model.objects.first().delete()

    assert model.objects.exists()


@pytest.mark.parametrize("model", [AuditEvent, AuditCheckpoint])
def test_the_history_cannot_be_emptied_as_a_whole(model: Any, history: None) -> None:
    """Databases have a faster way to empty a table than row by row; SQLite takes it by itself."""
    seal()
    empty = "TRUNCATE" if connection.vendor == "postgresql" else "DELETE FROM"

    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"{empty} {model._meta.db_table}")

    assert model.objects.exists()


# --- verifying finds out --------------------------------------------------------------------------


def test_a_history_as_it_was_written_holds(history: None) -> None:
    write(OTHER, 2)

    assert verify() == ("5 events verified: the history holds.", "")


@pytest.mark.parametrize(
    "change",
    [
        {"type": "run.renamed"},
        {"actor_kind": "person"},
        {"actor_kind": "nobody"},
        {"actor_id": "7"},
        {"actor_name": "Somebody else"},
        {"at": F("at") + timedelta(microseconds=1)},
        {"payload": '{"number":3}'},
        {"payload": '{"number": 2}'},
        {"payload": "no JSON"},
        {"previous": "0" * 64},
        {"hash": "0" * 64},
    ],
    ids=str,
)
def test_an_event_that_says_something_else_is_named(change: dict[str, Any], history: None, tampering: None) -> None:
    event(2).update(**change)

    assert verify() == ("", f"run {RUN} event 2: {NOT_WRITTEN}\n(The history does not hold in 1 place(s).)")


def test_of_several_events_that_were_changed_the_first_is_named(history: None, tampering: None) -> None:
    event(3).update(type="x")
    event(2).update(type="x")

    assert [broken.where for broken in broken_links()] == [f"run {RUN} event 2"]


def test_each_chain_is_named_for_itself(history: None, tampering: None) -> None:
    write(OTHER, 2)
    event(3).update(type="x")
    event(1, OTHER).update(type="x")

    _, said = verify()

    assert f"run {RUN} event 3" in said
    assert f"run {OTHER} event 1" in said
    assert "in 2 place(s)" in said


@pytest.mark.parametrize(
    ("gone", "where", "why"),
    [
        ([1], "event 1", "missing: the next one there is number 2"),
        ([2], "event 2", "missing: the next one there is number 3"),
        ([3], "event 3", "the head of the chain names another end"),
        ([1, 2, 3], "", "all 3 events are gone"),
    ],
)
def test_events_that_are_gone_are_named(gone: list[int], where: str, why: str, history: None, tampering: None) -> None:
    AuditEvent.objects.filter(number__in=gone).delete()

    assert list(broken_links()) == [Broken(f"run {RUN} {where}".strip(), why)]


def test_an_event_that_moved_to_another_subject_is_named(history: None, tampering: None) -> None:
    write(OTHER, 2)
    event(3).update(subject=OTHER)

    assert {broken.where for broken in broken_links()} == {f"run {RUN} event 3", f"run {OTHER} event 3"}


def test_an_event_that_was_slipped_in_is_named(history: None) -> None:
    last = event(3).get()
    AuditEvent.objects.create(**{**_fields(last), "number": 4, "previous": last.hash})

    assert list(broken_links()) == [Broken(f"run {RUN} event 4", NOT_WRITTEN)]


def test_a_chain_whose_head_is_gone_is_named(history: None) -> None:
    AuditChain.objects.all().delete()

    assert list(broken_links()) == [Broken(f"run {RUN} event 4", "the head of the chain names another end")]


def _fields(row: AuditEvent) -> dict[str, Any]:
    return {field.name: getattr(row, field.name) for field in row._meta.fields if field.name != "id"}


# --- sealing --------------------------------------------------------------------------------------


def test_a_seal_holds_the_head_of_every_chain(history: None) -> None:
    write(OTHER, 2)

    checkpoint = seal()

    assert checkpoint is not None
    heads = [["run", str(subject), n, event(n, subject).get().hash] for subject, n in ((RUN, 3), (OTHER, 2))]
    assert checkpoint.heads == canonical(heads)
    assert (checkpoint.previous, checkpoint.hash) == ("", checkpoint_hash("", checkpoint.at, checkpoint.heads))


def test_where_nothing_happened_nothing_is_sealed(db: None) -> None:
    assert seal() is None


@pytest.mark.parametrize("later", [0, 30, 300])
def test_where_nothing_happened_since_nothing_more_is_sealed(later: int, history: None) -> None:
    seal()

    with time_machine.travel(timezone.now() + timedelta(seconds=later)):
        assert seal() is None


def test_a_later_seal_holds_what_moved_since_and_names_the_one_before(db: None) -> None:
    with time_machine.travel(timezone.now() - timedelta(seconds=300)):
        write()
    first = seal()
    write(OTHER, 1)
    second = seal()

    assert first is not None
    assert second is not None
    assert second.previous == first.hash
    assert second.heads == canonical([["run", str(OTHER), 1, event(1, OTHER).get().hash]])
    assert list(broken_links()) == []


def test_what_was_open_during_a_seal_is_in_the_next(history: None) -> None:
    """Its moment is before the seal's, and it became visible after it: the overlap finds it."""
    before = timezone.now()
    seal()
    write(OTHER, 1)
    AuditChain.objects.filter(subject=OTHER).update(moved_at=before - timedelta(seconds=20))

    checkpoint = seal()

    assert checkpoint is not None
    assert str(OTHER) in checkpoint.heads


def test_a_chain_that_was_written_anew_differs_from_what_was_sealed(history: None, tampering: None) -> None:
    seal()
    AuditEvent.objects.all().delete()
    AuditChain.objects.all().delete()
    with time_machine.travel(timezone.now() + timedelta(seconds=1)):
        write()

    [broken] = broken_links()
    assert broken.where == f"run {RUN} event 3"
    assert broken.why.startswith("differs from what checkpoint")


def test_a_chain_that_is_gone_with_its_head_is_missed_by_the_seal(history: None, tampering: None) -> None:
    seal()
    AuditEvent.objects.all().delete()
    AuditChain.objects.all().delete()

    assert [broken.where for broken in broken_links()] == [f"run {RUN} event 3"]


@pytest.mark.parametrize("change", [{"heads": "[]"}, {"heads": "no JSON"}, {"hash": "0" * 64}, {"previous": "0" * 64}])
def test_a_seal_that_says_something_else_is_named(change: dict[str, str], history: None, tampering: None) -> None:
    checkpoint = seal()
    assert checkpoint is not None
    AuditCheckpoint.objects.update(**change)

    assert list(broken_links()) == [Broken(f"checkpoint {checkpoint.pk}", NOT_WRITTEN)]


def test_a_seal_that_is_gone_breaks_the_next(history: None, tampering: None) -> None:
    first = seal()
    write(OTHER, 1)
    second = seal()
    assert first is not None
    assert second is not None
    AuditCheckpoint.objects.filter(pk=first.pk).delete()

    assert [broken.where for broken in broken_links()] == [f"checkpoint {second.pk}"]

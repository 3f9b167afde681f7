"""The one writer of state, and of the history beside it."""

import datetime as dt
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar, Protocol
from uuid import UUID

from django.db import models, transaction
from django.utils import timezone

from rollback.audit.actors import Actor
from rollback.audit.chain import Payload, canonical, checkpoint_hash, event_hash
from rollback.audit.machine import Machine
from rollback.audit.models import AuditChain, AuditCheckpoint, AuditEvent
from rollback.errors import Conflict


class Stateful(Protocol):
    """What ``move`` needs of a model: a state, when it was entered, its table, and its chain."""

    MACHINE: ClassVar[Machine]
    pk: Any
    state: Any
    state_at: Any

    def audit_chain(self) -> tuple[str, UUID]:
        """The kind and the subject of the chain that this thing's events belong to."""
        ...


def record(
    chain: tuple[str, UUID], type_: str, actor: Actor, payload: Payload | None = None, at: dt.datetime | None = None
) -> AuditEvent:
    """Append one event to ``chain``. Call it inside the transaction that makes the event true."""
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("record() must share the transaction of what it records")
    kind, subject = chain
    at = at or timezone.now()
    head = _head(kind, subject)
    text = canonical(payload or {})
    number = head.length + 1
    digest = event_hash(head.head, kind, subject, number, type_, actor, at, text)
    event = AuditEvent.objects.create(
        kind=kind,
        subject=subject,
        number=number,
        type=type_,
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_name=actor.name,
        at=at,
        payload=text,
        previous=head.head,
        hash=digest,
    )
    AuditChain.objects.filter(pk=head.pk).update(length=number, head=digest, moved_at=timezone.now())
    return event


def _head(kind: str, subject: UUID) -> AuditChain:
    """The head of the chain, locked; begins the chain when this is its first event."""
    rows = AuditChain.objects.select_for_update().filter(kind=kind, subject=subject)
    head = rows.first()
    if head is None:
        # Somebody else may begin it at the same time: then theirs stays, and is waited for.
        AuditChain.objects.bulk_create([AuditChain(kind=kind, subject=subject)], ignore_conflicts=True)
        head = rows.get()
    return head


def _one_transaction() -> AbstractContextManager[object]:
    """The transaction that is open, or a new one. Without a savepoint: nothing here is caught half-way."""
    return nullcontext() if transaction.get_connection().in_atomic_block else transaction.atomic()


def move(
    thing: Stateful,
    action: str,
    actor: Actor,
    *,
    set: Mapping[str, object] | None = None,
    where: Mapping[str, object] | None = None,
    payload: Payload | None = None,
) -> None:
    """Carry out ``action`` on ``thing``: its new state, the moment, and the audit event, all or nothing.

    ``set`` are further fields written with it; ``where`` further conditions that must hold (a fencing
    token). ``thing`` is brought up to date. Raises ``Conflict`` when the table does not allow the move
    from the state that is really stored, or when ``where`` does not hold.
    """
    assert isinstance(thing, models.Model)
    machine = thing.MACHINE
    step = machine.moves[action]
    now = timezone.now()
    changes = {**(set or {}), "state": step.target, "state_at": now}
    with _one_transaction():
        rows = type(thing)._base_manager.filter(pk=thing.pk, state__in=step.sources, **(where or {}))
        if not rows.update(**changes):
            raise _refusal(thing, machine, action)
        record(thing.audit_chain(), f"{machine.name}.{action}", actor, {"id": thing.pk, **(payload or {})}, at=now)
    for name, value in changes.items():
        setattr(thing, name, value)


def _refusal(thing: Stateful, machine: Machine, action: str) -> Conflict:
    assert isinstance(thing, models.Model)
    kind, subject = thing.audit_chain()
    state, since = type(thing)._base_manager.values_list("state", "state_at").get(pk=thing.pk)
    events = AuditEvent.objects.filter(kind=kind, subject=subject, at=since, type__startswith=f"{machine.name}.")
    who = events.values_list("actor_name", flat=True).first()
    by = f" by {who}" if who else ""
    words = f"This {machine.name} is {state.replace('_', ' ')}{by} since {since:%Y-%m-%d %H:%M} UTC"
    return Conflict(f"{words}: {action.replace('_', ' ')} is not possible now.", "wrong-state")


def seal() -> AuditCheckpoint | None:
    """Seal the heads of all chains that moved since the last checkpoint; none moved: no checkpoint."""
    with transaction.atomic():
        last = AuditCheckpoint.objects.order_by("-pk").first()
        chains = AuditChain.objects.order_by("kind", "subject")
        if last is not None:
            # A minute's overlap: a transaction that was open during the last seal is not skipped.
            chains = chains.filter(moved_at__gt=last.at - dt.timedelta(minutes=1))
        heads = [[chain.kind, str(chain.subject), chain.length, chain.head] for chain in chains]
        text = canonical(heads)
        if not heads or (last is not None and text == last.heads):
            return None
        now = timezone.now()
        previous = last.hash if last else ""
        return AuditCheckpoint.objects.create(
            at=now, heads=text, previous=previous, hash=checkpoint_hash(previous, now, text)
        )

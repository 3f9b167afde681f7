"""Reads the history back and names the first thing about it that does not add up."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from rollback.audit.actors import Actor, ActorKind
from rollback.audit.chain import checkpoint_hash, event_hash
from rollback.audit.models import AuditChain, AuditCheckpoint, AuditEvent

_ACTOR_KINDS = frozenset(ActorKind)


@dataclass(frozen=True)
class Broken:
    """The first link of a chain that does not hold, and why."""

    where: str
    why: str


def broken_links() -> Iterator[Broken]:
    """Every chain and checkpoint that does not hold, each with its first broken link. None: all is as written."""
    heads = {(chain.kind, chain.subject): chain for chain in AuditChain.objects.all()}
    events = AuditEvent.objects.order_by("kind", "subject", "number").iterator(chunk_size=2000)
    for key, chain_events in groupby(events, key=attrgetter("kind", "subject")):
        if broken := _first_broken(list(chain_events), heads.pop(key, None)):
            yield broken
    for (kind, subject), head in heads.items():
        if head.length:
            yield Broken(f"{kind} {subject}", f"all {head.length} events are gone")
    yield from _broken_checkpoints()


def _first_broken(events: list[AuditEvent], head: AuditChain | None) -> Broken | None:
    previous = ""
    for number, event in enumerate(events, 1):
        where = f"{event.kind} {event.subject} event {number}"
        if event.number != number:
            return Broken(where, f"missing: the next one there is number {event.number}")
        if event.previous != previous or not _is_as_written(event):
            return Broken(where, "what it says is not what was written")
        previous = event.hash
    if head is None or (head.length, head.head) != (len(events), previous):
        last = events[-1]
        return Broken(f"{last.kind} {last.subject} event {len(events) + 1}", "the head of the chain names another end")
    return None


def _is_as_written(event: AuditEvent) -> bool:
    if event.actor_kind not in _ACTOR_KINDS:
        return False
    actor = Actor(ActorKind(event.actor_kind), event.actor_id, event.actor_name)
    return event.hash == event_hash(
        event.previous, event.kind, event.subject, event.number, event.type, actor, event.at, event.payload
    )


def _broken_checkpoints() -> Iterator[Broken]:
    """A checkpoint holds when its own hash does and every head that it sealed is still in the history."""
    previous = ""
    for seal in AuditCheckpoint.objects.order_by("pk").iterator():
        where = f"checkpoint {seal.pk}"
        if seal.previous != previous or seal.hash != checkpoint_hash(previous, seal.at, seal.heads):
            yield Broken(where, "what it says is not what was written")
            previous = seal.hash
            continue
        previous = seal.hash
        for kind, subject, length, head in json.loads(seal.heads):
            event = AuditEvent.objects.filter(kind=kind, subject=subject, number=length).first()
            if length and (event is None or event.hash != head):
                yield Broken(f"{kind} {subject} event {length}", f"differs from what {where} sealed")

"""How events are hashed. A function of its inputs alone; verification calls the very same one."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

from rollback.audit.actors import Actor

SEPARATOR = "\x1f"


def canonical(payload: object) -> str:
    """``payload`` as JSON text in one fixed form: sorted keys, no spaces, everything else as text."""
    return json.dumps(payload, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)


def event_hash(
    previous: str,
    kind: str,
    subject: UUID,
    number: int,
    type_: str,
    actor: Actor,
    at: datetime,
    payload: str,
) -> str:
    """The hash (64 hex digits) of one event over ``previous`` and all it says; times in UTC microseconds."""
    moment = at.astimezone(UTC).isoformat(timespec="microseconds")
    parts = [previous, kind, str(subject), str(number), type_, actor.kind, actor.id, actor.name, moment, payload]
    return hashlib.sha256(SEPARATOR.join(parts).encode()).hexdigest()


def checkpoint_hash(previous: str, at: datetime, heads: str) -> str:
    """The hash of one checkpoint over the one before it and the heads it seals."""
    moment = at.astimezone(UTC).isoformat(timespec="microseconds")
    return hashlib.sha256(SEPARATOR.join([previous, moment, heads]).encode()).hexdigest()


Payload = Mapping[str, object]

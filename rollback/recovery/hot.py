"""The engine's hot path on PostgreSQL: claim and settle as one statement each.

Through the ORM a settled compensation takes a dozen statements: the state, its audit event, the head of the
chain, the end of the try, what waited on it, and the next claim. Here it is one, with one commit. It does
what ``store.py`` does and nothing else; the same tests hold for both. ``benchmarks/`` says what it is worth.

How the statements keep their promises (READ COMMITTED):

- ``held`` locks the rollback's row first, in every statement and in every transaction that changes
  something of a rollback: so there is one order of locks, and no ring.
- A statement that waited for that lock still has its old snapshot. So every row that another may have changed
  meanwhile is read by the ``UPDATE`` itself or with ``FOR UPDATE``: both see the newest version, and check
  their conditions (state, fence) against it.
- The head of the audit chain is read ``FOR UPDATE``, and hashed on with the very text of ``chain.event_hash``.
"""

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.utils import timezone

from rollback.audit.actors import RECOURSE
from rollback.audit.chain import SEPARATOR, canonical
from rollback.recovery.claims import CHECK, EXECUTE, VERIFY, Claim, LeaseLost, target_of
from rollback.recovery.executors.contract import Outcome, Target
from rollback.recovery.limits import Room
from rollback.recovery.states import COMPENSATION

_STATE_OF = {phase: COMPENSATION.moves[phase].target.value for phase in (CHECK, EXECUTE, VERIFY)}

# What can be taken without judgement: software has something to execute, and its undo window has not passed.
_PLAIN = """
    (c.undo #>> '{compensation,executor}') <> 'manual'
    AND (c.expires_at IS NULL OR c.expires_at > %(at)s OR c.executed_at IS NOT NULL)"""

_FIRST_PHASE = """
    CASE WHEN c.executed_at IS NOT NULL AND jsonb_typeof(c.undo -> 'verification') = 'object' THEN 'verify'
         WHEN jsonb_typeof(c.undo -> 'drift_check') = 'object' THEN 'check'
         ELSE 'execute' END"""

_STATE = "CASE {phase} WHEN 'check' THEN 'checking' WHEN 'execute' THEN 'executing' ELSE 'verifying' END"

_HELD = """
held AS MATERIALIZED (
    SELECT id, state FROM rollback_rollback WHERE id = %(rollback)s FOR NO KEY UPDATE
)"""

# The audit events (n, type, payload) of this statement, hashed one after the other onto the chain's head.
_RECORD = """
head AS MATERIALIZED (
    SELECT ch.id, ch.length, ch.head FROM rollback_auditchain ch
    WHERE ch.kind = 'rollback' AND ch.subject = %(rollback)s AND EXISTS (SELECT FROM event) FOR UPDATE
),
hashed (n, type, payload, previous, hash) AS (
    SELECT 0::bigint, ''::text, ''::text, ''::text, head.head::text FROM head
    UNION ALL
    SELECT event.n, event.type, event.payload, hashed.hash,
        encode(sha256(convert_to(
            hashed.hash || %(before)s::text || (head.length + event.n)::text || E'\\x1f' || event.type
            || %(between)s::text || event.payload, 'UTF8')), 'hex')
    FROM hashed CROSS JOIN head JOIN event ON event.n = hashed.n + 1
),
recorded AS (
    INSERT INTO rollback_auditevent
        (kind, subject, number, type, actor_kind, actor_id, actor_name, at, payload, previous, hash)
    SELECT 'rollback', %(rollback)s, head.length + hashed.n, hashed.type, %(actor_kind)s, %(actor_id)s,
        %(actor_name)s, %(at)s, hashed.payload, hashed.previous, hashed.hash
    FROM hashed CROSS JOIN head WHERE hashed.n > 0
),
moved AS (
    UPDATE rollback_auditchain ch
    SET length = head.length + last.n, head = last.hash, moved_at = %(at)s
    FROM head, (SELECT n, hash FROM hashed ORDER BY n DESC LIMIT 1) last WHERE ch.id = head.id
)"""

_TAKEN_COLUMNS = """
    fence = c.fence + 1, leased_until = %(until)s, leased_by = %(worker)s, attempts_made = c.attempts_made + 1,
    started_at = coalesce(c.started_at, %(at)s), next_attempt_at = NULL, state_at = %(at)s"""

_BEGUN = """
begun AS (
    INSERT INTO rollback_attempt (compensation_id, number, phase, fence, started_at, outcome, detail)
    SELECT id, attempts_made, phase, fence, %(at)s, '', '' FROM taken
)"""

_ANSWER = """
    t.id, t.fence, t.key, t.phase, t.undo::text, t.executed_at, t.system_id, st.input::text, st.output::text
"""

_TAKE = f"""
WITH RECURSIVE {_HELD},
room AS MATERIALIZED (SELECT * FROM unnest(%(systems)s::uuid[], %(rooms)s::int[]) AS room (system_id, free)),
ready AS MATERIALIZED (
    SELECT c.id, c.system_id, c.position, {_FIRST_PHASE} AS phase
    FROM held JOIN rollback_compensation c ON c.rollback_id = held.id
    WHERE held.state = 'running' AND c.state = 'ready' AND c.system_id = ANY(%(systems)s::uuid[]) AND {_PLAIN}
    ORDER BY c.position LIMIT %(limit)s FOR UPDATE OF c SKIP LOCKED
),
picked AS (
    SELECT ranked.* FROM (
        SELECT ready.*, row_number() OVER (PARTITION BY system_id ORDER BY position) AS nth FROM ready
    ) ranked JOIN room ON room.system_id = ranked.system_id AND ranked.nth <= room.free
),
taken AS (
    UPDATE rollback_compensation c SET {_TAKEN_COLUMNS}, state = {_STATE.format(phase="p.phase")}
    FROM picked p WHERE c.id = p.id AND c.state = 'ready'
    RETURNING c.id, c.fence, c.key, p.phase, c.undo, c.executed_at, c.system_id, c.step_id, c.position,
        c.attempts_made
),
{_BEGUN},
event AS MATERIALIZED (
    SELECT row_number() OVER (ORDER BY position) AS n, 'compensation.' || phase AS type,
        '{{"attempt":' || attempts_made || ',"id":"' || id || '"}}' AS payload
    FROM taken
),
{_RECORD}
SELECT {_ANSWER} FROM taken t JOIN rollback_step st ON st.id = t.step_id ORDER BY t.position
"""

_SETTLED = """
settled AS (
    UPDATE rollback_compensation c
    SET state = %(to)s, state_at = %(at)s, executed_at = coalesce(%(executed_at)s::timestamptz, c.executed_at),
        ended_at = %(ended_at)s::timestamptz,
        leased_until = CASE WHEN %(ended_at)s::timestamptz IS NULL THEN c.leased_until END,
        last_error = CASE WHEN %(ended_at)s::timestamptz IS NULL THEN c.last_error ELSE '' END,
        verified = %(verified)s
    FROM held WHERE c.id = %(id)s AND c.rollback_id = held.id AND c.fence = %(fence)s AND c.state = %(from)s
    RETURNING c.id, c.fence, c.attempts_made
),
ended AS (
    UPDATE rollback_attempt a
    SET ended_at = %(at)s, outcome = 'succeeded', status = %(status)s::smallint, detail = %(detail)s
    FROM settled WHERE a.compensation_id = settled.id AND a.fence = %(fence)s AND a.phase = %(phase)s
        AND a.ended_at IS NULL
)"""

_ADVANCE = f"""
WITH RECURSIVE {_HELD}, {_SETTLED},
begun AS (
    INSERT INTO rollback_attempt (compensation_id, number, phase, fence, started_at, outcome, detail)
    SELECT id, attempts_made, %(next)s::text, fence, %(at)s, '', '' FROM settled
),
event AS MATERIALIZED (SELECT 1::bigint AS n, %(type)s::text AS type, %(payload)s::text AS payload FROM settled),
{_RECORD}
SELECT count(*) FROM settled
"""

# One ends, and one of the same system begins: what the system has to bear stays the same, so nothing is counted.
_FINISH = f"""
WITH RECURSIVE {_HELD}, {_SETTLED},
waiting AS MATERIALIZED (
    SELECT c.id, c.position, c.waits_for = 1 AS opens, {_FIRST_PHASE} AS phase,
        held.state = 'running' AND c.waits_for = 1 AND c.system_id = %(system)s AND {_PLAIN} AS plain
    FROM settled JOIN rollback_compensationorder o ON o.first_id = settled.id
    JOIN rollback_compensation c ON c.id = o.then_id CROSS JOIN held
    WHERE c.state = 'blocked' FOR UPDATE OF c
),
ranked AS (
    SELECT *, coalesce(plain, false)
        AND row_number() OVER (PARTITION BY coalesce(plain, false) ORDER BY position) <= %(want)s AS takes
    FROM waiting
),
freed AS (
    UPDATE rollback_compensation c
    SET waits_for = c.waits_for - 1,
        state = CASE WHEN w.takes THEN {_STATE.format(phase="w.phase")} WHEN w.opens THEN 'ready' ELSE c.state END,
        state_at = CASE WHEN w.opens THEN %(at)s ELSE c.state_at END,
        fence = c.fence + w.takes::int, attempts_made = c.attempts_made + w.takes::int,
        leased_until = CASE WHEN w.takes THEN %(until)s::timestamptz ELSE c.leased_until END,
        leased_by = CASE WHEN w.takes THEN %(worker)s::int ELSE c.leased_by END,
        started_at = CASE WHEN w.takes THEN coalesce(c.started_at, %(at)s) ELSE c.started_at END
    FROM ranked w WHERE c.id = w.id AND c.state = 'blocked'
    RETURNING c.id, c.fence, c.key, w.phase, c.undo, c.executed_at, c.system_id, c.step_id, c.position,
        c.attempts_made, w.opens, w.takes
),
taken AS MATERIALIZED (SELECT * FROM freed WHERE takes),
{_BEGUN},
event AS MATERIALIZED (
    SELECT row_number() OVER (ORDER BY rank, position) AS n, type, payload FROM (
        SELECT 0 AS rank, 0 AS position, 'compensation.compensate' AS type, %(payload)s::text AS payload FROM settled
        UNION ALL
        SELECT 1, position, 'compensation.unblock', '{{"id":"' || id || '"}}' FROM freed WHERE opens
        UNION ALL
        SELECT 2, position, 'compensation.' || phase, '{{"attempt":' || attempts_made || ',"id":"' || id || '"}}'
        FROM taken
    ) happened
),
{_RECORD}
SELECT (SELECT count(*) FROM settled), (SELECT count(*) FROM freed WHERE opens AND NOT takes), {_ANSWER}
FROM (SELECT 1) one LEFT JOIN (taken t JOIN rollback_step st ON st.id = t.step_id) ON true ORDER BY t.position
"""


def available() -> bool:
    """Whether this database can do it."""
    return connection.vendor == "postgresql"


def take(rollback: UUID, room: Room, limit: int, worker: int | None) -> list[Claim]:
    """Claim up to ``limit`` plain ready compensations within ``room``, in a transaction that holds the systems."""
    systems = [system for system, free in room.free.items() if free > 0]
    if not systems:
        return []
    values = _now(rollback, worker) | {
        "systems": systems,
        "rooms": [room.free[system] for system in systems],
        "limit": limit,
    }
    targets = {pk: target_of(system) for pk, system in room.systems.items()}
    return [_claim(rollback, row, targets[row[6]]) for row in _run(_TAKE, values)]


def advance(claimed: Claim, outcome: Outcome, phase: str) -> Claim:
    """Settle a phase that succeeded and enter the next one; answers its claim.

    Raises ``LeaseLost``, having changed nothing, when the claim's fence is no longer the compensation's.
    """
    executed_at = timezone.now() if claimed.phase == EXECUTE else None
    values = _settling(claimed, outcome) | {
        "to": _STATE_OF[phase],
        "next": phase,
        "executed_at": executed_at,
        "ended_at": None,
        "verified": False,
        "type": f"compensation.{phase}",
        "payload": canonical({"id": claimed.compensation}),
    }
    [(settled,)] = _run(_ADVANCE, values)
    if not settled:
        raise LeaseLost(f"fence {claimed.fence} is no longer valid")
    return replace(claimed, phase=phase, executed_at=executed_at or claimed.executed_at)


def finish(claimed: Claim, outcome: Outcome, want: int, worker: int | None) -> tuple[list[Claim], bool]:
    """Settle as compensated, free what waited on it, and claim up to ``want`` of those in the same system.

    Answers the claims, and whether more became ready than was claimed. Raises ``LeaseLost`` as ``advance`` does.
    """
    now = timezone.now()
    verified = claimed.phase == VERIFY
    values = _now(claimed.rollback, worker) | _settling(claimed, outcome)
    values |= {
        "to": "compensated",
        "executed_at": now if claimed.phase == EXECUTE else None,
        "ended_at": now,
        "verified": verified,
        "payload": canonical({"id": claimed.compensation, "verified": verified}),
        "system": claimed.system,
        "want": min(want, 1),  # one ended, so one may begin
    }
    rows = _run(_FINISH, values)
    if not rows[0][0]:
        raise LeaseLost(f"fence {claimed.fence} is no longer valid")
    claims = [_claim(claimed.rollback, row[2:], claimed.target) for row in rows if row[2] is not None]
    return claims, rows[0][1] > 0


def _now(rollback: UUID, worker: int | None) -> dict[str, Any]:
    """What every statement needs: the moment, the lease, and the fixed parts of the hashed text."""
    now = timezone.now()
    moment = now.astimezone(dt.UTC).isoformat(timespec="microseconds")
    return {
        "at": now,
        "until": now + dt.timedelta(seconds=settings.LEASE_SECONDS),
        "rollback": rollback,
        "worker": worker,
        "actor_kind": RECOURSE.kind,
        "actor_id": RECOURSE.id,
        "actor_name": RECOURSE.name,
        "before": SEPARATOR.join(["", "rollback", str(rollback), ""]),
        "between": SEPARATOR.join(["", RECOURSE.kind, RECOURSE.id, RECOURSE.name, moment, ""]),
    }


def _settling(claimed: Claim, outcome: Outcome) -> dict[str, Any]:
    return _now(claimed.rollback, None) | {
        "id": claimed.compensation,
        "fence": claimed.fence,
        "from": _STATE_OF[claimed.phase],
        "phase": claimed.phase,
        "status": outcome.status,
        "detail": outcome.detail,
    }


def _run(statement: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Prepared once per connection: planning such a statement costs more than running it."""
    from psycopg import Cursor

    connection.ensure_connection()
    with connection.wrap_database_errors, Cursor(connection.connection) as cursor:
        cursor.execute(statement, values, prepare=True)
        return cursor.fetchall()


def _claim(rollback: UUID, row: tuple[Any, ...], target: Target) -> Claim:
    pk, fence, key, phase, undo, executed_at, system, given, output = row
    variables = {"input": json.loads(given), "output": None if output is None else json.loads(output)}
    return Claim(pk, rollback, system, fence, key, phase, json.loads(undo), target, variables, executed_at)

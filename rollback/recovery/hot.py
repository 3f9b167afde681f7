"""The engine's hot path on PostgreSQL: the functions of ``hot.sql``, called. See there what they promise."""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.utils import timezone

from rollback.audit.actors import RECOURSE
from rollback.catalog.models import System
from rollback.recovery.claims import EXECUTE, Claim, LeaseLost, Taken, target_of
from rollback.recovery.executors.contract import Outcome, Target
from rollback.recovery.plan import PlannedStep, Treatment

_ACTOR = [RECOURSE.kind, RECOURSE.id, RECOURSE.name]


def available() -> bool:
    """Whether this database has the functions."""
    return connection.vendor == "postgresql"


def claim(rollback: UUID, limit: int, worker: int | None) -> Taken:
    """Take up to ``limit`` compensations that take no judgement; ``more``: something else is ready."""
    now = timezone.now()
    rows = _call("recourse_claim", rollback, limit, now, _lease(now), worker, _ACTOR)
    if not rows:
        return Taken()
    targets = _targets({row[6] for row in rows[:-1]})
    return Taken([_claim(rollback, row, targets[row[6]]) for row in rows[:-1]], more=rows[-1][1] > 0)


def _targets(systems: set[UUID]) -> dict[UUID, Target]:
    return {system.pk: target_of(system) for system in System.objects.filter(pk__in=systems)} if systems else {}


def advance(claimed: Claim, outcome: Outcome, phase: str) -> Claim:
    """Settle a phase that succeeded and enter the next one; answers its claim.

    Raises ``LeaseLost``, having changed nothing, when the claim's fence is no longer the compensation's.
    """
    now = timezone.now()
    [(settled,)] = _call("recourse_advance", *_which(claimed), phase, outcome.status, outcome.detail, now, _ACTOR)
    if not settled:
        raise LeaseLost(f"fence {claimed.fence} is no longer valid")
    return replace(claimed, phase=phase, executed_at=now if claimed.phase == EXECUTE else claimed.executed_at)


def finish(landed: Sequence[tuple[Claim, Outcome]], want: int, worker: int | None) -> tuple[Taken, list[Claim]]:
    """Settle all of one rollback's ``landed`` as compensated, in one commit, and free what waited on them.

    Each may be followed by one that it freed, up to ``want`` in all. Answers what was claimed, and which of the
    landed were no longer ours: those changed nothing.
    """
    now = timezone.now()
    takes = [n < want and not claimed.target.has_rate for n, (claimed, _) in enumerate(landed)]
    rows = _call(
        "recourse_finish_all",
        landed[0][0].rollback,
        [claimed.compensation for claimed, _ in landed],
        [claimed.fence for claimed, _ in landed],
        [claimed.phase for claimed, _ in landed],
        [outcome.status for _, outcome in landed],
        [outcome.detail for _, outcome in landed],
        takes,
        now,
        _lease(now),
        worker,
        _ACTOR,
    )
    taken, settled = Taken(), set()
    for nth, *row in rows:
        claimed = landed[nth][0]
        if row[0] is None:
            settled.add(nth)
            taken.more = taken.more or row[1] > 0
        else:
            taken.claims.append(_claim(claimed.rollback, tuple(row), claimed.target))
    return taken, [claimed for nth, (claimed, _) in enumerate(landed) if nth not in settled]


def lay(
    rollback: UUID,
    planned: Sequence[tuple[UUID, str, PlannedStep]],
    keys: Mapping[UUID, str],
    order: Sequence[tuple[UUID, UUID]],
) -> None:
    """Lay down the plan: ``planned`` in undo order, each with its compensation's id and first state."""
    steps = [step for _, _, step in planned]
    _call(
        "recourse_lay",
        rollback,
        timezone.now(),
        [identity for identity, _, _ in planned],
        [step.step for step in steps],
        [keys.get(step.step) for step in steps],
        [state for _, state, _ in planned],
        [step.treatment is Treatment.UNDO for step in steps],
        [step.in_doubt for step in steps],
        [len(step.after) for step in steps],
        [first for first, _ in order],
        [then for _, then in order],
    )


def _which(claimed: Claim) -> tuple[UUID, UUID, int, str]:
    return claimed.rollback, claimed.compensation, claimed.fence, claimed.phase


def _lease(now: dt.datetime) -> dt.datetime:
    return now + dt.timedelta(seconds=settings.LEASE_SECONDS)


def _call(function: str, *arguments: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {function}({', '.join(['%s'] * len(arguments))})", arguments)  # noqa: S608
        return list(cursor.fetchall())


def _claim(rollback: UUID, row: tuple[Any, ...], target: Target) -> Claim:
    pk, fence, key, phase, undo, executed_at, system, given, output = row
    variables = {"input": json.loads(given), "output": None if output is None else json.loads(output)}
    return Claim(pk, rollback, system, fence, key, phase, json.loads(undo), target, variables, executed_at)

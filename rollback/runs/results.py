"""From what an agent says about the end of a step to what is kept of it."""

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from rollback.audit.chain import canonical
from rollback.catalog.models import System
from rollback.errors import FieldError, Invalid
from rollback.runs.models import Effect, ResourceUse, Step
from rollback.runs.redaction import redact
from rollback.runs.reported import ReportedEffect, ReportedResult
from rollback.runs.undo import brought_undo, freeze_undo

RESULT_FIELDS = (
    "output",
    "error",
    "finished_at",
    "result_hash",
    "undo",
    "undo_brought",
    "undo_state",
    "undo_problems",
    "undo_expires_at",
)


def apply_result(step: Step, result: ReportedResult, now: dt.datetime) -> None:
    """Set on ``step`` (with run, system and action) what its result says, and freeze its undo.

    An undo that came with the proposal stands unless the result brings a newer one. Raises ``Invalid`` for an
    undo that is none.
    """
    step.output = redact(result.output)
    step.error = result.error
    step.finished_at = now
    step.result_hash = result_hash(result)
    brought = brought_undo(step.system, result.undo)
    if brought is not None:
        step.undo, step.undo_brought = brought, True
    freeze_undo(step, may_have_acted(result), now)


def may_have_acted(result: ReportedResult) -> bool:
    """Whether there can be anything to undo: a failed step counts only with the effects that it reports."""
    return result.status == "succeeded" or bool(result.effects)


def result_hash(result: ReportedResult) -> str:
    """SHA-256 (hex) of a result without its secrets: the same hash is the same report."""
    said = {**asdict(result), "output": redact(result.output), "undo": redact(result.undo)}
    return hashlib.sha256(canonical(said).encode("utf-8", "surrogatepass")).hexdigest()


def effects_of(step: Step, reported: Sequence[ReportedEffect], systems: Mapping[str, System]) -> list[Effect]:
    """The effects of ``step``, not stored yet. Raises ``Invalid`` (``unknown-system``) naming each unknown system."""
    unknown = [
        FieldError(f"/effects/{at}/system", f"there is no system {effect.system!r}")
        for at, effect in enumerate(reported)
        if effect.system and effect.system not in systems
    ]
    if unknown:
        raise Invalid("An effect names a system that is not known.", "unknown-system", unknown)
    return [
        Effect(
            step=step,
            run_id=step.run_id,
            system=systems.get(effect.system, step.system),
            kind=effect.kind,
            ref=effect.ref,
            count=effect.count,
            amount=effect.amount,
            currency=effect.currency,
        )
        for effect in reported
    ]


def uses_of(step: Step, resources: Sequence[str], *, produced: bool) -> list[ResourceUse]:
    """What ``step`` made or built upon, not stored yet; each resource once."""
    return [
        ResourceUse(step=step, run_id=step.run_id, resource=name, produced=produced)
        for name in dict.fromkeys(resources)
    ]

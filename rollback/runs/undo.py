"""Freezes a step's undo when its result lands (and, as far as the input goes, when it is proposed).

``Step.undo`` has the shape that ``catalog.freezing`` gives it; ``Step.undo_brought`` says whose it is.
"""

import datetime as dt
from dataclasses import asdict
from typing import Any

from rollback.catalog.freezing import Frozen, freeze, freeze_brought
from rollback.catalog.models import Reversibility, System
from rollback.errors import FieldError, Invalid
from rollback.runs.models import Run, Step, UndoState
from rollback.runs.redaction import literal_secrets


def variables_of(step: Step) -> dict[str, Any]:
    """What templates see of a step and its run."""
    return {
        "input": step.input,
        "output": {} if step.output is None else step.output,
        "step": {"id": str(step.pk), "number": step.number, "action": step.action_key},
        "run": run_variables(step.run),
    }


def run_variables(run: Run) -> dict[str, Any]:
    """What templates and rules see of a run."""
    return {
        "id": str(run.pk),
        "key": run.key,
        "goal": run.goal,
        "agent": run.agent,
        "input": run.input,
        "workflow": run.workflow.slug,
        "version": run.version.number,
    }


def brought_undo(system: System, brought: object) -> dict[str, Any] | None:
    """The undo that the agent wrote down, checked and in the engine's shape. Raises ``Invalid`` naming each field.

    Codes: ``invalid-undo``, ``foreign-secret``, ``literal-secret`` (secrets are kept by reference only).
    """
    if brought is None:
        return None
    undo = freeze_brought(brought, system).undo
    if errors := list(literal_secrets(brought, "/undo")):
        raise Invalid("The undo holds a secret.", "literal-secret", errors)
    return undo


def foreseen_undo(step: Step) -> dict[str, Any] | None:
    """The undo as far as the input alone tells: what is carried out when no result ever arrives."""
    if step.action is None or step.reversibility == Reversibility.IRREVERSIBLE:
        return None
    return freeze(step.action, {**variables_of(step), "output": {}}).undo


def freeze_undo(step: Step, acted: bool, now: dt.datetime) -> None:
    """Set the undo fields of ``step`` for good: the undo that the agent brought wins over the action's.

    What does not resolve is kept as problems, for the agent and the coverage page; then there is no undo,
    and not the one that was foreseen either: it may name the wrong thing. Where the step cannot have ``acted``
    there is nothing to undo, so nothing is missing.
    """
    frozen = _frozen(step)
    problems = frozen.problems if acted else []
    step.undo = frozen.undo
    step.undo_problems = [_problem(problem) for problem in problems]
    step.undo_state = UndoState.RESOLVED if frozen.undo else UndoState.UNRESOLVED if problems else UndoState.NONE
    window = step.action.undo_window if step.action else None
    step.undo_expires_at = now + window if window and frozen.undo else None


def _frozen(step: Step) -> Frozen:
    if step.reversibility == Reversibility.IRREVERSIBLE:
        return Frozen(None)
    if step.undo_brought and step.undo is not None:
        return Frozen(_with_the_actions_checks(step, step.undo))
    if step.action is None:
        return Frozen(None, [FieldError("/undo", "An undeclared action has no undo unless the agent brings one.")])
    return freeze(step.action, variables_of(step))


def _with_the_actions_checks(step: Step, brought: dict[str, Any]) -> dict[str, Any]:
    """An undo that came without checks is checked as the action says, where that resolves."""
    if step.action is None or brought["verification"] or brought["drift_check"]:
        return brought
    declared = freeze(step.action, variables_of(step)).undo or {}
    return {**brought, **{name: declared.get(name) for name in ("drift_check", "verification")}}


def _problem(problem: FieldError) -> dict[str, Any]:
    return {name: value for name, value in asdict(problem).items() if value is not None}

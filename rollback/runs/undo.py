"""Freezes a step's undo when its result lands (and, as far as the input goes, when it is proposed)."""

import datetime as dt
from dataclasses import asdict
from typing import Any

from rollback.catalog.freezing import Frozen, freeze, freeze_brought
from rollback.catalog.models import Reversibility
from rollback.errors import FieldError
from rollback.runs.models import Run, Step, UndoState


def variables_of(step: Step, run: Run) -> dict[str, Any]:
    """What templates and rules see of a step and its run."""
    return {
        "input": step.input,
        "output": step.output,
        "step": {"id": str(step.pk), "number": step.number, "action": step.action_key},
        "run": run_variables(run),
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


def brought_undo(step: Step, brought: object) -> dict[str, Any] | None:
    """The undo that the agent wrote down, checked and in the engine's shape. Raises ``Invalid``."""
    return freeze_brought(brought, step.system).undo if brought is not None else None


def foreseen_undo(step: Step, run: Run) -> dict[str, Any] | None:
    """The undo as far as the input alone tells: what is carried out when no result ever arrives."""
    if step.action is None or step.reversibility == Reversibility.IRREVERSIBLE:
        return None
    return freeze(step.action, {**variables_of(step, run), "output": {}}).undo


def freeze_undo(step: Step, run: Run, brought: dict[str, Any] | None, now: dt.datetime) -> None:
    """Set the undo fields of ``step`` for good: one that was brought wins over the action's.

    What does not resolve is kept as problems, for the agent and the coverage page; then there is no undo,
    and not the one that was foreseen either: it may name the wrong thing.
    """
    frozen = _frozen(step, run, brought)
    step.undo = frozen.undo
    step.undo_problems = [_problem(problem) for problem in frozen.problems]
    step.undo_state = UndoState.RESOLVED if frozen.undo else UndoState.UNRESOLVED if frozen.problems else UndoState.NONE
    window = step.action.undo_window if step.action else None
    step.undo_expires_at = now + window if window and frozen.undo else None


def _frozen(step: Step, run: Run, brought: dict[str, Any] | None) -> Frozen:
    if step.reversibility == Reversibility.IRREVERSIBLE:
        return Frozen(None)
    if brought is not None:
        return Frozen(_with_the_actions_checks(step, run, brought))
    if step.action is None:
        return Frozen(None, [FieldError("/undo", "An undeclared action has no undo unless the agent brings one.")])
    return freeze(step.action, variables_of(step, run))


def _with_the_actions_checks(step: Step, run: Run, brought: dict[str, Any]) -> dict[str, Any]:
    """An undo that came without checks is checked as the action says, where that resolves."""
    if step.action is None or brought["verification"] or brought["drift_check"]:
        return brought
    declared = freeze(step.action, variables_of(step, run)).undo or {}
    return {**brought, **{name: declared.get(name) for name in ("drift_check", "verification")}}


def _problem(problem: FieldError) -> dict[str, Any]:
    return {name: value for name, value in asdict(problem).items() if value is not None}

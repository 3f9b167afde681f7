"""Which steps need a person's yes, whose, and what that person is shown."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from rollback.catalog.cel import ExpressionError, compile_expression
from rollback.catalog.durations import parse_duration
from rollback.catalog.models import Reversibility
from rollback.ownership.models import Team, User
from rollback.ownership.selectors import active_person
from rollback.runs.models import Run, Step
from rollback.runs.undo import run_variables

DEFAULT_EXPIRY = timedelta(hours=2)


@dataclass(frozen=True)
class Gate:
    """A yes that is needed: the rule that asks, in words; who may give it; how many; for how long it is waited for."""

    rule: str
    askable: tuple[str, ...]
    quorum: int
    expires: timedelta


def gate_for(step: Step, run: Run) -> Gate | None:
    """The gate that ``step`` stands before, if any: always for the irreversible, else where the action's rule says."""
    said = (step.action.approval if step.action else None) or {}
    askable = tuple(said.get("from") or ("workflow_owner",))
    expires = parse_duration(said["expires"]) if "expires" in said else DEFAULT_EXPIRY
    if rule := _asking_rule(step, run, said.get("when")):
        return Gate(rule, askable, int(said.get("quorum", 1)), expires)
    return None


def _asking_rule(step: Step, run: Run, when: str | None) -> str:
    """The rule that asks, in words; empty when none does. A rule that cannot be evaluated asks, to be safe."""
    if step.reversibility == Reversibility.IRREVERSIBLE:
        return "Irreversible actions always need a yes."
    if when is None:
        return ""
    workflow = {"slug": run.workflow.slug, "name": run.workflow.name, "risk": run.version.risk}
    try:
        asks = compile_expression(when).evaluate(
            {"input": step.input, "run": run_variables(run), "workflow": workflow}
        )
    except ExpressionError as error:
        return f"The rule {when} could not be evaluated ({error}), so a person decides."
    return f"The rule of this action: {when}" if asks is True else ""


def deciders_of(gate: Gate, step: Step, run: Run) -> list[User]:
    """The active people whose yes counts. When none of those named is there, the backup and then the team are asked."""
    people: dict[Any, User] = {}
    for name in gate.askable:
        for person in _people(name, step, run):
            people[person.pk] = person
    if not people:
        for owned in (step.system, run.workflow):
            for person in (owned.backup, *_members(owned.team)):
                if person is not None and person.is_active:
                    people[person.pk] = person
    return list(people.values())


def _people(name: str, step: Step, run: Run) -> list[User]:
    if name == "workflow_owner":
        found = [run.workflow.active_owner]
    elif name == "system_owner":
        found = [step.system.active_owner]
    elif name.startswith("team:"):
        return _members(Team.objects.filter(slug=name.removeprefix("team:")).first())
    else:
        found = [active_person(name)]
    return [person for person in found if person is not None]


def _members(team: Team | None) -> list[User]:
    return list(team.members.filter(is_active=True)) if team else []


def shown_for(step: Step, run: Run, gate: Gate) -> dict[str, Any]:
    """Exactly what the decider is shown, as data: the decision is bound to its hash."""
    window = step.action.undo_window if step.action else None
    return {
        "action": step.action_key,
        "declared": step.declared,
        "system": {"slug": step.system.slug, "name": step.system.name, "tier": step.system.tier},
        "workflow": {"slug": run.workflow.slug, "name": run.workflow.name, "version": run.version.number},
        "run": {"id": str(run.pk), "goal": run.goal, "agent": run.agent},
        "input": step.input,
        "reversibility": step.reversibility,
        "undo": step.undo["compensation"]["request"] if step.undo else None,
        "undo_declared": bool(step.undo or (step.action and step.action.compensation)),
        "undo_window_seconds": window.total_seconds() if window else None,
        "rule": gate.rule,
        "quorum": gate.quorum,
    }

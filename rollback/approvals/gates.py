"""Which steps need a person's yes, whose, and what that person is shown."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from rollback.catalog.cel import ExpressionError, compile_expression
from rollback.catalog.durations import parse_duration
from rollback.catalog.models import Reversibility
from rollback.errors import Invalid
from rollback.ownership.models import Role, Team, User
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
    variables = {"input": step.input, "run": run_variables(run), "workflow": workflow}
    try:
        asks = compile_expression(when).evaluate(variables)
    except (ExpressionError, Invalid) as error:
        return f"The rule {when} could not be evaluated ({error}), so a person decides."
    if asks is False:
        return ""
    return f"The rule of this action: {when}" if asks is True else f"The rule {when} says neither yes nor no."


def deciders_of(gate: Gate, step: Step, run: Run) -> list[User]:
    """The active people whose yes counts. When those named are too few, backups and teams are asked as well.

    Nobody at all is possible: the request is made all the same, shows as unowned, and expires.
    """
    people = {person.pk: person for name in gate.askable for person in _people(name, step, run)}
    if len(people) < gate.quorum:
        for owned in (step.system, run.workflow):
            stand_ins = (owned.backup, *_members(owned.team))
            people |= {person.pk: person for person in stand_ins if person is not None}
    return [person for person in people.values() if person.is_active and person.role != Role.VIEWER]


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
        "dependents": sorted(step.system.dependents.values_list("name", flat=True)),
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

"""From what an agent wants to do to the step that is written down before it does it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from rollback.catalog.models import Action, Reversibility, System
from rollback.catalog.selectors import actions_named, systems_named
from rollback.errors import FieldError, Invalid
from rollback.runs.models import Run, Step
from rollback.runs.redaction import redact
from rollback.runs.reported import ReportedStep
from rollback.runs.states import StepState


@dataclass
class Known:
    """What reports refer to by name: looked up once, for however many of them there are.

    ``steps`` are the earlier steps of the run that were named, by id as text (``ref`` included, in a batch).
    """

    actions: dict[str, Action] = field(default_factory=dict)
    systems: dict[str, System] = field(default_factory=dict)
    steps: dict[str, UUID] = field(default_factory=dict)


def known_for(run: Run, reports: Sequence[ReportedStep], systems: Sequence[str] = ()) -> Known:
    """What ``reports`` about ``run`` refer to, and the ``systems`` (slugs) besides; at most three queries."""
    actions = actions_named(run.version, {report.action for report in reports})
    slugs = {*systems, *(report.system for report in reports if report.action not in actions)} - {""}
    named = {one for report in reports for one in report.depends_on or () if _is_id(one)}
    steps = run.steps.filter(pk__in=named).values_list("pk", flat=True) if named else []
    return Known(actions, systems_named(slugs) if slugs else {}, {str(pk): pk for pk in steps})


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def new_step(
    run: Run, number: int, proposed: ReportedStep, known: Known, state: StepState = StepState.PROPOSED
) -> Step:
    """Step ``number`` of ``run``, not stored yet, its input redacted. Raises ``Invalid`` naming the field.

    Codes: ``unknown-action``, ``undeclared-action`` (without system and reversibility), ``unknown-dependency``.
    """
    action, system, reversibility = _what_is_touched(run, proposed, known)
    return Step(
        run=run,
        number=number,
        action=action,
        action_key=proposed.action,
        system=system,
        reversibility=reversibility,
        declared=action is not None,
        depends_on=_dependencies(proposed.depends_on, known),
        input=redact(proposed.input),
        state=state,
    )


def _what_is_touched(run: Run, proposed: ReportedStep, known: Known) -> tuple[Action | None, System, str]:
    action = known.actions.get(proposed.action)
    if action is not None:
        return action, action.system, action.reversibility
    if run.version.undeclared_actions != "allow":
        raise Invalid(
            f"The workflow {run.workflow.slug} (version {run.version.number}) has no action {proposed.action!r}.",
            "unknown-action",
            [FieldError("/action", "not an action of this workflow, which refuses undeclared ones")],
        )
    system = known.systems.get(proposed.system)
    errors = [] if system else [FieldError("/system", "an undeclared action names a known system")]
    if proposed.reversibility not in Reversibility.values:
        errors.append(
            FieldError("/reversibility", f"an undeclared action says one of {', '.join(Reversibility.values)}")
        )
    if errors or system is None:
        raise Invalid("An undeclared action needs a system and a reversibility.", "undeclared-action", errors)
    return None, system, proposed.reversibility


def _dependencies(depends_on: Sequence[str] | None, known: Known) -> list[str] | None:
    """Ids of earlier steps of this run: nothing can depend on what comes later, so there is never a cycle."""
    if depends_on is None:
        return None
    wrong = [
        FieldError(f"/depends_on/{at}", f"{one} is not an earlier step of this run")
        for at, one in enumerate(depends_on)
        if one not in known.steps
    ]
    if wrong:
        raise Invalid("A step depends on earlier steps of its own run.", "unknown-dependency", wrong)
    return list(dict.fromkeys(str(known.steps[one]) for one in depends_on))

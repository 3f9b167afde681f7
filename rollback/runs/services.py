"""The verbs of agents: open a run, propose a step, report its result, finish."""

import datetime as dt
from collections.abc import Sequence
from enum import StrEnum

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from rollback import signals
from rollback.audit.actors import RECOURSE, Actor
from rollback.audit.services import move, record
from rollback.catalog.models import Action, Reversibility, System
from rollback.catalog.selectors import action_in, system_named, workflow_for
from rollback.errors import Conflict, FieldError, Invalid, NotFound
from rollback.ownership.models import AgentToken
from rollback.runs.models import Effect, ResourceUse, Run, Step
from rollback.runs.redaction import redact
from rollback.runs.reported import ReportedEffect, ReportedResult, ReportedStep
from rollback.runs.states import RunState, StepState
from rollback.runs.undo import brought_undo, foreseen_undo, freeze_undo


class Verdict(StrEnum):
    """What an agent is to do now."""

    GO = "go"
    WAIT = "wait"
    HALT = "halt"


_STEP_VERDICTS = {
    StepState.PROPOSED: Verdict.WAIT,
    StepState.AWAITING_APPROVAL: Verdict.WAIT,
    StepState.REFUSED: Verdict.HALT,
    StepState.EXPIRED: Verdict.HALT,
}


def run_verdict(run: Run) -> Verdict:
    """Go on as long as the run is running."""
    return Verdict.GO if run.state == RunState.RUNNING else Verdict.HALT


def step_verdict(step: Step) -> Verdict:
    """What the agent is to do about ``step`` (with its run)."""
    if run_verdict(step.run) is Verdict.HALT:
        return Verdict.HALT
    return _STEP_VERDICTS.get(StepState(step.state), Verdict.GO)


def open_run(
    token: AgentToken, workflow: str, key: str = "", goal: str = "", parent: str | None = None, input_: object = None
) -> tuple[Run, bool]:
    """A run of ``workflow``'s active version, and whether it is new: the same ``key`` finds the first one again.

    Raises ``NotFound`` (``unknown-workflow``, ``unknown-parent``) also for what the token is not scoped to,
    and ``Conflict`` (``key-in-use``) when ``key`` belongs to a run of another workflow.
    """
    flow = workflow_for(token, workflow)
    if flow is None or flow.active is None:
        raise NotFound(f"There is no active workflow {workflow!r} for this token.", "unknown-workflow")
    with transaction.atomic():
        # One opening at a time per agent: two with one key find one run.
        AgentToken.objects.select_for_update().get(pk=token.pk)
        known = Run.objects.filter(token=token, key=key).first() if key else None
        if known is not None:
            if known.workflow_id != flow.pk:
                raise Conflict(f"The key {key!r} belongs to a run of another workflow.", "key-in-use")
            return known, False
        run = Run.objects.create(
            workflow=flow,
            version=flow.active,
            token=token,
            agent=token.name,
            key=key,
            goal=goal,
            parent=_parent(token, parent),
            input=redact(input_ or {}),
        )
        record(run.audit_chain(), "run.open", token.actor(), {"id": run.pk, "workflow": workflow, "goal": goal})
    return run, True


def _parent(token: AgentToken, parent: str | None) -> Run | None:
    if parent is None:
        return None
    run = Run.objects.filter(pk=parent, workflow__agent_tokens=token).first()
    if run is None:
        raise NotFound(f"There is no run {parent} for this token.", "unknown-parent")
    return run


def propose_step(run: Run, proposed: ReportedStep, actor: Actor) -> Step:
    """Write down what the agent is about to do, before it does it, and whether it may.

    Raises ``Conflict`` (``run-not-running``, with verdict halt), ``Invalid`` for an unknown action or
    dependency, or an undeclared action without system and reversibility.
    """
    with transaction.atomic():
        run = touch(run)
        if run.state != RunState.RUNNING:
            halt: dict[str, object] = {"verdict": Verdict.HALT}
            raise Conflict(f"This run is {run.state}: take no further step.", "run-not-running", more=halt)
        step = new_step(run, proposed)
        step.undo = brought_undo(step, proposed.undo) or foreseen_undo(step, run)
        step.save(force_insert=True)
        _use_resources(step, proposed.consumes, produced=False)
        facts = {"id": step.pk, "number": step.number, "action": step.action_key, "input": step.input}
        record(step.audit_chain(), "step.propose", actor, facts)
        signals.step_proposed.send(sender=Step, step=step)
        if step.state == StepState.PROPOSED:
            move(step, "clear", RECOURSE, set={"cleared_at": timezone.now()})
    return step


def touch(run: Run) -> Run:
    """The run, locked and with a fresh heartbeat: every write of its agent is a sign of life."""
    run = Run.objects.select_for_update(of=("self",)).select_related("workflow", "version", "token").get(pk=run.pk)
    run.heartbeat_at = timezone.now()
    Run.objects.filter(pk=run.pk).update(heartbeat_at=run.heartbeat_at)
    return run


def new_step(run: Run, proposed: ReportedStep) -> Step:
    """The next step of a locked ``run``, not stored yet. Raises ``Invalid``."""
    action, system, reversibility = _what_is_touched(run, proposed)
    depends_on = _dependencies(run, proposed.depends_on)
    run.steps_taken += 1
    Run.objects.filter(pk=run.pk).update(steps_taken=F("steps_taken") + 1)
    return Step(
        run=run,
        number=run.steps_taken,
        action=action,
        action_key=proposed.action,
        system=system,
        reversibility=reversibility,
        declared=action is not None,
        depends_on=depends_on,
        input=redact(proposed.input),
    )


def _what_is_touched(run: Run, proposed: ReportedStep) -> tuple[Action | None, System, str]:
    action = action_in(run.version, proposed.action)
    if action is not None:
        return action, action.system, action.reversibility
    if run.version.undeclared_actions != "allow":
        raise Invalid(
            f"The workflow {run.workflow.slug} (version {run.version.number}) has no action {proposed.action!r}.",
            "unknown-action",
            [FieldError("/action", "not an action of this workflow, which refuses undeclared ones")],
        )
    system = system_named(proposed.system)
    errors = [] if system else [FieldError("/system", "an undeclared action names a known system")]
    if proposed.reversibility not in Reversibility.values:
        errors.append(FieldError("/reversibility", "an undeclared action says how far it can be taken back"))
    if errors or system is None:
        raise Invalid("An undeclared action needs a system and a reversibility.", "undeclared-action", errors)
    return None, system, proposed.reversibility


def _dependencies(run: Run, depends_on: Sequence[str] | None) -> list[str] | None:
    """Ids of earlier steps of this run: nothing can depend on what comes later, so there is never a cycle."""
    if not depends_on:
        return None if depends_on is None else []
    known = {str(pk) for pk in run.steps.filter(pk__in=depends_on).values_list("pk", flat=True)}
    wrong = [
        FieldError(f"/depends_on/{at}", f"{one} is not an earlier step of this run")
        for at, one in enumerate(depends_on)
        if one not in known
    ]
    if wrong:
        raise Invalid("A step depends on earlier steps of its own run.", "unknown-dependency", wrong)
    return list(dict.fromkeys(depends_on))


def _use_resources(step: Step, resources: Sequence[str], *, produced: bool) -> None:
    rows = [ResourceUse(step=step, run_id=step.run_id, resource=name, produced=produced) for name in resources]
    ResourceUse.objects.bulk_create(rows)


def record_result(step: Step, result: ReportedResult, actor: Actor) -> Step:
    """Write down how a step ended, and freeze its undo. The same result again changes nothing.

    A result that comes after the run was given up is taken too: the step was in doubt and no longer is.
    Raises ``Conflict``: ``step-finished`` for another result, ``step-not-cleared`` when it had no go.
    """
    with transaction.atomic():
        touch(step.run)
        step = Step.objects.select_for_update(of=("self",)).select_related(*_RESULT_NEEDS).get(pk=step.pk)
        if step.state in (StepState.SUCCEEDED, StepState.FAILED):
            return _same_again(step, result)
        if step.state not in (StepState.CLEARED, StepState.IN_DOUBT):
            raise Conflict(f"This step is {step.state}: it had no go.", "step-not-cleared", more={"verdict": "halt"})
        late = step.state == StepState.IN_DOUBT
        brought = brought_undo(step, result.undo)
        apply_result(step, result, brought)
        changes = {name: getattr(step, name) for name in _RESULT_FIELDS}
        facts = {"status": result.status, "error": result.error, "undo": step.undo_state, "late": late}
        move(step, "succeed" if result.status == "succeeded" else "fail", actor, set=changes, payload=facts)
        store_effects([(step, result.effects)])
        _use_resources(step, result.produces, produced=True)
        if late:
            signals.step_result_late.send(sender=Step, step=step)
    return step


_RESULT_NEEDS = ("run__workflow", "run__version", "action__version__workflow", "system")
_RESULT_FIELDS = (
    "output",
    "error",
    "finished_at",
    "undo",
    "undo_state",
    "undo_problems",
    "undo_expires_at",
)


def apply_result(step: Step, result: ReportedResult, brought: dict[str, object] | None) -> None:
    """Set on ``step`` what its result says; an undo brought with the proposal stands unless a newer one came."""
    step.output = redact(result.output)
    step.error = result.error
    step.finished_at = timezone.now()
    freeze_undo(step, step.run, brought or _brought_before(step), step.finished_at)


def _brought_before(step: Step) -> dict[str, object] | None:
    """The undo that came with the proposal, unless it is the one foreseen from the input."""
    if step.undo is None or step.undo == foreseen_undo(step, step.run):
        return None
    undo: dict[str, object] = step.undo
    return undo


def _same_again(step: Step, result: ReportedResult) -> Step:
    if (step.state, step.output, step.error) == (result.status, redact(result.output), result.error):
        return step
    raise Conflict(f"This step has {step.state} already, with another result.", "step-finished")


def store_effects(reported: Sequence[tuple[Step, Sequence[ReportedEffect]]]) -> None:
    """Store the effects of some steps. Raises ``Invalid`` for a system that nobody knows."""
    slugs = {effect.system for _, effects in reported for effect in effects if effect.system}
    systems = {system.slug: system for system in System.objects.filter(slug__in=slugs)}
    if unknown := sorted(slugs - systems.keys()):
        errors = [FieldError("/effects", f"there is no system {slug!r}") for slug in unknown]
        raise Invalid("An effect names an unknown system.", "unknown-system", errors)
    rows = [
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
        for step, effects in reported
        for effect in effects
    ]
    Effect.objects.bulk_create(rows, batch_size=1000)


def heartbeat(run: Run) -> Run:
    """A sign of life."""
    with transaction.atomic():
        return touch(run)


def finish_run(run: Run, status: str, error: str, actor: Actor) -> Run:
    """The agent says how its run ended. Saying the same again changes nothing.

    Raises ``Conflict`` (``run-not-running``) when the run ended otherwise before.
    """
    with transaction.atomic():
        run = touch(run)
        if run.state == status:
            return run
        if run.state != RunState.RUNNING:
            halt: dict[str, object] = {"verdict": Verdict.HALT}
            raise Conflict(f"This run is {run.state} already.", "run-not-running", more=halt)
        end_run(run, "succeed" if status == "succeeded" else "fail", actor, error)
    return run


def end_run(run: Run, action: str, actor: Actor, error: str = "") -> None:
    """End a locked, running ``run``; intents without a result are in doubt from now on."""
    for step in run.steps.filter(state=StepState.CLEARED):
        move(step, "doubt", actor)
    move(run, action, actor, set={"ended_at": timezone.now(), "error": error}, payload={"error": error})
    signals.run_ended.send(sender=Run, run=run)


def lose_silent_runs(now: dt.datetime, limit: int = 100) -> int:
    """Give up the runs that gave no sign of life for ``RUN_LOST_AFTER_SECONDS``; answers how many."""
    silent_since = now - dt.timedelta(seconds=settings.RUN_LOST_AFTER_SECONDS)
    with transaction.atomic():
        silent = Run.objects.filter(state=RunState.RUNNING, heartbeat_at__lt=silent_since)
        rows = silent.select_for_update(skip_locked=True, of=("self",)).select_related("workflow", "version")
        lost = list(rows.order_by("heartbeat_at")[:limit])
        for run in lost:
            end_run(run, "lose", RECOURSE, "The agent gave no sign of life.")
    return len(lost)

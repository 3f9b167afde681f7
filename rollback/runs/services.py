"""The verbs of agents: open a run, propose a step, report its result, finish; and those that end a run for them.

What an agent says is never lost once its run is open: a result is taken however late, and only new intents
are refused when the run does not run any more.
"""

import datetime as dt
import hashlib

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from rollback import signals
from rollback.audit.actors import RECOURSE, Actor
from rollback.audit.chain import canonical
from rollback.audit.services import move, record
from rollback.catalog.selectors import systems_named, workflow_for
from rollback.errors import Conflict, NotFound
from rollback.ownership.models import AgentToken
from rollback.runs.intents import known_for, new_step
from rollback.runs.models import Effect, ResourceUse, Run, Step
from rollback.runs.redaction import redact
from rollback.runs.reported import ReportedResult, ReportedRun, ReportedStep
from rollback.runs.results import RESULT_FIELDS, apply_result, effects_of, result_hash, uses_of
from rollback.runs.states import RunState, StepState
from rollback.runs.undo import brought_undo, foreseen_undo
from rollback.runs.verdicts import Verdict, step_verdict

log = structlog.get_logger(__name__)


def open_run(token: AgentToken, reported: ReportedRun) -> tuple[Run, bool]:
    """A run of the workflow's active version, and whether it is new: the same ``key`` finds the first one again.

    Raises ``NotFound`` (``unknown-workflow``, ``unknown-parent``) also for what the token is not scoped to,
    and ``Conflict`` (``key-in-use``) when ``key`` belongs to a run of another workflow.
    """
    workflow = workflow_for(token, reported.workflow)
    if workflow is None or workflow.active is None:
        raise NotFound(f"There is no active workflow {reported.workflow!r} for this token.", "unknown-workflow")
    with transaction.atomic():
        if reported.key and (known := _run_with_key(token, reported.key)):
            if known.workflow_id != workflow.pk:
                raise Conflict(f"The key {reported.key!r} belongs to a run of another workflow.", "key-in-use")
            return known, False
        run = Run.objects.create(
            workflow=workflow,
            version=workflow.active,
            token=token,
            agent=token.name,
            key=reported.key,
            goal=reported.goal,
            parent=_parent(token, reported.parent),
            input=redact(reported.input),
        )
        facts = {"id": run.pk, "workflow": workflow.slug, "version": workflow.active.number, "goal": run.goal}
        record(run.audit_chain(), "run.open", token.actor(), facts)
    return run, True


def _run_with_key(token: AgentToken, key: str) -> Run | None:
    # One opening at a time per agent: two with one key find one run.
    AgentToken.objects.select_for_update().get(pk=token.pk)
    return Run.objects.filter(token=token, key=key).select_related("workflow", "version").first()


def _parent(token: AgentToken, parent: str | None) -> Run | None:
    """A run that this agent opened, or one of a workflow that it is scoped to."""
    if parent is None:
        return None
    within = Q(token=token) | Q(workflow__in=token.workflows.values("pk"))
    run = Run.objects.filter(within, pk=parent).first()
    if run is None:
        raise NotFound(f"There is no run {parent} for this token.", "unknown-parent")
    return run


def propose_step(run: Run, proposed: ReportedStep, actor: Actor) -> Step:
    """Write down what the agent is about to do, before it does it, and whether it may.

    Raises ``Conflict`` (``run-not-running``, with verdict halt); ``Invalid`` for an unknown action or dependency,
    for an undeclared action without system and reversibility, or for an undo that is none.
    """
    known = known_for(run, [proposed])
    with transaction.atomic():
        run = touch(run)
        if run.state != RunState.RUNNING:
            raise _not_running(run, "take no further step")
        step = new_step(run, run.steps_taken + 1, proposed, known)
        brought = brought_undo(step.system, proposed.undo)
        step.undo, step.undo_brought = brought or foreseen_undo(step), brought is not None
        step.save(force_insert=True)
        Run.objects.filter(pk=run.pk).update(steps_taken=step.number)
        ResourceUse.objects.bulk_create(uses_of(step, proposed.consumes, produced=False))
        record(step.audit_chain(), "step.propose", actor, _as_proposed(step))
        signals.step_proposed.send(sender=Step, step=step)
        if step.state == StepState.PROPOSED:
            move(step, "clear", RECOURSE, set={"cleared_at": timezone.now()})
    return step


def _as_proposed(step: Step) -> dict[str, object]:
    """What the history keeps of an intent: the input as a hash, so that it can be compared and still be deleted."""
    said = hashlib.sha256(canonical(step.input).encode("utf-8", "surrogatepass")).hexdigest()
    facts = {"id": step.pk, "number": step.number, "action": step.action_key, "system": step.system.slug}
    return {**facts, "reversibility": step.reversibility, "depends_on": step.depends_on, "input_sha256": said}


def touch(run: Run) -> Run:
    """The run, locked and with a fresh heartbeat: every write of its agent is a sign of life."""
    run = Run.objects.select_for_update(of=("self",)).select_related("workflow", "version", "token").get(pk=run.pk)
    run.heartbeat_at = timezone.now()
    Run.objects.filter(pk=run.pk).update(heartbeat_at=run.heartbeat_at)
    return run


def record_result(step: Step, result: ReportedResult, actor: Actor) -> Step:
    """Write down how a step ended, and freeze its undo. The same result again changes nothing.

    A result that comes after the run was given up is taken too: the step was in doubt and no longer is.
    Raises ``Conflict``: ``step-finished`` for another result, ``step-not-cleared`` when it had no go;
    ``Invalid`` for an effect on an unknown system or an undo that is none.
    """
    with transaction.atomic():
        run = touch(step.run)
        step = Step.objects.select_for_update(of=("self",)).select_related(*_NEEDED).get(pk=step.pk)
        step.run = run
        if step.state in (StepState.SUCCEEDED, StepState.FAILED):
            if step.result_hash == result_hash(result):
                return step
            raise Conflict(f"This step has {step.state} already, with another result.", "step-finished")
        if step.state not in (StepState.CLEARED, StepState.IN_DOUBT):
            more: dict[str, object] = {"verdict": step_verdict(step)}
            raise Conflict(f"This step is {step.state}: it had no go.", "step-not-cleared", more=more)
        late = step.state == StepState.IN_DOUBT
        apply_result(step, result, timezone.now())
        _keep_result(step, result, actor, late)
        if late:
            signals.step_result_late.send(sender=Step, step=step)
    return step


_NEEDED = ("action__version__workflow", "system")


def _keep_result(step: Step, result: ReportedResult, actor: Actor, late: bool) -> None:
    changes = {name: getattr(step, name) for name in RESULT_FIELDS}
    facts = {"error": step.error, "undo": step.undo_state, "late": late, "result_sha256": step.result_hash}
    move(step, "succeed" if result.status == "succeeded" else "fail", actor, set=changes, payload=facts)
    slugs = {effect.system for effect in result.effects} - {""}
    effects = effects_of(step, result.effects, systems_named(slugs) if slugs else {})
    Effect.objects.bulk_create(effects, batch_size=500)
    ResourceUse.objects.bulk_create(uses_of(step, result.produces, produced=True), batch_size=500)


def heartbeat(run: Run) -> Run:
    """A sign of life."""
    with transaction.atomic():
        return touch(run)


def finish_run(run: Run, status: str, error: str, actor: Actor) -> Run:
    """The agent says how its run ended (``succeeded`` or ``failed``). Saying the same again changes nothing.

    Raises ``Conflict`` (``run-not-running``) when the run ended otherwise before.
    """
    with transaction.atomic():
        run = touch(run)
        if run.state == status:
            return run
        if run.state != RunState.RUNNING:
            raise _not_running(run, "it has ended already")
        _end(run, "succeed" if status == "succeeded" else "fail", actor, error)
    return run


def halt_run(run: Run, reason: str, actor: Actor) -> Run:
    """Stop a run from outside: its agent is told to halt. Raises ``Conflict`` unless it is running."""
    with transaction.atomic():
        run = Run.objects.select_for_update(of=("self",)).select_related("workflow", "version").get(pk=run.pk)
        if run.state != RunState.RUNNING:
            raise _not_running(run, "there is nothing to stop")
        _end(run, "halt", actor, reason)
    return run


def _not_running(run: Run, words: str) -> Conflict:
    more: dict[str, object] = {"verdict": Verdict.HALT}
    return Conflict(f"This run is {run.get_state_display().lower()}: {words}.", "run-not-running", more=more)


def _end(run: Run, action: str, actor: Actor, error: str = "") -> None:
    """End a locked, running ``run``; intents without a result are in doubt from now on."""
    for step in run.steps.filter(state=StepState.CLEARED):
        move(step, "doubt", actor)
    move(run, action, actor, set={"ended_at": timezone.now(), "error": error}, payload={"error": error})
    signals.run_ended.send(sender=Run, run=run)


def lose_silent_runs(now: dt.datetime, limit: int = 100) -> int:
    """Give up the runs that gave no sign of life for ``RUN_LOST_AFTER_SECONDS``; answers how many.

    One that cannot be given up does not keep the others from it: it is logged, and tried again next time.
    """
    silent_since = now - dt.timedelta(seconds=settings.RUN_LOST_AFTER_SECONDS)
    silent = Run.objects.filter(state=RunState.RUNNING, heartbeat_at__lt=silent_since).order_by("heartbeat_at")
    lost = 0
    for pk in silent.values_list("pk", flat=True)[:limit]:
        try:
            lost += _lose(silent.filter(pk=pk))
        except Exception:
            log.exception("a silent run could not be given up", run=str(pk))
    return lost


def _lose(silent: QuerySet[Run]) -> bool:
    """Give up one run, unless somebody works on it or it has given a sign of life just now."""
    with transaction.atomic():
        run = silent.select_for_update(skip_locked=True, of=("self",)).select_related("workflow", "version").first()
        if run is None:
            return False
        _end(run, "lose", RECOURSE, "The agent gave no sign of life.")
    return True

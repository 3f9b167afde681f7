"""What people do with rollbacks: start, pause, resume, cancel; and with what was handed over to them."""

from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from rollback import signals
from rollback.approvals.models import Approval
from rollback.approvals.services import ask_second_person, withdraw_about, withdraw_for_run
from rollback.approvals.waivers import Waiver
from rollback.audit.actors import RECOURSE, Actor
from rollback.audit.services import move, record
from rollback.errors import Conflict, Invalid
from rollback.ownership.models import User
from rollback.recovery import store
from rollback.recovery.backoff import Retry
from rollback.recovery.claims import first_phase
from rollback.recovery.joining import join
from rollback.recovery.models import Compensation, Rollback
from rollback.recovery.plan import Plan
from rollback.recovery.preview import plan_of
from rollback.recovery.states import IN_FLIGHT, CompensationState, RollbackState
from rollback.recovery.tasks import wake
from rollback.runs.models import Run, Step
from rollback.runs.states import RunState, StepState


def start_rollback(
    run: Run,
    scope: dict[str, Any],
    reason: str,
    plan_hash: str,
    person: User | None,
    incident_id: UUID | None = None,
) -> Rollback:
    """Start taking back ``run``: exactly the plan that was shown, or none (``plan_hash`` is what was shown).

    ``person`` is None when the workflow says that a failed run is rolled back automatically. The agent is
    told to halt, and steps without a result count as in doubt from now on. Raises ``Conflict`` when the plan
    has changed since (``plan-changed``), a rollback is under way (``rollback-underway``) or there is nothing
    to undo (``nothing-to-undo``); ``Invalid`` without a reason, or for an incident of other runs.
    """
    if not reason.strip():
        raise Invalid("Say why: the reason goes into the record.", "reason-required")
    actor = person.actor() if person else RECOURSE
    with transaction.atomic():
        run = Run.objects.select_for_update(of=("self",)).select_related("version").get(pk=run.pk)
        if run.state == RunState.ROLLING_BACK:
            raise Conflict("A rollback of this run is under way.", "rollback-underway")
        if incident_id is not None and not run.incidents.filter(pk=incident_id).exists():
            raise Invalid("That incident is not one of this run's.", "unknown-incident")
        plan = plan_of(run, scope, timezone.now())
        if not plan.to_do:
            raise Conflict("There is nothing to undo in this scope.", "nothing-to-undo")
        if plan.hash != plan_hash:
            raise Conflict("The plan has changed since it was shown. Look at it again.", "plan-changed")
        rollback = _create(run, scope, reason.strip(), plan, person, incident_id)
        record(rollback.audit_chain(), "rollback.created", actor, _as_recorded(rollback, plan))
        _stop_the_run(run, actor)
        move(run, "begin_rollback", actor, payload={"rollback": rollback.pk})
        move(rollback, "start", actor, set={"started_at": timezone.now()})
        signals.rollback_moved.send(sender=Rollback, rollback=rollback)
        wake(rollback.pk)
    return rollback


def _create(
    run: Run, scope: dict[str, Any], reason: str, plan: Plan, person: User | None, incident_id: UUID | None
) -> Rollback:
    try:
        with transaction.atomic():
            rollback = Rollback.objects.create(
                run=run,
                scope=scope,
                plan_hash=plan.hash,
                reason=reason,
                incident_id=incident_id,
                started_by=person,
                started_by_name=person.name if person else RECOURSE.name,
                on_failure=run.version.on_compensation_failure,
                systems=[str(system) for system in run.steps.order_by().values_list("system", flat=True).distinct()],
            )
    except IntegrityError as error:
        raise Conflict("A rollback of this run is under way.", "rollback-underway") from error
    store.lay(rollback, plan)
    return rollback


def _as_recorded(rollback: Rollback, plan: Plan) -> dict[str, object]:
    treatments = {str(planned.step): planned.treatment for planned in plan.steps}
    return {
        "id": rollback.pk,
        "run": rollback.run_id,
        "scope": rollback.scope,
        "reason": rollback.reason,
        "plan_hash": plan.hash,
        "steps": treatments,
    }


def _stop_the_run(run: Run, actor: Actor) -> None:
    """No answer is waited for any more: open requests are withdrawn, open intents are in doubt."""
    withdraw_for_run(run, actor)
    for step in run.steps.filter(state=StepState.CLEARED):
        move(step, "doubt", actor)


def roll_back_automatically(run: Run) -> Rollback | None:
    """What a workflow with ``on_run_failure: automatic`` asks for. Nothing to undo: no rollback."""
    scope = {"kind": "all", "cascade": False}
    plan = plan_of(run, scope, timezone.now())
    if not plan.to_do:
        return None
    return start_rollback(run, scope, "The workflow rolls back failed runs automatically.", plan.hash, None)


def pause_rollback(rollback: Rollback, person: User) -> None:
    """Start nothing further; what is in flight ends and is recorded. Raises ``Conflict`` unless it is running."""
    move(rollback, "pause", person.actor())
    signals.rollback_moved.send(sender=Rollback, rollback=rollback)


def resume_rollback(rollback: Rollback, person: User) -> None:
    """Go on after a pause. Raises ``Conflict`` unless it is paused."""
    with transaction.atomic():
        move(rollback, "resume", person.actor())
        signals.rollback_moved.send(sender=Rollback, rollback=rollback)
        wake(rollback.pk)


def cancel_rollback(rollback: Rollback, person: User, reason: str) -> None:
    """End a paused rollback: what has not begun is left as it is, and the run counts as partly rolled back.

    Raises ``Conflict`` unless it is paused, and while calls are under way (``calls-underway``): they may still
    have their effect. ``Invalid`` without a reason.
    """
    if not reason.strip():
        raise Invalid("Say why: the reason goes into the record.", "reason-required")
    with transaction.atomic():
        run = Run.objects.select_for_update(of=("self",)).get(pk=rollback.run_id)
        store.hold(rollback.pk)
        if flying := rollback.compensations.filter(state__in=IN_FLIGHT).count():
            raise Conflict(f"{flying} calls are still under way. Try again in a moment.", "calls-underway")
        ended = {"ended_at": timezone.now()}
        move(rollback, "cancel", person.actor(), set=ended, payload={"reason": reason.strip()})
        if run.state == RunState.ROLLING_BACK:
            move(run, "end_partly_rolled_back", person.actor(), payload={"rollback": rollback.pk})
        signals.rollback_moved.send(sender=Rollback, rollback=rollback)


def join_late_result(step: Step) -> None:
    """A result came after the rollback began: its undo joins the plan, and the work goes on."""
    rollback = join(step)
    if rollback is not None:
        _attend(rollback, RECOURSE)


def retry_compensation(compensation: Compensation, person: User) -> None:
    """Let software try again what was handed over, under the same idempotency key, with fresh attempts."""
    if not compensation.undo:
        raise Conflict("There is nothing for software to try: finish it by hand.", "nothing-to-execute")
    again = {
        "attempts_allowed": compensation.attempts_made + Retry.of(compensation.undo).attempts,
        "handed_to": None,
        "executed_at": None,
        "begins_with": first_phase(compensation.undo),
    }
    with transaction.atomic():
        rollback = _held_with_its_run(compensation)
        move(compensation, "try_again", person.actor(), set=again)
        withdraw_about(compensation.pk, person.actor())
        _attend(rollback, person.actor())


def finish_by_hand(compensation: Compensation, person: User, evidence: str) -> None:
    """Settle what was handed over: ``person`` did it, and ``evidence`` says what and where to see it.

    Raises ``Invalid`` without evidence, ``Conflict`` when it is not handed over (any more).
    """
    if not evidence.strip():
        raise Invalid("Say what you did and where it can be seen.", "evidence-required")
    done = {"ended_at": timezone.now(), "ended_by": person, "evidence": evidence.strip()}
    with transaction.atomic():
        rollback = _held_with_its_run(compensation)
        move(compensation, "finish_by_hand", person.actor(), set=done, payload={"evidence": evidence.strip()})
        store.release_dependents(compensation, person.actor())
        withdraw_about(compensation.pk, person.actor())
        _attend(rollback, person.actor())


def ask_to_waive(compensation: Compensation, person: User, reason: str) -> Approval:
    """``person`` wants to leave the step as it is; a second person has to agree.

    Raises ``Invalid`` without a reason, ``Conflict`` when it is not handed over (any more), or when a second
    person is asked already (``waiver-pending``).
    """
    if not reason.strip():
        raise Invalid("Say why it is left as it is: the reason goes into the record.", "reason-required")
    with transaction.atomic():
        _held_with_its_run(compensation)
        compensation.refresh_from_db()
        if compensation.state != CompensationState.HANDED_OVER:
            raise Conflict("Only what was handed over to a person can be waived.", "wrong-state")
        step = compensation.step
        about = Waiver(compensation.pk, step.run, step, reason.strip(), compensation.last_error)
        return ask_second_person(about, person)


def waive(approval: Approval, actor: Actor) -> None:
    """A second person agreed: the step is left as it is, and what waited for it may start.

    Raises ``Conflict`` when the compensation is not handed over any more.
    """
    compensation = Compensation.objects.select_related("rollback").get(pk=approval.subject)
    with transaction.atomic():
        rollback = _held_with_its_run(compensation)
        reason = approval.shown["reason"]
        left = {"ended_at": timezone.now(), "ended_by": approval.requester, "evidence": reason}
        facts = {"asked_by": approval.requester_name, "reason": reason, "approval": approval.pk}
        move(compensation, "waive", actor, set=left, payload=facts)
        store.release_dependents(compensation, actor)
        _attend(rollback, actor)


def _held_with_its_run(compensation: Compensation) -> Rollback:
    """The compensation's rollback, locked after its run: whoever decides about it takes them in this order too."""
    Run.objects.select_for_update(no_key=True).get(rollbacks=compensation.rollback_id)
    rollback = store.hold(compensation.rollback_id)
    assert rollback is not None  # a compensation keeps its rollback
    return rollback


def _attend(rollback: Rollback, actor: Actor) -> None:
    """Something was done about a rollback (which is held): it goes on where it waited for that."""
    others = rollback.compensations.filter(state=CompensationState.HANDED_OVER)
    if rollback.state == RollbackState.NEEDS_ATTENTION and not (rollback.on_failure == "hold" and others.exists()):
        move(rollback, "attend", actor)
        signals.rollback_moved.send(sender=Rollback, rollback=rollback)
    wake(rollback.pk)

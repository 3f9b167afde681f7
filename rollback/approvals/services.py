"""Asking for a person's yes, and what happens with the answer."""

import datetime as dt
import hashlib
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from rollback import signals
from rollback.approvals.gates import Gate, deciders_of, shown_for
from rollback.approvals.models import Approval, ApprovalKind, Decision
from rollback.approvals.states import ApprovalState
from rollback.approvals.waivers import WAIVER_EXPIRES, Waiver, second_people, shown_for_waiver
from rollback.audit.actors import RECOURSE, Actor
from rollback.audit.chain import canonical
from rollback.audit.services import move, record
from rollback.catalog.models import Reversibility
from rollback.errors import Conflict, FieldError, Invalid, NotPermitted
from rollback.ownership.models import Role, User
from rollback.runs.models import Run, Step
from rollback.runs.states import StepState

APPROVE, REFUSE = "approve", "refuse"


def request_approval(step: Step, run: Run, gate: Gate) -> Approval:
    """Ask for a yes to ``step``; it waits until somebody answers or time is up."""
    shown = shown_for(step, run, gate)
    with transaction.atomic():
        approval = Approval.objects.create(
            kind=ApprovalKind.STEP,
            run=run,
            step=step,
            subject=step.pk,
            shown=shown,
            shown_hash=hash_of(shown),
            rule=gate.rule,
            quorum=gate.quorum,
            requester_name=run.agent,
            expires_at=timezone.now() + gate.expires,
        )
        deciders = deciders_of(gate, step, run)
        approval.deciders.set(deciders)
        asked = [person.name for person in deciders]
        facts = {"id": approval.pk, "step": step.pk, "shown_hash": approval.shown_hash, "asked": asked}
        record(approval.audit_chain(), "approval.ask", RECOURSE, facts)
        move(step, "await_approval", RECOURSE, payload={"approval": approval.pk})
    return approval


def ask_second_person(about: Waiver, requester: User) -> Approval:
    """Ask for a second person's yes to leaving a step as it is. Raises ``Conflict`` while one is asked already."""
    with transaction.atomic():
        same = Approval.objects.filter(kind=ApprovalKind.WAIVER, subject=about.subject, state=ApprovalState.PENDING)
        if same.exists():
            raise Conflict("A second person is asked already.", "waiver-pending")
        shown = shown_for_waiver(about, requester)
        approval = Approval.objects.create(
            kind=ApprovalKind.WAIVER,
            run=about.run,
            step=about.step,
            subject=about.subject,
            shown=shown,
            shown_hash=hash_of(shown),
            rule="Leaving a step as it is takes a second person.",
            requester=requester,
            requester_name=requester.name,
            expires_at=timezone.now() + WAIVER_EXPIRES,
        )
        deciders = second_people(about, requester)
        approval.deciders.set(deciders)
        asked = [person.name for person in deciders]
        facts = {"id": approval.pk, "about": about.subject, "shown_hash": approval.shown_hash, "asked": asked}
        record(approval.audit_chain(), "approval.ask", requester.actor(), facts)
    return approval


def withdraw_about(subject: UUID, actor: Actor) -> None:
    """Nobody needs to answer about ``subject`` any more. Call it with the run locked, as ``decide`` does."""
    pending = Approval.objects.filter(subject=subject, state=ApprovalState.PENDING)
    for approval in pending.select_for_update(of=("self",)).order_by("pk"):
        move(approval, "withdraw", actor)


def hash_of(shown: object) -> str:
    """SHA-256 (hex) of what a decider is shown."""
    return hashlib.sha256(canonical(shown).encode()).hexdigest()


def decide(approval: Approval, person: User, verdict: str, reason: str, shown_hash: str | None = None) -> Approval:
    """``person`` says yes or no. One no ends it; a yes counts once per person, and ``quorum`` of them are needed.

    Raises ``Conflict`` when it is decided already (``already-decided``) or what was shown has changed
    (``changed-since-shown``); ``NotPermitted`` for whoever was not asked or asks for themselves; ``Invalid``
    without a reason where one is required: to refuse, and for anything irreversible.
    """
    reason = reason.strip()
    with transaction.atomic():
        approval = _lock(approval)
        _check_open(approval)
        _check_person(approval, person)
        _check_words(approval, verdict, reason, shown_hash)
        Decision.objects.create(approval=approval, person=person, verdict=verdict, reason=reason)
        facts = {"id": approval.pk, "verdict": verdict, "reason": reason, "shown_hash": approval.shown_hash}
        record(approval.audit_chain(), "approval.decision", person.actor(), facts)
        _conclude(approval, verdict, person)
    return approval


def _lock(approval: Approval) -> Approval:
    """The approval as it is stored, locked after its run: whoever ends a run takes the two in this order too."""
    Run.objects.select_for_update(of=("self",)).get(pk=approval.run_id)
    return Approval.objects.select_for_update(of=("self",)).select_related("step", "run").get(pk=approval.pk)


def _check_open(approval: Approval) -> None:
    if approval.state == ApprovalState.PENDING:
        if approval.expires_at > timezone.now():
            return
        raise Conflict("This request has expired.", "already-decided")
    last = approval.decisions.select_related("person").order_by("-at").first()
    when = f"{approval.state_at:%Y-%m-%d %H:%M} UTC"
    by = f" by {last.person.name}" if last and approval.state in (ApprovalState.APPROVED, ApprovalState.REFUSED) else ""
    raise Conflict(f"This was already {approval.state}{by} at {when}.", "already-decided")


def _check_person(approval: Approval, person: User) -> None:
    """Who asks never approves; who was not asked does not either; nobody counts twice."""
    if person.pk == approval.requester_id:
        raise NotPermitted("Who asks does not approve.", "own-request")
    may_act = person.is_active and person.role != Role.VIEWER
    if not may_act or not approval.deciders.filter(pk=person.pk).exists():
        raise NotPermitted("You were not asked to decide this.", "not-asked")
    if approval.decisions.filter(person=person).exists():
        raise Conflict("You have answered already; somebody else is needed too.", "answered-already")


def _check_words(approval: Approval, verdict: str, reason: str, shown_hash: str | None) -> None:
    if verdict not in (APPROVE, REFUSE):
        raise Invalid("The verdict is approve or refuse.", errors=[FieldError("/verdict", "approve or refuse")])
    if shown_hash is not None and shown_hash != approval.shown_hash:
        raise Conflict("What was shown to you has changed. Look at it again.", "changed-since-shown")
    if not reason and (verdict == REFUSE or is_irreversible(approval)):
        why = "to refuse" if verdict == REFUSE else "to approve what cannot be undone"
        raise Invalid(f"A reason is required {why}.", "reason-required", [FieldError("/reason", "required")])


def is_irreversible(approval: Approval) -> bool:
    """Whether it is about something that cannot be taken back."""
    step = approval.step if approval.kind == ApprovalKind.STEP else None
    return step is not None and step.reversibility == Reversibility.IRREVERSIBLE


def _conclude(approval: Approval, verdict: str, person: User) -> None:
    if verdict == REFUSE:
        move(approval, "refuse", person.actor())
        _move_step(approval, "refuse", person.actor())
    elif approval.decisions.filter(verdict=APPROVE).count() >= approval.quorum:
        move(approval, "approve", person.actor())
        _move_step(approval, "clear", person.actor())
    else:
        return
    signals.approval_concluded.send(sender=Approval, approval=approval, actor=person.actor())


def _move_step(approval: Approval, action: str, actor: Actor) -> None:
    """The step follows its approval, unless it has gone on without it (its run was given up)."""
    step = approval.step if approval.kind == ApprovalKind.STEP else None
    if step is not None and step.state == StepState.AWAITING_APPROVAL:
        cleared = {"cleared_at": timezone.now()} if action == "clear" else {}
        move(step, action, actor, set=cleared, payload={"approval": approval.pk})


def expire_due(now: dt.datetime, limit: int = 200) -> int:
    """Expire what nobody answered in time: it counts as refused. Answers how many."""
    due = Approval.objects.filter(state=ApprovalState.PENDING, expires_at__lte=now).order_by("expires_at")
    return sum(_expire(approval) for approval in due[:limit])


def _expire(approval: Approval) -> bool:
    """Expire one request, unless it was answered just now."""
    with transaction.atomic():
        approval = _lock(approval)
        if approval.state != ApprovalState.PENDING:
            return False
        move(approval, "expire", RECOURSE)
        _move_step(approval, "expire", RECOURSE)
    return True


def withdraw_for_run(run: Run, actor: Actor) -> None:
    """Nobody needs to answer any more: the run that asked has ended."""
    pending = Approval.objects.filter(run=run, kind=ApprovalKind.STEP, state=ApprovalState.PENDING)
    for approval in pending.select_for_update(of=("self",)).select_related("step").order_by("pk"):
        move(approval, "withdraw", actor)
        _move_step(approval, "expire", actor)

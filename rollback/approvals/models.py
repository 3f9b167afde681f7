"""Requests for a person's yes, and the answers."""

from typing import ClassVar
from uuid import UUID

from django.conf import settings
from django.db import models
from django.utils import timezone

from rollback.approvals.states import APPROVAL, ApprovalState
from rollback.audit.ids import new_id
from rollback.audit.machine import Machine
from rollback.runs.models import Run, Step, choices_of


class ApprovalKind(models.TextChoices):
    """What the yes is for."""

    STEP = "step", "Step"
    ROLLBACK = "rollback", "Rollback"
    WAIVER = "waiver", "Waiver"


class Approval(models.Model):
    """A request for a person's yes, bound to the hash of exactly what was shown."""

    MACHINE: ClassVar[Machine] = APPROVAL

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.CharField(max_length=10, choices=ApprovalKind)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="approvals")
    step = models.ForeignKey(Step, null=True, on_delete=models.CASCADE, related_name="approvals")
    subject = models.UUIDField()  # the step, rollback or compensation that it is about
    shown = models.JSONField()  # what the decider sees; the decision is bound to its hash
    shown_hash = models.CharField(max_length=64)
    rule = models.TextField()  # the rule that asked, in words
    quorum = models.PositiveSmallIntegerField(default=1)
    requester = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="approvals_asked"
    )
    requester_name = models.CharField(max_length=200)
    state = models.CharField(max_length=10, choices=choices_of(APPROVAL), default=ApprovalState.PENDING)
    state_at = models.DateTimeField(default=timezone.now)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    # Who may decide, fixed when it was asked: becoming owner meanwhile does not help a requester.
    deciders = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="approvals_to_decide")

    class Meta:
        indexes = [
            # The inbox (soonest expiry first) and the sweeper's search for expired ones.
            models.Index(fields=["state", "expires_at"], name="approval_state_expiry"),
            models.Index(fields=["kind", "subject"], name="approval_subject"),
        ]

    def audit_chain(self) -> tuple[str, UUID]:
        """Its own chain."""
        return ("approval", self.id)


class Decision(models.Model):
    """One person's answer, with a reason; counts once per person."""

    approval = models.ForeignKey(Approval, on_delete=models.CASCADE, related_name="decisions")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="decisions")
    verdict = models.CharField(max_length=10, choices=[("approve", "Approve"), ("refuse", "Refuse")])
    reason = models.TextField(blank=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["approval", "person"], name="decision_once_per_person")]

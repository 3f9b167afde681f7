"""How it is taken back: rollbacks, their compensations, and every try at one."""

from typing import ClassVar
from uuid import UUID

from django.conf import settings
from django.db import models
from django.utils import timezone

from rollback.audit.ids import new_id
from rollback.audit.machine import Machine
from rollback.catalog.models import Runbook, System
from rollback.recovery.states import COMPENSATION, ROLLBACK, CompensationState, RollbackState
from rollback.runs.models import Run, Step, choices_of


class Rollback(models.Model):
    """The recovery of one run: a plan, then its execution. A rehearsal has no effect outside."""

    MACHINE: ClassVar[Machine] = ROLLBACK

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="rollbacks")
    rehearsal = models.BooleanField(default=False)
    scope = models.JSONField()  # as in API.md
    plan_hash = models.CharField(max_length=64)
    reason = models.TextField()
    incident_id = models.UUIDField(null=True, db_index=True)  # by id only: incidents build on this app
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    started_by_name = models.CharField(max_length=200)
    on_failure = models.CharField(max_length=10)  # hold | continue
    systems = models.JSONField(default=list)  # ids of the systems that its compensations touch
    state = models.CharField(max_length=20, choices=choices_of(ROLLBACK), default=RollbackState.DRAFT)
    state_at = models.DateTimeField(default=timezone.now)
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    woken_at = models.DateTimeField(null=True)  # when a wake-up was last sent, so that the sweeper does not flood

    class Meta:
        constraints = [
            # One live rollback at a time per run.
            models.UniqueConstraint(
                fields=["run"],
                condition=models.Q(
                    rehearsal=False, state__in=["draft", "awaiting_approval", "running", "paused", "needs_attention"]
                ),
                name="rollback_one_live_per_run",
            )
        ]
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="rollback_newest"),
            # The sweeper's look at what should be moving.
            models.Index(fields=["state"], condition=models.Q(state="running"), name="rollback_running"),
        ]

    def audit_chain(self) -> tuple[str, UUID]:
        """Its own chain."""
        return ("rollback", self.id)


class Compensation(models.Model):
    """The undo of one step inside a rollback. ``key`` is its idempotency key for its whole life."""

    MACHINE: ClassVar[Machine] = COMPENSATION

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    # This row is written four times in its life, so every index that nothing reads is left out: both of these are
    # found by what stands in Meta.
    rollback = models.ForeignKey(Rollback, on_delete=models.CASCADE, related_name="compensations", db_index=False)
    step = models.ForeignKey(Step, on_delete=models.PROTECT, related_name="compensations", db_index=False)
    system = models.ForeignKey(System, on_delete=models.PROTECT, related_name="+", db_index=False)
    round = models.PositiveSmallIntegerField(default=1)  # a late result may call for a second undo of its step
    position = models.PositiveIntegerField()
    # Made from the id of the first that tried to undo the step: what was begun goes on under the same key.
    key = models.CharField(max_length=64)
    undo = models.JSONField(null=True)  # the step's frozen undo, copied: the step's may not change it any more
    expires_at = models.DateTimeField(null=True)  # when the step's undo window passes
    # The phase that a try begins with: check or execute, and verify once the call is recorded as done, so that it
    # is not made again. Empty: there is nothing for software to execute.
    begins_with = models.CharField(max_length=10, blank=True)
    in_doubt = models.BooleanField(default=False)
    waits_for = models.PositiveIntegerField(default=0)  # how many before it are not settled yet
    state = models.CharField(max_length=15, choices=choices_of(COMPENSATION), default=CompensationState.BLOCKED)
    state_at = models.DateTimeField(default=timezone.now)
    attempts_made = models.PositiveIntegerField(default=0)
    attempts_allowed = models.PositiveIntegerField(default=5)
    next_attempt_at = models.DateTimeField(null=True)
    # The lease. Every claim raises the fence; a settle names the fence it claimed with, or changes nothing.
    fence = models.PositiveBigIntegerField(default=0)
    leased_until = models.DateTimeField(null=True)
    leased_by = models.PositiveIntegerField(null=True)  # the worker's lifeline, where the database knows lifelines
    started_at = models.DateTimeField(null=True)
    executed_at = models.DateTimeField(null=True)  # the call was recorded as done: it is not made again
    ended_at = models.DateTimeField(null=True)
    verified = models.BooleanField(default=False)
    last_error = models.TextField(blank=True)
    handed_to = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.SET_NULL,
        related_name="compensations_handed_over",
        db_index=False,
    )
    handed_at = models.DateTimeField(null=True)
    runbook = models.ForeignKey(Runbook, null=True, on_delete=models.PROTECT, related_name="+", db_index=False)
    evidence = models.TextField(blank=True)  # what the person did, in their words
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["step", "rollback", "round"], name="compensation_once_per_round")
        ]
        indexes = [
            # A worker's claim of what is ready in one rollback, and the page's counts by state.
            models.Index(fields=["rollback", "state", "position"], name="compensation_claim"),
            # How many calls a system has to bear now; and the sweeper: leases that ran out, retries that are due.
            models.Index(
                fields=["system", "leased_until"],
                condition=models.Q(state__in=["checking", "executing", "verifying"]),
                name="compensation_in_flight",
            ),
            models.Index(
                fields=["next_attempt_at"], condition=models.Q(state="retry_wait"), name="compensation_retry_due"
            ),
            # A person's inbox.
            models.Index(
                fields=["handed_to"], condition=models.Q(state="handed_over"), name="compensation_handed_over"
            ),
        ]
        ordering = ["position"]

    def audit_chain(self) -> tuple[str, UUID]:
        """Its rollback's chain."""
        return ("rollback", self.rollback_id)


class CompensationOrder(models.Model):
    """``first`` must be settled before ``then`` may start."""

    # Found by the constraint below, which begins with it.
    first = models.ForeignKey(Compensation, on_delete=models.CASCADE, related_name="unblocks", db_index=False)
    then = models.ForeignKey(Compensation, on_delete=models.CASCADE, related_name="blocked_by")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["first", "then"], name="compensation_order_once")]


class Attempt(models.Model):
    """One try at one phase of a compensation, recorded before it is made and again when it ends."""

    # Found by the index below, which begins with it.
    compensation = models.ForeignKey(Compensation, on_delete=models.CASCADE, related_name="attempts", db_index=False)
    number = models.PositiveIntegerField()
    phase = models.CharField(max_length=10)  # check | execute | verify
    fence = models.PositiveBigIntegerField()
    started_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=12, blank=True)  # succeeded | transient | permanent | lost
    status = models.PositiveSmallIntegerField(null=True)  # of the HTTP response, where there was one
    detail = models.TextField(blank=True)  # the error, or an excerpt of the response, redacted

    class Meta:
        # A compensation's history in order.
        indexes = [models.Index(fields=["compensation", "started_at"], name="attempt_history")]


class SystemPace(models.Model):
    """The token bucket of a system that has a rate: ``tokens`` calls were free ``at`` a moment."""

    system = models.OneToOneField(System, primary_key=True, on_delete=models.CASCADE, related_name="pace")
    tokens = models.FloatField()
    at = models.DateTimeField()


class WorkerSighting(models.Model):
    """When a worker or the sweeper was last seen alive, for ``/readyz``."""

    name = models.CharField(max_length=100, primary_key=True)  # "worker" | "sweeper"
    seen_at = models.DateTimeField()

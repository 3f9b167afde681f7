"""What agents did: runs, their steps, and what each step changed."""

from typing import ClassVar
from uuid import UUID

from django.db import models
from django.utils import timezone

from rollback.audit.ids import new_id
from rollback.audit.machine import Machine
from rollback.catalog.models import Action, Reversibility, System, Workflow, WorkflowVersion
from rollback.ownership.models import AgentToken
from rollback.runs.states import RUN, STEP, RunState, StepState


def choices_of(machine: Machine) -> list[tuple[str, str]]:
    """A machine's states as Django choices."""
    return [(state.value, state.value.replace("_", " ").capitalize()) for state in machine.states]


class Run(models.Model):
    """One execution of a workflow by an agent, pinned to one version."""

    MACHINE: ClassVar[Machine] = RUN

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workflow = models.ForeignKey(Workflow, on_delete=models.PROTECT, related_name="runs")
    version = models.ForeignKey(WorkflowVersion, on_delete=models.PROTECT, related_name="runs")
    token = models.ForeignKey(AgentToken, null=True, on_delete=models.SET_NULL, related_name="runs")
    agent = models.CharField(max_length=200)  # the token's name at the time
    key = models.CharField(max_length=200, blank=True)  # the agent's own name for this run
    goal = models.TextField(blank=True)
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="children")
    input = models.JSONField(default=dict)
    state = models.CharField(max_length=20, choices=choices_of(RUN), default=RunState.RUNNING)
    state_at = models.DateTimeField(default=timezone.now)
    error = models.TextField(blank=True)
    steps_taken = models.PositiveIntegerField(default=0)  # also numbers the steps
    started_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)
    heartbeat_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            # One run per agent and key: opening it twice finds the first.
            models.UniqueConstraint(fields=["token", "key"], condition=~models.Q(key=""), name="run_token_key")
        ]
        indexes = [
            # The run list, newest first, as a whole and filtered by workflow or state.
            models.Index(fields=["-started_at", "-id"], name="run_newest"),
            models.Index(fields=["workflow", "-started_at"], name="run_workflow_newest"),
            models.Index(fields=["state", "-started_at"], name="run_state_newest"),
            # The sweeper's search for lost runs.
            models.Index(fields=["heartbeat_at"], condition=models.Q(state="running"), name="run_heartbeat"),
        ]

    def __str__(self) -> str:
        return self.goal or f"{self.workflow} run"

    def audit_chain(self) -> tuple[str, UUID]:
        """Its own chain."""
        return ("run", self.id)


class UndoState(models.TextChoices):
    """Whether a step's undo is known."""

    PENDING = "pending", "Not known yet"
    RESOLVED = "resolved", "Resolved"
    UNRESOLVED = "unresolved", "Unresolved"
    NONE = "none", "None"


class Step(models.Model):
    """One action taken in a run. ``undo`` is frozen when the result lands, see ``undo.py``."""

    MACHINE: ClassVar[Machine] = STEP

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="steps")
    number = models.PositiveIntegerField()
    action = models.ForeignKey(Action, null=True, blank=True, on_delete=models.PROTECT, related_name="steps")
    action_key = models.CharField(max_length=120)
    system = models.ForeignKey(System, on_delete=models.PROTECT, related_name="steps")
    reversibility = models.CharField(max_length=15, choices=Reversibility)
    declared = models.BooleanField(default=True)
    # Ids (text) of earlier steps of this run; null: not said, then it counts as built on all before it.
    depends_on = models.JSONField(null=True, default=None)
    input = models.JSONField(default=dict)
    output = models.JSONField(null=True)
    error = models.TextField(blank=True)
    state = models.CharField(max_length=20, choices=choices_of(STEP), default=StepState.PROPOSED)
    state_at = models.DateTimeField(default=timezone.now)
    proposed_at = models.DateTimeField(default=timezone.now)
    cleared_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    # The undo as brought with the proposal (used when in doubt) or frozen at the result.
    undo = models.JSONField(null=True)
    undo_state = models.CharField(max_length=10, choices=UndoState, default=UndoState.PENDING)
    undo_problems = models.JSONField(default=list)  # [{pointer, message}]
    undo_expires_at = models.DateTimeField(null=True)
    undo_brought = models.BooleanField(default=False)  # the agent wrote it down itself: it wins over the action's
    # SHA-256 of the result as it was reported: the same again is answered as before, another is refused.
    result_hash = models.CharField(max_length=64, blank=True)

    class Meta:
        # Also serves a run's steps in order.
        constraints = [models.UniqueConstraint(fields=["run", "number"], name="step_number")]
        ordering = ["number"]

    def __str__(self) -> str:
        return self.action_key

    def audit_chain(self) -> tuple[str, UUID]:
        """Its run's chain."""
        return ("run", self.run_id)


class Effect(models.Model):
    """What a step changed: one entity by reference, or a count of them, and money if any moved."""

    step = models.ForeignKey(Step, on_delete=models.CASCADE, related_name="effects")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="effects")
    system = models.ForeignKey(System, on_delete=models.PROTECT, related_name="effects")
    kind = models.CharField(max_length=120)
    ref = models.CharField(max_length=300, blank=True)
    count = models.PositiveBigIntegerField(default=1)
    amount = models.DecimalField(max_digits=24, decimal_places=6, null=True)
    currency = models.CharField(max_length=3, blank=True)


class ResourceUse(models.Model):
    """A step made (produced) or built upon (consumed) a named resource; links runs to each other."""

    step = models.ForeignKey(Step, on_delete=models.CASCADE, related_name="resources")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="resources")
    resource = models.CharField(max_length=300)
    produced = models.BooleanField()
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        # Who consumed what this run produced: the cascade of a rollback.
        indexes = [models.Index(fields=["resource", "produced"], name="resource_use")]

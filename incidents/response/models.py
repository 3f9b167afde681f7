"""Incidents: something went wrong that somebody leads. Their facts are the audit events of their chain."""

from typing import ClassVar
from uuid import UUID

from django.conf import settings
from django.db import models
from django.utils import timezone

from incidents.response.states import INCIDENT, IncidentState
from rollback.audit.ids import new_id
from rollback.audit.machine import Machine
from rollback.models import Run
from rollback.runs.models import choices_of


class Severity(models.TextChoices):
    """How bad it is; the highest of its causes wins."""

    SEV1 = "sev1", "SEV1"
    SEV2 = "sev2", "SEV2"
    SEV3 = "sev3", "SEV3"


class IncidentNumber(models.Model):
    """Hands out the numbers that people call incidents by: its own keys, in order, gaps allowed."""


class Incident(models.Model):
    """Something went wrong that somebody leads. ``cause`` groups: one cause is one open incident."""

    MACHINE: ClassVar[Machine] = INCIDENT

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    number = models.PositiveIntegerField(unique=True)
    title = models.CharField(max_length=300)
    cause = models.CharField(max_length=300)
    severity = models.CharField(max_length=4, choices=Severity, default=Severity.SEV3)
    lead = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="incidents_led"
    )
    state = models.CharField(max_length=15, choices=choices_of(INCIDENT), default=IncidentState.OPEN)
    state_at = models.DateTimeField(default=timezone.now)
    impact_started_at = models.DateTimeField(null=True)  # the first bad effect
    opened_at = models.DateTimeField(default=timezone.now)
    acknowledged_at = models.DateTimeField(null=True)
    recovered_at = models.DateTimeField(null=True)
    runs = models.ManyToManyField(Run, through="IncidentRun", related_name="incidents")

    class Meta:
        constraints = [
            # Grouping: one cause is one unrecovered incident, however many report it at once.
            models.UniqueConstraint(
                fields=["cause"],
                condition=models.Q(state__in=["open", "acknowledged", "mitigating"]),
                name="incident_one_per_cause",
            )
        ]
        indexes = [models.Index(fields=["-opened_at", "-id"], name="incident_newest")]

    def __str__(self) -> str:
        return f"INC-{self.number} {self.title}"

    def audit_chain(self) -> tuple[str, UUID]:
        """Its own chain."""
        return ("incident", self.id)


class IncidentRun(models.Model):
    """A run that an incident is about."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="incident_runs")
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="incident_runs")
    why = models.CharField(max_length=300)
    added_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["incident", "run"], name="incident_run_once")]


class EntryKind(models.TextChoices):
    """What a timeline entry tells."""

    OPENED = "opened", "Opened"
    RUN_ADDED = "run_added", "Run added"
    STATE = "state", "State changed"
    ROLLBACK = "rollback", "Rollback"
    HANDED_OVER = "handed_over", "Handed over"
    NOTE = "note", "Note"


class TimelineEntry(models.Model):
    """One fact in an incident's history: recorded by Recourse, or a person's note."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="timeline")
    at = models.DateTimeField(default=timezone.now)
    kind = models.CharField(max_length=40, choices=EntryKind)
    actor_name = models.CharField(max_length=200)
    text = models.TextField()
    link = models.CharField(max_length=300, blank=True)

    class Meta:
        # An incident's history in order.
        indexes = [models.Index(fields=["incident", "at"], name="timeline_order")]
        ordering = ["at", "id"]

"""The history. Events are append-only (a trigger in both databases) and hash-chained per subject."""

from django.db import models
from django.utils import timezone


class AuditChain(models.Model):
    """The head of one chain: how long it is and the hash of its last event.

    One chain per run, rollback, approval or incident: a single one would put every writer in one queue.
    """

    kind = models.CharField(max_length=20)
    subject = models.UUIDField()
    length = models.PositiveIntegerField(default=0)
    head = models.CharField(max_length=64, default="")
    moved_at = models.DateTimeField(default=timezone.now)

    class Meta:
        # No other index: the row changes with every event, and PostgreSQL changes it in place only when no
        # indexed column does.
        constraints = [models.UniqueConstraint(fields=["kind", "subject"], name="audit_chain_subject")]


class AuditEvent(models.Model):
    """One fact. ``hash`` is SHA-256 over the previous hash and every other field, see ``chain.py``."""

    kind = models.CharField(max_length=20)
    subject = models.UUIDField()
    number = models.PositiveIntegerField()
    type = models.CharField(max_length=60)
    actor_kind = models.CharField(max_length=10)
    actor_id = models.CharField(max_length=150)
    actor_name = models.CharField(max_length=200)
    at = models.DateTimeField()
    # Canonical JSON kept as text: the hash is over exactly these characters.
    payload = models.TextField()
    previous = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Meta:
        # Also serves reading one subject's history in order.
        constraints = [models.UniqueConstraint(fields=["kind", "subject", "number"], name="audit_event_number")]


class AuditCheckpoint(models.Model):
    """A seal over the chains' heads: ``heads`` is canonical JSON ``[[kind, subject, length, head], …]``."""

    at = models.DateTimeField()
    heads = models.TextField()
    previous = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

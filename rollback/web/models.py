"""What the API remembers of writes, so that a repeated request is answered and not carried out again."""

from django.db import models
from django.utils import timezone


class IdempotencyKey(models.Model):
    """One key of one caller: what was asked with it and what was answered."""

    caller = models.CharField(max_length=200)  # "agent:<prefix>" or "person:<id>": keys are never shared
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)  # SHA-256 of method, path and body
    status = models.PositiveSmallIntegerField(null=True)  # none yet: the first request is still at it
    body = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["caller", "key"], name="idempotency_key_once")]
        # Old keys are deleted by age.
        indexes = [models.Index(fields=["created_at"], name="idempotency_key_age")]

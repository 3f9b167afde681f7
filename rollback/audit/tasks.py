"""Celery's door to the audit slice."""

from celery import shared_task

from rollback.audit import services


@shared_task(name="audit.seal")
def seal() -> None:
    """Seal the heads of the chains that moved since the last checkpoint."""
    services.seal()

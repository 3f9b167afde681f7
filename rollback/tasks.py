"""The Celery tasks of the app, gathered so that workers know them by name."""

from rollback.audit.tasks import seal
from rollback.recovery.tasks import sweep, work_on

__all__ = ["seal", "sweep", "work_on"]

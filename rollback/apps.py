"""Django's registration of the rollback app."""

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class RollbackConfig(AppConfig):
    """Loads the permission rules and the Celery tasks once the models are there."""

    name = "rollback"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Import what registers itself on import."""
        from rollback import permissions, tasks  # noqa: F401
        from rollback.approvals import listeners as approvals_listeners  # noqa: F401
        from rollback.recovery import listeners, sightings  # noqa: F401
        from rollback.web import openapi  # noqa: F401

        autodiscover_modules("compensations")

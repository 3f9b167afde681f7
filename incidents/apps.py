"""Django's registration of the incidents app."""

from django.apps import AppConfig


class IncidentsConfig(AppConfig):
    """Connects what the rollback app announces to the services that listen."""

    name = "incidents"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Connect the listeners and register the permission rules."""
        from incidents import permissions  # noqa: F401
        from incidents.response import listeners  # noqa: F401

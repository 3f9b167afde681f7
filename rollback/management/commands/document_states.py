"""``manage.py document_states``: the transition tables as diagrams, in ``docs/states.md``."""

from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management.base import BaseCommand

from rollback.audit.machine import Machine

PAGE = Path(settings.BASE_DIR) / "docs" / "states.md"
HEAD = """# State machines

Made from the transition tables by `manage.py document_states`; a test compares. Each table stands in the
`states.py` of its slice, and `rollback.audit.services.move` is the only writer of state.
"""


def machines() -> list[Machine]:
    """The table of every model that has one, in the order in which the models are defined."""
    found: list[Machine] = []
    for model in apps.get_models():
        machine = getattr(model, "MACHINE", None)
        if isinstance(machine, Machine) and machine not in found:
            found.append(machine)
    return sorted(found, key=lambda machine: machine.name)


def page() -> str:
    """The whole page as Markdown."""
    parts = [f"## {machine.name.capitalize()}\n\n```mermaid\n{machine.mermaid()}\n```\n" for machine in machines()]
    return "\n".join([HEAD, *parts])


class Command(BaseCommand):
    """Writes the page."""

    help = "Write docs/states.md from the transition tables."

    def handle(self, *args: Any, **options: Any) -> None:
        """Overwrite the page with what the tables say now."""
        PAGE.write_text(page())
        self.stdout.write(f"{PAGE.relative_to(settings.BASE_DIR)} written.")

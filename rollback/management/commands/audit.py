"""``manage.py audit verify``: does the history still say what was written?"""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from rollback.audit.models import AuditEvent
from rollback.audit.verify import broken_links


class Command(BaseCommand):
    """Reads every chain and checkpoint back."""

    help = "Verify the hash chains of the history; names the first broken link of each chain."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """One word: what to do."""
        parser.add_argument("what", choices=["verify"])

    def handle(self, *args: Any, **options: Any) -> None:
        """Exit code 1 and a line per broken chain, or one line that says how much was read."""
        broken = list(broken_links())
        for link in broken:
            self.stderr.write(f"{link.where}: {link.why}")
        if broken:
            raise CommandError(f"The history does not hold in {len(broken)} place(s).")
        self.stdout.write(f"{AuditEvent.objects.count()} events verified: the history holds.")

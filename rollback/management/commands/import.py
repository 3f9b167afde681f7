"""``manage.py import PATH…``: workflows, systems, runbooks, teams and people from YAML files."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from rollback.audit.actors import RECOURSE
from rollback.catalog.parsing import sources_in
from rollback.catalog.services import import_sources
from rollback.errors import Refused


class Command(BaseCommand):
    """All files or none; every error names file, line and field."""

    help = "Import YAML files (or folders of them) into the catalog."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Paths, and what not to do."""
        parser.add_argument("paths", nargs="+", type=Path, metavar="PATH")
        parser.add_argument("--dry-run", action="store_true", help="show the difference, keep nothing")
        parser.add_argument("--no-activate", action="store_true", help="import new versions, leave the active ones")

    def handle(self, *args: Any, **options: Any) -> None:
        """Exit code 1 with all errors listed, or one line per document with how it differs from before."""
        try:
            imported = import_sources(
                sources_in(options["paths"]),
                RECOURSE,
                dry_run=options["dry_run"],
                activate=not options["no_activate"],
            )
        except Refused as refused:
            for error in refused.errors:
                source, _, field = error.pointer.partition("#/")
                place = f"{source}:{error.line}" if error.line else source
                self.stderr.write(f"{place}: {field.replace('/', '.') + ': ' if field else ''}{error.message}")
            raise CommandError(refused.detail) from refused
        for item in imported:
            if item.outcome != "unchanged" or options["verbosity"] > 1:
                self.stdout.write(f"{item.outcome:>9}  {item.kind} {item.name}")
                if item.outcome == "changed":
                    self.stdout.writelines(f"           {change}" for change in item.changes)
        unchanged = sum(item.outcome == "unchanged" for item in imported)
        kept = "; dry run: nothing kept" if options["dry_run"] else ""
        self.stdout.write(f"{len(imported)} documents, {unchanged} unchanged{kept}.")

"""``manage.py agent_token NAME --workflow SLUG``: a token for an agent, printed once."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from rollback.catalog.durations import parse_duration
from rollback.catalog.models import Workflow
from rollback.ownership.models import AgentToken


class Command(BaseCommand):
    """The token can report and ask for its workflows, and nothing else. It is stored as a hash only."""

    help = "Make a token for an agent and print it, once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The agent's name, its workflows, and how long the token holds."""
        parser.add_argument("name")
        parser.add_argument("--workflow", action="append", required=True, metavar="SLUG")
        parser.add_argument("--expires", metavar="90d", help="how long it holds; without it: until it is revoked")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the token on a line of its own."""
        slugs = set(options["workflow"])
        workflows = list(Workflow.objects.filter(slug__in=slugs))
        if missing := slugs - {workflow.slug for workflow in workflows}:
            raise CommandError(f"There is no workflow {', '.join(sorted(missing))}.")
        try:
            expires = timezone.now() + parse_duration(options["expires"]) if options["expires"] else None
        except ValueError as error:
            raise CommandError(f"--expires: {error}") from error
        with transaction.atomic():
            token, key = AgentToken.objects.create_key(name=options["name"], expiry_date=expires)
            assert isinstance(token, AgentToken)
            token.workflows.set(workflows)
        self.stdout.write(key)

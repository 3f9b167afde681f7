"""``manage.py sign_in_link EMAIL``: a link that signs a person in. With ``DEBUG`` on only."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from rollback.ownership.selectors import active_person
from rollback.ownership.sign_in_links import link_for


class Command(BaseCommand):
    """Prints one link per address."""

    help = "Print a sign-in link for each address (DEBUG only)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Addresses."""
        parser.add_argument("emails", nargs="+", metavar="EMAIL")

    def handle(self, *args: Any, **options: Any) -> None:
        """One line per address, in their order."""
        if not settings.DEBUG:
            raise CommandError("Sign-in links work with DEBUG on only.")
        for email in options["emails"]:
            person = active_person(email)
            if person is None:
                raise CommandError(f"There is no active person {email}.")
            self.stdout.write(link_for(person))

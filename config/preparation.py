"""What has to be there before the processes start: tables, the catalog, agents' tokens, sign-in links."""

import io
from pathlib import Path

import django
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import OperationalError, connections

from config.extras import Extras
from config.supervision import CannotStart

django.setup()

from django.conf import settings  # noqa: E402 (after setup)

from rollback.ownership.models import AgentToken, User  # noqa: E402 (after setup)


def prepare(extras: Extras) -> dict[str, str]:
    """Migrate, import, make tokens; answers the sign-in links by name. Everything that is there is reused."""
    try:
        call_command("migrate", verbosity=0)
        _import(extras)
        for name, workflows in extras.tokens.items():
            _token(name, workflows)
        return _links(extras) if settings.DEBUG else {}
    except CommandError as error:
        raise CannotStart(str(error)) from error
    except OperationalError as error:
        raise CannotStart(f"The database cannot be used: {error}".strip()) from error
    finally:
        # The processes are forked from here: none of them may share a connection.
        connections.close_all()


def _import(extras: Extras) -> None:
    """Import the files as this machine needs them, from a copy."""
    copy = Path(settings.DATA_DIR) / "catalog"
    for name in extras.imports:
        source = Path(name)
        files = [source] if source.is_file() else sorted(source.rglob("*.yaml"))
        for file in files:
            target = copy / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(extras.replaced(file.read_text(encoding="utf-8")), encoding="utf-8")
    if extras.imports:
        call_command("import", str(copy))


def _token(name: str, workflows: list[str]) -> None:
    """A token that works, in a file that only we can read."""
    path = Path(settings.DATA_DIR) / "agents" / f"{name}.token"
    if path.exists() and AgentToken.objects.is_valid(path.read_text().strip()):
        return
    out = io.StringIO()
    call_command("agent_token", name, *(f"--workflow={slug}" for slug in workflows), stdout=out)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(out.getvalue())


def _links(extras: Extras) -> dict[str, str]:
    links: dict[str, str] = {}
    for email in extras.sign_in:
        out = io.StringIO()
        call_command("sign_in_link", email, stdout=out)
        person = User.objects.get(email=email)
        links[f"as {person.get_role_display().lower()} {person.name}"] = out.getvalue().strip()
    return links

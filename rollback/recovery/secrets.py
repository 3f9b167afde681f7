"""Secrets by reference: looked up at the moment of sending, never stored, scrubbed from what comes back."""

import os
from collections.abc import Iterable
from pathlib import Path

from django.conf import settings


class SecretMissing(Exception):
    """A referenced secret is not there; the message names it and where it was looked for."""


def secret(name: str) -> str:
    """The secret called ``name``: environment ``RECOURSE_SECRET_<NAME>``, else a file in ``SECRETS_DIR``."""
    variable = f"RECOURSE_SECRET_{name.upper()}"
    if variable in os.environ:
        return os.environ[variable]
    if settings.SECRETS_DIR:
        path = Path(settings.SECRETS_DIR) / name
        if path.is_file():
            return path.read_text().rstrip("\r\n")
    raise SecretMissing(f"secret {name} is neither in {variable} nor a file in SECRETS_DIR")


def scrub(text: str, secrets: Iterable[str]) -> str:
    """``text`` without any of ``secrets``."""
    for value in secrets:
        if value:
            text = text.replace(value, "[redacted]")
    return text

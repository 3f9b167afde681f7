"""Secrets by reference: looked up at the moment of sending, never stored, scrubbed from what comes back."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote, quote_plus

from django.conf import settings


class SecretMissing(Exception):
    """A referenced secret is not there; the message names it and where it was looked for."""


def secret(name: str) -> str:
    """The secret called ``name``: environment ``RECOURSE_SECRET_<NAME>``, else a file in ``SECRETS_DIR``."""
    variable = f"RECOURSE_SECRET_{name.upper()}"
    if variable in os.environ:
        return os.environ[variable].rstrip("\r\n")
    if settings.SECRETS_DIR:
        path = Path(settings.SECRETS_DIR) / name
        if path.is_file():
            return path.read_text().rstrip("\r\n")
    raise SecretMissing(f"secret {name} is neither in {variable} nor a file in SECRETS_DIR")


def scrub(text: str, secrets: Iterable[str]) -> str:
    """``text`` without any of ``secrets``: neither as they are, nor as JSON, a URL or Python would write them."""
    forms = {form for value in secrets if value for form in _forms(value)}
    for form in sorted(forms, key=len, reverse=True):  # one secret may be the beginning of another
        text = text.replace(form, "[redacted]")
    return text


def _forms(value: str) -> set[str]:
    escaped = {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], repr(value)[1:-1]}
    in_urls = {quote(value, errors="replace"), quote(value, "", errors="replace"), quote_plus(value, errors="replace")}
    return {value} | escaped | in_urls

"""What agents report is stored without the values of configured keys."""

import re
from collections.abc import Iterator
from typing import Any

from django.conf import settings

from rollback.catalog.templates import REDACTED
from rollback.errors import FieldError

_REFERENCE = re.compile(r"\$\{secret\.[A-Za-z_][A-Za-z0-9_]*\}")


def redact(value: Any) -> Any:
    """``value`` with the value of every key that contains one of ``REDACTED_KEYS`` (any case) made unreadable."""
    if isinstance(value, dict):
        return {key: REDACTED if _is_secret(key) and inner else redact(inner) for key, inner in value.items()}
    return [redact(inner) for inner in value] if isinstance(value, list) else value


def literal_secrets(value: Any, pointer: str = "") -> Iterator[FieldError]:
    """Where ``value``, a request to be kept as it is, holds a secret itself instead of a reference to one."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if _is_secret(key) and isinstance(inner, str) and inner and not _REFERENCE.search(inner):
                yield FieldError(f"{pointer}/{key}", "refer to a secret as ${secret.NAME}: its value is not kept here")
            yield from literal_secrets(inner, f"{pointer}/{key}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from literal_secrets(inner, f"{pointer}/{index}")


def _is_secret(key: str) -> bool:
    lowered = key.lower().replace("-", "_")
    return any(word in lowered for word in settings.REDACTED_KEYS)

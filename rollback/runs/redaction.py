"""What agents report is stored without the values of configured keys."""

from typing import Any

from django.conf import settings

from rollback.catalog.templates import REDACTED


def redact(value: Any) -> Any:
    """``value`` with the value of every key that contains one of ``REDACTED_KEYS`` (any case) made unreadable."""
    if isinstance(value, dict):
        return {key: REDACTED if _is_secret(key) and inner else redact(inner) for key, inner in value.items()}
    return [redact(inner) for inner in value] if isinstance(value, list) else value


def _is_secret(key: str) -> bool:
    lowered = key.lower().replace("-", "_")
    return any(word in lowered for word in settings.REDACTED_KEYS)

"""Durations as people write them: ``250ms``, ``10s``, ``15m``, ``2h``, ``30d``."""

import re
from datetime import timedelta

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_FORM = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")


def parse_duration(text: object) -> timedelta:
    """The duration that ``text`` names. Raises ``ValueError`` that shows the form."""
    match = _FORM.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("a duration is a number and a unit: 250ms, 10s, 15m, 2h, 30d or 4w")
    return timedelta(seconds=float(match.group(1)) * _UNITS[match.group(2)])


def write_duration(duration: timedelta) -> str:
    """The shortest way to write ``duration``."""
    seconds = duration.total_seconds()
    for unit in ("w", "d", "h", "m", "s"):
        if seconds >= _UNITS[unit] and seconds % _UNITS[unit] == 0:
            return f"{int(seconds / _UNITS[unit])}{unit}"
    return f"{round(seconds * 1000)}ms"

"""Whatever an agent's tools take and return, as JSON. Never raises: the act is done by then."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from datetime import date, time
from enum import Enum
from typing import Any

_MAX_SAFE_INTEGER = 2**53 - 1


def jsonable(value: Any, inside: frozenset[int] = frozenset()) -> Any:
    """``value`` as JSON: dataclasses and pydantic models by their fields, what has no better form as its text.

    ``inside`` holds the ids of what is being converted around it, so that a loop ends.
    """
    if isinstance(value, Enum):
        return jsonable(value.value, inside)
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return value if abs(value) <= _MAX_SAFE_INTEGER else str(value)
    if isinstance(value, float):
        return value if value - value == 0 else str(value)  # JSON knows neither NaN nor infinity
    if isinstance(value, (date, time)):
        return value.isoformat()
    if id(value) in inside:
        return "…"
    return _of_container(value, inside | {id(value)})


def _of_container(value: Any, inside: frozenset[int]) -> Any:
    if isinstance(value, Mapping):
        return {str(key): jsonable(inner, inside) for key, inner in value.items()}
    if isinstance(value, (list, tuple, AbstractSet)):
        return [jsonable(inner, inside) for inner in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: jsonable(getattr(value, field.name, None), inside) for field in fields(value)}
    dump = getattr(value, "model_dump", None)
    try:
        return jsonable(dump(), inside) if callable(dump) else str(value)
    except Exception:
        return f"<{type(value).__name__}>"

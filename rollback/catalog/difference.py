"""What differs between two documents, as a list that people can read."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Change:
    """One place where two documents differ; None stands for not there."""

    field: str
    old: Any
    new: Any

    def __str__(self) -> str:
        if self.old is None:
            return f"+ {self.field}: {self.new}"
        if self.new is None:
            return f"- {self.field}: {self.old}"
        return f"~ {self.field}: {self.old} → {self.new}"


def difference(old: Any, new: Any, field: str = "") -> Iterator[Change]:
    """The changes that lead from ``old`` to ``new``; lists of things with a key are compared by key."""
    old, new = _by_key(old), _by_key(new)
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in [*old, *(name for name in new if name not in old)]:
            yield from difference(old.get(name), new.get(name), f"{field}.{name}" if field else str(name))
    elif old != new:
        yield Change(field, old, new)


def _by_key(value: Any) -> Any:
    if isinstance(value, list) and value and all(isinstance(item, Mapping) and "key" in item for item in value):
        return {item["key"]: item for item in value}
    return value

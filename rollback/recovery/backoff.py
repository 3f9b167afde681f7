"""How long to wait before the next try: exponential with full upper jitter, and what the other side asked for."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

ATTEMPTS, FIRST, FACTOR, LONGEST = 5, 1.0, 2.0, 60.0


@dataclass(frozen=True)
class Retry:
    """The retry rule of one action; times in seconds."""

    attempts: int = ATTEMPTS
    first: float = FIRST
    factor: float = FACTOR
    longest: float = LONGEST

    @classmethod
    def of(cls, undo: Mapping[str, Any]) -> Self:
        """The rule in a frozen undo; what it does not say is the default."""
        said = (undo.get("compensation") or {}).get("retry") or {}
        return cls(
            said.get("attempts", ATTEMPTS),
            said.get("first", FIRST),
            said.get("factor", FACTOR),
            said.get("max", LONGEST),
        )

    def delay(self, made: int, asked_for: float | None = None) -> float:
        """Seconds to wait after ``made`` tries: grows by ``factor`` up to ``longest``, less up to a half at random.

        Never less than the other side asked for. The random part keeps many that failed together from
        coming back together.
        """
        try:
            planned = min(self.longest, self.first * self.factor ** max(0, made - 1))
        except OverflowError:
            planned = self.longest if self.first else 0.0  # more than a float can say is more than the longest
        return max(planned * random.uniform(0.5, 1.0), asked_for or 0.0)  # noqa: S311 (not a secret)

"""What a worker holds of a compensation, and how the parts of its undo are called."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from rollback.catalog.models import System
from rollback.recovery.executors.contract import Target

CHECK, EXECUTE, VERIFY = "check", "execute", "verify"
PARTS = {CHECK: "drift_check", EXECUTE: "compensation", VERIFY: "verification"}


class LeaseLost(Exception):
    """Somebody else has this compensation now: what we did is theirs to find out, we record nothing."""


@dataclass(frozen=True)
class Claim:
    """One compensation in our hands until the lease ends, with all that is needed to act without the database."""

    compensation: UUID
    rollback: UUID
    system: UUID
    fence: int
    key: str
    phase: str
    undo: Mapping[str, Any]
    target: Target
    variables: Mapping[str, Any]
    executed_at: dt.datetime | None

    @property
    def part(self) -> Mapping[str, Any]:
        """What is to be carried out in this phase."""
        part: Mapping[str, Any] = self.undo[PARTS[self.phase]]
        return part

    def has(self, phase: str) -> bool:
        """Whether the undo has something to do in ``phase``."""
        return bool(self.undo.get(PARTS[phase]))


@dataclass
class Taken:
    """What a claim gave. ``more``: more may be ready; ``again_in``: its systems bear more in so many seconds."""

    claims: list[Claim] = field(default_factory=list)
    more: bool = False
    again_in: float | None = None


def first_phase(undo: Mapping[str, Any] | None) -> str:
    """The phase that the first try begins with; empty when there is nothing for software to execute."""
    if not undo or undo["compensation"]["executor"] == "manual":
        return ""
    return CHECK if undo.get(PARTS[CHECK]) else EXECUTE


def target_of(system: System) -> Target:
    """``system`` as far as calls are concerned."""
    return Target(
        slug=system.slug,
        base_url=system.base_url,
        allowed_hosts=tuple(system.allowed_hosts),
        allow_http=system.allow_http,
        allow_private=system.allow_private,
        signing_secret=system.signing_secret,
        has_rate=bool(system.rate),
    )

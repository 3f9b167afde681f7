"""What an outside system can bear: how many calls at the same time, and how many in a while.

Both are counted in the database, under a lock on the system's row, so that all workers together keep them.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db.models import Count

from rollback.catalog.models import System
from rollback.recovery.models import Compensation, SystemPace
from rollback.recovery.states import IN_FLIGHT

_SECONDS = {"s": 1, "m": 60, "h": 3600}
LOOK_AGAIN_SECONDS = 0.1
"""How soon to ask again for room that others have now."""


@dataclass
class Room:
    """How many more calls each system bears now, and in how many seconds to ask again where that is none."""

    systems: Mapping[UUID, System]
    free: dict[UUID, int] = field(default_factory=dict)
    again_in: float | None = None

    def use(self, system: UUID) -> bool:
        """Take one place, if there is one."""
        if self.free[system] < 1:
            return False
        self.free[system] -= 1
        return True


def room_for(systems: Sequence[str], now: dt.datetime) -> Room:
    """The room of ``systems`` (ids), which are locked until the transaction ends."""
    # In one order everywhere: two claims never wait for each other in a ring.
    rows = System.objects.filter(pk__in=systems).order_by("pk").select_for_update(no_key=True)
    room = Room({system.pk: system for system in rows})
    if room.systems:
        flying = _in_flight(list(room.systems))
        for system in room.systems.values():
            _measure(room, system, system.concurrency - flying.get(system.pk, 0), now)
    return room


def _in_flight(systems: Sequence[UUID]) -> dict[UUID, int]:
    rows = Compensation.objects.filter(system__in=systems, state__in=IN_FLIGHT)
    return dict(rows.values("system").annotate(n=Count("pk")).values_list("system", "n"))


def _measure(room: Room, system: System, free: int, now: dt.datetime) -> None:
    if free < 1:
        room.again_in = min(room.again_in or LOOK_AGAIN_SECONDS, LOOK_AGAIN_SECONDS)
    elif system.rate:
        tokens = _tokens(system, now)
        if tokens < 1:
            pause = (1 - tokens) / per_second(system.rate)
            room.again_in = min(room.again_in or pause, pause)
        free = min(free, int(tokens))
    room.free[system.pk] = max(0, free)


def per_second(rate: str) -> float:
    """``"10/s"``, ``"90/m"`` or ``"5/h"`` as calls per second."""
    count, _, unit = rate.partition("/")
    return int(count) / _SECONDS[unit]


def _tokens(system: System, now: dt.datetime) -> float:
    """What has gathered in the system's bucket, which holds what it bears in one second, and one at least."""
    speed = per_second(system.rate)
    pace = SystemPace.objects.filter(system=system).first()
    if pace is None:
        return max(1.0, speed)
    return min(max(1.0, speed), pace.tokens + (now - pace.at).total_seconds() * speed)


def spend(system: System, calls: int, now: dt.datetime) -> None:
    """Take ``calls`` out of the bucket of a system that has a rate. May leave it in debt: later calls wait longer."""
    if system.rate and calls:
        left = _tokens(system, now) - calls
        SystemPace.objects.update_or_create(system=system, defaults={"tokens": left, "at": now})

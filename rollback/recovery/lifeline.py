"""A worker's sign of life that ends the moment the worker does: an advisory lock on a session of its own.

PostgreSQL drops the lock when the connection closes, and a killed process closes it at once; the sweeper need
not wait for the lease. On SQLite there is no such thing: there the lease alone counts. A lock cannot stop a
call that is under way, so the fence is needed all the same.
"""

import os
import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import psycopg
from django.db import connection

LOOK_EVERY_SECONDS = 1.0
"""How often to look whether the session still stands."""

NAMESPACE = 0x5EC0
"""The first half of the lock's key (``classid`` in ``pg_locks``); the second is the worker's number."""


@dataclass
class _Lifeline:
    process: int
    number: int
    session: Any = None  # of psycopg, which lets threads take turns
    looked: float = float("-inf")
    lock: threading.Lock = field(default_factory=threading.Lock)


_mine: _Lifeline | None = None


def hold() -> int | None:
    """The number of this process's lifeline, held from now on; None where the database has none.

    Looks now and then whether the session still stands: after a restart of the database it is held anew.
    """
    global _mine  # noqa: PLW0603 (one process, one lifeline; a forked one needs its own)
    if connection.vendor != "postgresql":
        return None
    if _mine is None or _mine.process != os.getpid():
        _mine = _Lifeline(os.getpid(), secrets.randbelow(2**31 - 1) + 1)
    with _mine.lock:
        if time.monotonic() - _mine.looked > LOOK_EVERY_SECONDS:
            if _mine.session is None or not _stands(_mine.session):
                _mine.session = _new_session(_mine.number)
            _mine.looked = time.monotonic()
    return _mine.number


def let_go() -> None:
    """Cut this process's lifeline: it holds nothing any more."""
    global _mine  # noqa: PLW0603 (see hold)
    if _mine is not None and _mine.process == os.getpid() and _mine.session is not None:
        _mine.session.close()
    _mine = None


def _new_session(number: int) -> Any:
    """A connection of our own, with the lock: one from the pool would keep it when it is given back."""
    session = psycopg.connect(**connection.get_connection_params(), autocommit=True)
    session.execute("SELECT pg_advisory_lock(%s, %s)", [NAMESPACE, number])
    return session


def _stands(session: Any) -> bool:
    try:
        session.execute("SELECT 1")
    except psycopg.Error:
        session.close()
        return False
    return True


def alive() -> set[int] | None:
    """The numbers of all lifelines that are held now; None where the database has none."""
    if connection.vendor != "postgresql":
        return None
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT objid::bigint FROM pg_locks"
            " WHERE locktype = 'advisory' AND granted AND classid = %s AND objsubid = 2"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            [NAMESPACE],
        )
        return {int(number) for (number,) in cursor.fetchall()}

"""What there is in the world, what was there before, and who asked for what. One SQLite file."""

import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Doc = dict[str, Any]

SCHEMA = """
CREATE TABLE IF NOT EXISTS thing (
    row INTEGER PRIMARY KEY, kind TEXT NOT NULL, id TEXT NOT NULL, doc TEXT NOT NULL,
    original TEXT, made_at REAL NOT NULL, changed_at REAL, removed_at REAL  -- original: as seeded
);
-- A name can be used again once its first bearer is gone. Also serves every look-up by name.
CREATE UNIQUE INDEX IF NOT EXISTS thing_name ON thing (kind, id) WHERE removed_at IS NULL;
CREATE TABLE IF NOT EXISTS counter (kind TEXT PRIMARY KEY, last INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS applied (
    system TEXT NOT NULL, key TEXT NOT NULL, asked TEXT NOT NULL, status INTEGER NOT NULL, answer TEXT NOT NULL,
    at REAL NOT NULL, repeats INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (system, key)
);
CREATE TABLE IF NOT EXISTS request (
    id INTEGER PRIMARY KEY, at REAL NOT NULL, system TEXT NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL,
    status INTEGER NOT NULL, key TEXT NOT NULL, again INTEGER NOT NULL
);
"""


@dataclass(frozen=True)
class Thing:
    """One thing: present, or gone since ``removed_at``. ``original`` is how it was at the start, if it was there.

    Times are seconds since 1970.
    """

    kind: str
    id: str
    doc: Doc
    original: Doc | None
    made_at: float
    changed_at: float | None
    removed_at: float | None


@dataclass(frozen=True)
class Count:
    """How many things of a kind there are and were: what the page sums up."""

    now: int = 0
    start: int = 0
    changed: int = 0  # of those from the start, other than they were
    taken_back: int = 0  # made since the start, and gone again


class Store:
    """The database. One connection, one transaction at a time: this world is small."""

    def __init__(self, path: Path | str) -> None:
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.executescript(SCHEMA)
        self._lock = threading.RLock()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, one at a time."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def new_id(self, kind: str, prefix: str) -> str:
        """The next id of its kind: ``re-0001``."""
        rows = self._all(
            "INSERT INTO counter VALUES (?, 1) ON CONFLICT (kind) DO UPDATE SET last = last + 1 RETURNING last", kind
        )
        return f"{prefix}-{rows[0]['last']:04d}"

    def add(self, kind: str, id: str, doc: Doc, *, seeded: bool = False) -> Doc:
        """Make a thing; ``doc`` gets its ``id``."""
        doc = {"id": id, **doc}
        text = json.dumps(doc, sort_keys=True)
        values = (kind, id, text, text if seeded else None, time.time())
        self._all("INSERT INTO thing (kind, id, doc, original, made_at) VALUES (?, ?, ?, ?, ?)", *values)
        return doc

    def get(self, kind: str, id: str) -> Doc | None:
        """The thing, or None when it is not there (any more)."""
        rows = self._all("SELECT doc FROM thing WHERE kind = ? AND id = ? AND removed_at IS NULL", kind, id)
        return json.loads(rows[0]["doc"]) if rows else None

    def put(self, kind: str, id: str, doc: Doc) -> Doc:
        """Change a thing that is there."""
        sql = "UPDATE thing SET doc = ?, changed_at = ? WHERE kind = ? AND id = ? AND removed_at IS NULL"
        self._all(sql, json.dumps(doc, sort_keys=True), time.time(), kind, id)
        return doc

    def remove(self, kind: str, id: str) -> bool:
        """Take a thing away; False when it was not there."""
        sql = "UPDATE thing SET removed_at = ? WHERE kind = ? AND id = ? AND removed_at IS NULL RETURNING id"
        return bool(self._all(sql, time.time(), kind, id))

    def find(self, kind: str, **fields: Any) -> list[Doc]:
        """The things of a kind whose fields have these values, oldest first."""
        rows = self._all("SELECT doc FROM thing WHERE kind = ? AND removed_at IS NULL ORDER BY row", kind)
        docs = [json.loads(row["doc"]) for row in rows]
        return [doc for doc in docs if all(doc.get(name) == value for name, value in fields.items())]

    def history(self, kind: str, gone: int = 12) -> list[Thing]:
        """What is there, oldest first, and after it the last ``gone`` that were."""
        present = "SELECT * FROM thing WHERE kind = ? AND removed_at IS NULL ORDER BY row"
        removed = "SELECT * FROM thing WHERE kind = ? AND removed_at IS NOT NULL ORDER BY removed_at DESC LIMIT ?"
        rows = [*self._all(present, kind), *self._all(removed, kind, gone)]
        return [_thing(row) for row in rows]

    def counts(self) -> dict[str, Count]:
        """Before and after, per kind."""
        sql = (
            "SELECT kind, sum(removed_at IS NULL) AS now, sum(original IS NOT NULL) AS start,"
            " sum(removed_at IS NULL AND original IS NOT NULL AND original <> doc) AS changed,"
            " sum(removed_at IS NOT NULL AND original IS NULL) AS taken_back FROM thing GROUP BY kind"
        )
        return {kind: Count(*numbers) for kind, *numbers in map(tuple, self._all(sql))}

    def is_empty(self) -> bool:
        """True before the first seed."""
        return not self._all("SELECT 1 FROM thing LIMIT 1")

    def answered(self, system: str, key: str) -> sqlite3.Row | None:
        """What was answered under this idempotency key before; counts the repeat."""
        sql = "UPDATE applied SET repeats = repeats + 1 WHERE system = ? AND key = ? RETURNING asked, status, answer"
        rows = self._all(sql, system, key)
        return rows[0] if rows else None

    def keep(self, system: str, key: str, asked: str, status: int, answer: Doc) -> None:
        """Remember what was done under this key."""
        values = (system, key, asked, status, json.dumps(answer), time.time())
        self._all("INSERT INTO applied (system, key, asked, status, answer, at) VALUES (?, ?, ?, ?, ?, ?)", *values)

    def applied(self, limit: int = 20) -> list[sqlite3.Row]:
        """The last writes that came under a key."""
        return self._all("SELECT * FROM applied ORDER BY at DESC LIMIT ?", limit)

    def log(self, system: str, method: str, path: str, status: int, key: str, again: bool) -> None:
        """Write down a request."""
        values = (time.time(), system, method, path, status, key, again)
        with self._lock:
            self._all(
                "INSERT INTO request (at, system, method, path, status, key, again) VALUES (?, ?, ?, ?, ?, ?, ?)",
                *values,
            )
            self._all("DELETE FROM request WHERE id <= (SELECT max(id) FROM request) - 5000")

    def requests(self, limit: int = 20) -> list[sqlite3.Row]:
        """The last requests, newest first."""
        return self._all("SELECT * FROM request ORDER BY id DESC LIMIT ?", limit)

    def _all(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        with self._lock:
            return self._connection.execute(sql, values).fetchall()


def _thing(row: sqlite3.Row) -> Thing:
    doc, original = json.loads(row["doc"]), json.loads(row["original"] or "null")
    return Thing(row["kind"], row["id"], doc, original, row["made_at"], row["changed_at"], row["removed_at"])

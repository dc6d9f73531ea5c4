"""The change log of a model, and up to where each snapshot goes in it.

In the flow: `build` and `delta` write it in the transaction that publishes, followers read it through `model`.
It holds 7 days or 50 snapshots, whichever is less, and never more than a bounded number of changes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

import msgspec

from thv.stores.models.changes import Changed, ChangeType
from thv.stores.models.view import View

DAYS, SNAPSHOTS, CHANGES = 7, 50, 100_000
_DAY = 86_400.0


class Change(msgspec.Struct, frozen=True):
    """One thing that happened to one version."""

    seq: int
    type: str
    name: str
    version: str
    digest: str
    at: str


class Mark(msgspec.Struct, frozen=True):
    """Up to which change a content goes."""

    content: str
    seq: int


def write(connection: sqlite3.Connection, changes: Iterable[Changed], at: str) -> None:
    """Adds what happened, in the order given."""
    rows = (
        (seq, c.type.value, c.name, c.version, f"sha256:{c.digest.hex()}", at)
        for seq, c in enumerate(changes, _last(connection) + 1)
    )
    connection.executemany("INSERT INTO change VALUES(?,?,?,?,?,?)", rows)


def close_snapshot(connection: sqlite3.Connection, content: str, now: float) -> None:
    """Notes that everything so far leads to this content, and forgets what is too old."""
    last = _last(connection)
    connection.execute("INSERT INTO mark(content, seq, at) VALUES(?,?,?)", (content, last, now))
    (newest,) = connection.execute("SELECT max(place) FROM mark").fetchone()
    connection.execute(
        "DELETE FROM mark WHERE place <= ? OR seq < ? "
        "OR place < (SELECT max(place) FROM mark WHERE at < ?)",  # its days begin when it is replaced
        (newest - SNAPSHOTS, last - CHANGES, now - DAYS * _DAY),
    )
    connection.execute("DELETE FROM change WHERE seq <= (SELECT min(seq) FROM mark)")


def _last(connection: sqlite3.Connection) -> int:
    """The number of the last change ever, which may be forgotten already."""
    row = connection.execute(
        "SELECT max(coalesce((SELECT max(seq) FROM change), 0), coalesce((SELECT max(seq) FROM mark), 0))"
    ).fetchone()
    return int(row[0])


def copy(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """The log of one model as the beginning of another one's."""
    for table, columns in (("change", 6), ("mark", 4)):
        places = ",".join("?" * columns)
        rows = source.execute(f"SELECT * FROM {table}")  # a constant
        target.executemany(f"INSERT INTO {table} VALUES({places})", rows)  # a constant


def position_of(connection: sqlite3.Connection, content: str) -> int | None:
    """Up to which change this content goes, None when nobody remembers."""
    row = connection.execute("SELECT max(seq) FROM mark WHERE content=?", (content,)).fetchone()
    return None if row[0] is None else int(row[0])


def read(connection: sqlite3.Connection, after: int, limit: int) -> list[Change]:
    """The changes behind a place, oldest first."""
    rows = connection.execute(
        "SELECT seq, type, name, version, digest, at FROM change WHERE seq > ? ORDER BY seq LIMIT ?",
        (after, limit),
    )
    return [Change(*row) for row in rows]


def marks(connection: sqlite3.Connection) -> list[Mark]:
    """Every content that is remembered, the newest first."""
    rows = connection.execute("SELECT content, seq FROM mark ORDER BY place DESC")
    return [Mark(*row) for row in rows]


def beginning(view: View, after: int, limit: int) -> list[Change]:
    """What is served, told to somebody who never heard of it: all of it was added, by name and version."""
    seq = position_of(view.model.connection, view.generation.content) or 0
    rows = view.ask(
        "SELECT name, version, digest FROM version INDEXED BY version_by_name "
        "WHERE born <= ? AND died > ? AND gone = 0 ORDER BY name, version LIMIT ? OFFSET ?",
        (view.id, view.id, limit, after),
    )
    at, added = view.generation.created_at, ChangeType.ADDED.value
    return [
        Change(seq, added, name, version, f"sha256:{digest.hex()}", at)
        for name, version, digest in rows
    ]

"""A small change of a model, in one transaction, in proportion to what changed.

In the flow: `apply` tries this first. Rows of the old generation stay for those who read it; new ones lie
beside them until the transaction publishes, so a process that is killed here leaves the old generation.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

import msgspec

from thv.stores.models import log
from thv.stores.models.bodies import recounted
from thv.stores.models.changes import Changed, Seen, note
from thv.stores.models.feed import Pace
from thv.stores.models.folder import OFFICIAL, TOOLHIVE, flush
from thv.stores.models.lineage import Found, UnknownLineageError, find
from thv.stores.models.publish import living_digest, publish
from thv.stores.models.rows import FOREVER, Key, Line, opened
from thv.stores.models.tables import add_words
from thv.stores.models.tooling import count_again
from thv.stores.models.work import Work
from thv.stores.models.writer import Writer
from thv.stores.threads import in_thread


class _Living(msgspec.Struct, frozen=True):
    """A row that is alive."""

    id: int
    seen: Seen
    size: int


async def apply_delta(connection: sqlite3.Connection, path: Path, work: Work) -> int:
    """Brings the model to the snapshot and returns how many versions changed; raises UnknownLineageError."""
    pace = Pace()
    found = await find(connection, work.ref, work.fetch, pace)
    connection.execute("BEGIN IMMEDIATE")
    try:
        await _write(connection, path, work, found, pace)
        await _check(connection, work, pace)
        publish(connection, work, _next_generation(connection), found.ends)
        await in_thread(_commit, connection, path, uses=connection)
    except BaseException:
        if connection.in_transaction:  # else it was committed while we were cancelled
            connection.execute("ROLLBACK")
        raise
    return len(found.dirty)


async def _check(connection: sqlite3.Connection, work: Work, pace: Pace) -> None:
    if await living_digest(connection, pace) != work.ref.digest:
        raise UnknownLineageError("the rows do not have the digest of the snapshot")


def _commit(connection: sqlite3.Connection, path: Path) -> None:
    """Bodies reach the disk before the rows that point to them."""
    flush(path / OFFICIAL)
    flush(path / TOOLHIVE)
    connection.execute("COMMIT")


async def _write(
    connection: sqlite3.Connection, path: Path, work: Work, found: Found, pace: Pace
) -> None:
    generation = _next_generation(connection)
    writer = Writer(connection, path, generation, work.taxonomy)
    change = _Change(connection, path, generation, writer)
    try:
        for name, keys in groupby(sorted(found.dirty), lambda key: key[0]):
            change.write(name, [(key, found.dirty[key]) for key in keys])
            await pace.step()
    finally:
        change.close()
    add_words(connection, sorted(change.words))
    count_again(connection, generation, change.tools)
    log.write(connection, change.found, work.at.text)
    connection.execute("DELETE FROM overlay")
    connection.executemany("INSERT INTO overlay VALUES(?,?)", found.overlay)


def _next_generation(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT generation + 1 FROM state").fetchone()[0])


class _Change:
    """Writes the versions of one name after the other."""

    def __init__(
        self, connection: sqlite3.Connection, path: Path, generation: int, writer: Writer
    ) -> None:
        self._connection, self._generation, self._writer = connection, generation, writer
        self._bodies = os.open(path / TOOLHIVE, os.O_RDONLY | os.O_CLOEXEC)
        self._dead = 0
        self.found: list[Changed] = []
        self.words: list[tuple[int, str]] = []
        self.tools: set[str] = set()
        """Tools whose servers are others than before."""
        writer.born = self.words

    def write(self, name: str, changes: Iterable[tuple[Key, Line | None]]) -> None:
        """Lets old rows die and new ones be born; the latest one is written again when it counts others."""
        fresh = {key: opened(line) if line else None for key, line in changes}
        old = {key: self._living(key) for key in fresh}
        versions = self._served(name) - sum(
            row is not None and not row.seen.gone for row in old.values()
        )
        versions += sum(item is not None and not item.gone for item in fresh.values())
        for key, item in fresh.items():
            before = old[key]
            if before is not None:
                self._bury(before)
            row = self._writer.put(item, versions) if item else None
            if row is not None:
                self.tools.update(tool.name for tool in row.tools)
            after = Seen(row.digest, row.gone, row.traits.status) if row else None
            note(self.found, key, before.seen if before else None, after)
        self._writer.tables.flush()
        self._recount(name, versions)

    def close(self) -> None:
        os.close(self._bodies)
        self._writer.close()
        self._connection.execute("UPDATE state SET dead = dead + ?", (self._dead,))

    def _living(self, key: Key) -> _Living | None:
        row = self._connection.execute(
            "SELECT v.id, v.digest, v.gone, t.status, v.size FROM version v JOIN traits t ON t.id = v.traits "
            "WHERE v.name=? AND v.version=? AND v.died=?",
            (*key, FOREVER),
        ).fetchone()
        if row is None:
            return None
        item, digest, gone, status, size = row
        return _Living(item, Seen(digest, bool(gone), status), size)

    def _served(self, name: str) -> int:
        row = self._connection.execute(
            "SELECT count(*) FROM version WHERE name=? AND died=? AND gone=0", (name, FOREVER)
        ).fetchone()
        return int(row[0])

    def _bury(self, row: _Living) -> None:
        execute = self._connection.execute
        execute("UPDATE version SET died=? WHERE id=?", (self._generation, row.id))
        self._dead += row.size
        server = execute(
            "SELECT s.id, s.size FROM version v JOIN server s ON s.name = v.name AND s.item = v.id "
            "WHERE v.id=? AND s.died=?",
            (row.id, FOREVER),
        ).fetchone()
        if server is not None:
            execute("UPDATE server SET died=? WHERE id=?", (self._generation, server[0]))
            self._dead += server[1]
            tools = execute("SELECT name FROM tool WHERE item=?", (row.id,))
            self.tools.update(name for (name,) in tools)

    def _recount(self, name: str, versions: int) -> None:
        row = self._connection.execute(
            "SELECT s.id, s.place, s.size, w.words FROM server s JOIN wording w ON w.id = s.wording "
            "WHERE s.name=? AND s.died=? AND s.versions<>?",
            (name, FOREVER, versions),
        ).fetchone()
        if row is None:
            return
        server, place, size, words = row
        body = recounted(os.pread(self._bodies, size, place), versions)
        self.words.append((self._writer.put_again(server, body, versions), words))
        self._dead += size

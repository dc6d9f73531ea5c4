"""A model made from nothing: every record of a snapshot, into new files.

In the flow: the first snapshot of a registry, and whatever cannot be told as a small change. Nobody reads the
files before they are whole, so there is no journal; indexes come after the rows, and the full text index last,
in the order of its row ids.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from thv.domain.errors import Code, ThvError
from thv.domain.snapshot import SnapshotDigest, SnapshotRef
from thv.stores.models import folder, log
from thv.stores.models.changes import Comparison, Seen
from thv.stores.models.feed import Pace, names
from thv.stores.models.publish import publish
from thv.stores.models.rows import FOREVER, Key, Row
from thv.stores.models.tables import INDEXES, TABLES, add_words
from thv.stores.models.tooling import count_all
from thv.stores.models.work import Work
from thv.stores.models.writer import Writer
from thv.stores.threads import in_thread

_WORDS_BATCH = 50


async def build(path: Path, work: Work, previous: sqlite3.Connection | None) -> None:
    """Fills an empty folder; raises SNAPSHOT_DAMAGED when the records are not what the pointer says.

    `previous` is the model that will be replaced: the change log goes on from it.
    """
    connection = folder.connect(path, write=True)
    try:
        _prepare(connection)
        generation = 1 if previous is None else _generation(previous) + 1
        # A log with more changes than it holds is forgotten as a whole, so that no more are gathered.
        comparison = Comparison(_living(previous), log.CHANGES) if previous else None
        writer = Writer(connection, path, generation, work.taxonomy)
        ends = await _rows(writer, work, comparison)
        await in_thread(_index, connection, generation, uses=connection)
        await _words(connection)
        await in_thread(_settle, connection, uses=connection)
        if previous and comparison:
            log.copy(previous, connection)
            log.write(connection, comparison.found, work.at.text)
        publish(connection, work, generation, ends)
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode=WAL")
    finally:
        connection.close()


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode=OFF")
    connection.execute("PRAGMA synchronous=OFF")
    connection.executescript(TABLES)
    connection.execute("BEGIN")


async def _rows(writer: Writer, work: Work, comparison: Comparison | None) -> list[Key]:
    """Writes every record; returns the last key of each base chunk."""
    digest, pace, ends = SnapshotDigest(), Pace(), list[Key]()
    try:
        async for group in names(work.ref, work.fetch, ends):
            versions = sum(not item.gone for item in group)
            for item in group:
                row = writer.put(item, versions)
                digest.add(row.name, row.version, item.record.digest)
                if comparison is not None:
                    comparison.step((row.name, row.version), seen(row))
            await pace.step(len(group))
    except BaseException:
        writer.abandon()
        raise
    await in_thread(writer.close)
    if comparison is not None:
        comparison.finish()
    if digest.value() != work.ref.digest:
        raise damaged(work.ref, digest.value())
    return ends


def seen(row: Row) -> Seen:
    """What the change log compares of a row."""
    return Seen(row.digest, row.gone, row.traits.status)


def damaged(ref: SnapshotRef, found: str) -> ThvError:
    """The chunks do not hold what the pointer promises."""
    return ThvError(
        Code.SNAPSHOT_DAMAGED,
        f"the records of the snapshot have the digest {found}, its pointer says {ref.digest}",
        hint="Sync it with --force; until then the content that was loaded last is served.",
        details={"expected": ref.digest, "found": found},
    )


def _index(connection: sqlite3.Connection, generation: int) -> None:
    """SQLite lets go of the interpreter while it sorts, so this runs in a thread beside the server."""
    for statement in INDEXES:
        connection.execute(statement)
    count_all(connection, generation)


async def _words(connection: sqlite3.Connection) -> None:
    """Fills the full text index in the order of its row ids, which is much cheaper than any other."""
    rows = connection.execute(
        "SELECT s.id, w.words FROM server s CROSS JOIN wording w ON w.id = s.wording ORDER BY s.id"
    )
    while batch := rows.fetchmany(_WORDS_BATCH):
        await in_thread(add_words, connection, batch, uses=connection)


def _settle(connection: sqlite3.Connection) -> None:
    """One segment of the full text index instead of many: a search then looks in one place."""
    connection.execute("INSERT INTO words(words) VALUES('optimize')")


def _generation(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT generation FROM state").fetchone()[0])


def _living(connection: sqlite3.Connection) -> Iterator[tuple[Key, Seen]]:
    rows = connection.execute(
        "SELECT v.name, v.version, v.digest, v.gone, t.status FROM version v INDEXED BY version_by_name "
        "CROSS JOIN traits t ON t.id = v.traits WHERE v.died = ? ORDER BY v.name, v.version",
        (FOREVER,),
    )
    for name, version, digest, gone, status in rows:
        yield (name, version), Seen(digest, bool(gone), status)

"""The last step of an apply: one generation is checked and becomes the one that is served.

In the flow: after the rows of `build` or `delta` are written, in their transaction.
"""

from __future__ import annotations

import hashlib
import sqlite3

from thv.domain.snapshot import SnapshotDigest, SnapshotRef
from thv.stores.models import log
from thv.stores.models.feed import Pace
from thv.stores.models.rows import FOREVER, Key
from thv.stores.models.work import Work

_BATCH = 500


def content_tag(ref: SnapshotRef) -> str:
    """Tells snapshots apart by every byte, also where only counts of stars differ."""
    digest = hashlib.sha256(ref.digest.encode())
    for chunk in ref.chunks:
        digest.update(f"{chunk.digest} {chunk.delta:d}\n".encode())
    return digest.hexdigest()[:16]


async def living_digest(connection: sqlite3.Connection, pace: Pace) -> str:
    """The digest of what will be served, from the rows themselves."""
    digest = SnapshotDigest()
    rows = connection.execute(
        "SELECT name, version, digest FROM version INDEXED BY version_by_name WHERE died=? "
        "ORDER BY name, version",
        (FOREVER,),
    )
    while batch := rows.fetchmany(_BATCH):
        for name, version, sha256 in batch:
            digest.add(name, version, f"sha256:{sha256.hex()}")
        await pace.step(_BATCH // 5)
    return digest.value()


def publish(connection: sqlite3.Connection, work: Work, generation: int, ends: list[Key]) -> None:
    """Makes a generation the current one; `ends` are the last keys of the base chunks."""
    servers, versions = connection.execute(
        "SELECT (SELECT count(*) FROM server WHERE died=?1), "
        "(SELECT count(*) FROM version WHERE died=?1 AND NOT gone)",
        (FOREVER,),
    ).fetchone()
    ref, now = work.ref, work.at.seconds
    content = content_tag(ref)
    _note_lineage(connection, ref, ends)
    connection.execute("UPDATE generation SET replaced=? WHERE replaced IS NULL", (now,))
    connection.execute(
        "INSERT INTO generation VALUES(?,?,?,?,?,?,?,NULL)",
        (generation, content, ref.digest, ref.created_at, servers, versions, ref.bytes),
    )
    connection.execute("UPDATE state SET generation=?, edition=?", (generation, work.edition))
    log.close_snapshot(connection, content, now)


def _note_lineage(connection: sqlite3.Connection, ref: SnapshotRef, ends: list[Key]) -> None:
    """Remembers which base chunks are applied, and the last key of each."""
    base = (chunk for chunk in ref.chunks if not chunk.delta)
    connection.execute("DELETE FROM chunk")
    connection.executemany(
        "INSERT INTO chunk(digest, name, version) VALUES(?,?,?)",
        ((chunk.digest, *end) for chunk, end in zip(base, ends, strict=True)),
    )

"""Brings the model of a registry to a snapshot.

In the flow: after the pointer in a registry's status changed. A model that is near is changed in place; one
that is missing, damaged, of another edition or too far away is built anew beside it and swapped in whole.
"""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from pathlib import Path
from typing import Literal

import msgspec

from thv.domain.snapshot import SnapshotRef
from thv.domain.taxonomy import Taxonomy
from thv.stores.models.build import build
from thv.stores.models.delta import apply_delta
from thv.stores.models.folder import OFFICIAL, TOOLHIVE, Folder, connect
from thv.stores.models.lineage import UnknownLineageError
from thv.stores.models.prune import prune
from thv.stores.models.publish import content_tag
from thv.stores.models.tables import EDITION
from thv.stores.models.work import Fetch, Moment, Work
from thv.stores.threads import in_thread

_LEAST_WASTE = 16 << 20


class Outcome(msgspec.Struct, frozen=True):
    """What an apply did."""

    how: Literal["nothing", "delta", "full"]
    changed: int = 0
    """Versions that were written."""


async def apply(
    path: Path, ref: SnapshotRef, fetch: Fetch, *, taxonomy: Taxonomy, at: Moment
) -> Outcome:
    """Makes the model in this folder serve the snapshot; until it does, the old generation is served.

    Raises LOCKED when another process writes, SNAPSHOT_DAMAGED when the chunks are not what the pointer says.
    """
    work = Work(ref=ref, fetch=fetch, taxonomy=taxonomy, edition=edition_of(taxonomy), at=at)
    folder = Folder(path)
    with folder.writing():
        await in_thread(folder.clean)
        current = folder.current()
        outcome = await _in_place(current, work) if current else None
        if outcome is None:
            await _anew(folder, current, work)
            outcome = Outcome("full", ref.entries)
        return outcome


def edition_of(taxonomy: Taxonomy) -> str:
    """What besides the snapshot decides the rows of a model."""
    categories = msgspec.json.encode(taxonomy.categories)
    return f"{EDITION}-{hashlib.sha256(categories).hexdigest()[:12]}"


async def _in_place(build_path: Path, work: Work) -> Outcome | None:
    """None: it cannot be done."""
    try:
        connection = connect(build_path, write=True)
    except sqlite3.Error:
        return None
    try:
        if not _is_sound(connection, build_path, work.edition):
            return None
        if _content(connection) == content_tag(work.ref):
            return Outcome("nothing")
        prune(connection, work.at.seconds)
        return Outcome("delta", await apply_delta(connection, build_path, work))
    except (UnknownLineageError, sqlite3.Error):
        return None
    finally:
        connection.close()


async def _anew(folder: Folder, current: Path | None, work: Work) -> None:
    previous = _readable(current)
    try:
        await _build(folder, work, previous)
    except sqlite3.DatabaseError:
        if previous is None:
            raise
        # What is replaced may be damaged where nobody looked yet; the change log then begins anew.
        await _build(folder, work, None)
    finally:
        if previous is not None:
            previous.close()


async def _build(folder: Folder, work: Work, previous: sqlite3.Connection | None) -> None:
    fresh = folder.begin()
    try:
        await build(fresh, work, previous)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    await in_thread(folder.swap, fresh)
    await in_thread(folder.clean)


def _is_sound(connection: sqlite3.Connection, build_path: Path, edition: str) -> bool:
    made, official, toolhive, dead = connection.execute(
        "SELECT edition, official, toolhive, dead FROM state"
    ).fetchone()
    is_whole = _size(build_path / OFFICIAL) >= official and _size(build_path / TOOLHIVE) >= toolhive
    is_wasteful = dead > _LEAST_WASTE and dead > (official + toolhive) // 2
    return made == edition and is_whole and not is_wasteful


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else -1


def _content(connection: sqlite3.Connection) -> str:
    row = connection.execute(
        "SELECT content FROM generation WHERE id = (SELECT generation FROM state)"
    ).fetchone()
    return str(row[0]) if row else ""


def _readable(current: Path | None) -> sqlite3.Connection | None:
    """The model that will be replaced, as far as its change log can be gone on with."""
    if current is None:
        return None
    try:
        connection = connect(current)
    except sqlite3.Error:
        return None
    if _edition(connection) != EDITION:
        connection.close()
        return None
    return connection


def _edition(connection: sqlite3.Connection) -> str:
    """The edition of the tables, `""` when they cannot be read."""
    try:
        (edition,) = connection.execute("SELECT edition FROM state").fetchone()
    except (sqlite3.Error, TypeError):
        return ""
    return str(edition).partition("-")[0]

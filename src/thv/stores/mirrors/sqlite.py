"""Mirrors and selections in SQLite files, or in memory.

In the flow: beneath `sync`. Writes are in proportion to what changed: a row that is staged as it was is not
written, and every change carries a sequence number by which the registries find it.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
import secrets
import sqlite3
from array import array
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import msgspec

from thv.domain.entry import Entry
from thv.domain.snapshot import Key
from thv.formats.documents import combined
from thv.stores.database import (
    open_derived,
    remove_database,
    settle,
    transaction,
    translated,
)
from thv.stores.mirrors.base import (
    Basis,
    Excluded,
    MirrorRow,
    MirrorState,
    Problem,
    Selected,
    Totals,
)
from thv.stores.mirrors.shelf import Shelf

_PROBLEM_LIMIT = 200

_MIRROR_STEPS = (
    """
    CREATE TABLE entry(
        id INTEGER PRIMARY KEY, name TEXT NOT NULL, version TEXT NOT NULL, digest TEXT NOT NULL,
        content BLOB NOT NULL, published_at TEXT NOT NULL, updated_at TEXT NOT NULL,
        marked INTEGER NOT NULL, deleted INTEGER NOT NULL, changed INTEGER NOT NULL);
    CREATE UNIQUE INDEX entry_key ON entry(name, version);
    CREATE INDEX entry_changed ON entry(changed, name);
    CREATE TABLE state(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
    CREATE TABLE problem(place TEXT, name TEXT, reason TEXT)
    """,
    # What an unfinished run of pages has seen so far, a row a batch: hashes of keys, and what it counted.
    """
    CREATE TABLE staged(
        batch INTEGER PRIMARY KEY, keys BLOB NOT NULL, read INTEGER NOT NULL, problems BLOB NOT NULL)
    """,
)

_STAGE = """
    INSERT INTO entry(name, version, digest, content, published_at, updated_at, marked, deleted, changed)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT(name, version) DO UPDATE SET
        changed = CASE WHEN digest != excluded.digest OR marked != excluded.marked OR deleted != excluded.deleted
                  THEN excluded.changed ELSE changed END,
        digest = excluded.digest, content = excluded.content, published_at = excluded.published_at,
        updated_at = excluded.updated_at, marked = excluded.marked, deleted = excluded.deleted
    WHERE content != excluded.content OR published_at != excluded.published_at
        OR updated_at != excluded.updated_at OR marked != excluded.marked OR deleted != excluded.deleted
"""
_ROW = "name, version, digest, content, published_at, updated_at, marked, deleted"

_encode = msgspec.json.encode


class SqliteMirror:
    """One mirror; `path` None keeps it in memory."""

    def __init__(
        self, path: Path | None, key: str = "", looks: dict[str, str] | None = None
    ) -> None:
        """`looks` holds when mirrors were last looked at, newer than their files; it outlives this object."""
        self._path = path
        self._key = key
        self._looks = {} if looks is None else looks
        self._db = open_derived(path, _MIRROR_STEPS)
        with translated(path):
            self._db.execute(
                "INSERT OR IGNORE INTO state VALUES ('incarnation', ?)", (secrets.token_hex(8),)
            )

    def state(self) -> MirrorState:
        """What is known about the mirror."""
        with translated(self._path):
            values = dict(self._db.execute("SELECT key, value FROM state"))
            problems = self._db.execute("SELECT place, name, reason FROM problem").fetchall()
        return MirrorState(
            incarnation=values["incarnation"],
            sequence=values.get("sequence", 0),
            known=values.get("known", b""),
            looked_at=max(values.get("looked_at", ""), self._looks.get(self._key, "")),
            whole=bool(values.get("whole", 0)),
            format=values.get("format", ""),
            read=values.get("read", 0),
            rejected=values.get("rejected", 0),
            problems=tuple(Problem(*row) for row in problems),
        )

    @contextmanager
    def run(
        self, *, complete: bool, document: bool, resumed: bool = False
    ) -> Iterator[SqliteMirrorRun]:
        """A run of staging."""
        run = SqliteMirrorRun(self._db, self._path, complete=complete, document=document)
        if complete and resumed:
            run.go_on()
        yield run

    def looked(self, known: bytes, at: str) -> None:
        """The source answered and nothing changed; written only when it gave new validators."""
        self._looks[self._key] = at
        if known != self.state().known:
            with transaction(self._db, self._path):
                _put_state(self._db, {"known": known, "looked_at": at})

    def changed_names(self, since: int) -> Iterator[str]:
        """Names of which anything changed after that sequence, in byte order."""
        query = "SELECT DISTINCT name FROM entry INDEXED BY entry_changed WHERE changed > ? ORDER BY name"
        with translated(self._path):
            for (name,) in self._db.execute(query, (since,)):
                yield name

    def rows_of(self, name: str) -> list[MirrorRow]:
        """Every version of a name."""
        with translated(self._path):
            rows = self._db.execute(
                f"SELECT {_ROW} FROM entry WHERE name = ? ORDER BY version", (name,)
            )
            return [_row(row) for row in rows]

    def names(self) -> Iterator[list[MirrorRow]]:
        """Every version of every name, in byte order of the names."""
        rows: list[MirrorRow] = []
        with translated(self._path):
            for raw in self._db.execute(
                f"SELECT {_ROW} FROM entry INDEXED BY entry_key ORDER BY name, version"
            ):
                row = _row(raw)
                if rows and rows[0].name != row.name:
                    yield rows
                    rows = []
                rows.append(row)
        if rows:
            yield rows

    async def settle(self) -> None:
        """Lets others have their turn, and the disk."""
        await settle(self._path)

    def close(self) -> None:
        """Lets go of the file."""
        self._db.close()


class SqliteMirrorRun:
    """Staging of what one fetch brings; every batch is one transaction."""

    def __init__(
        self, db: sqlite3.Connection, path: Path | None, *, complete: bool, document: bool
    ) -> None:
        self._db = db
        self._path = path
        self._document = document
        self._complete = complete
        self._seen = SeenKeys() if complete else None
        self._sequence = _state(db, "sequence", 0) + 1
        self._rejected = 0
        self._problems: list[Problem] = []
        self.batches = 0
        self.read = 0

    def go_on(self) -> None:
        """Takes over what the run that stopped had seen; without that nothing counts as gone."""
        with translated(self._path):
            rows = self._db.execute(
                "SELECT keys, read, problems FROM staged ORDER BY batch"
            ).fetchall()
        if not rows:
            self._complete, self._seen = False, None
            return
        assert self._seen is not None  # noqa: S101 # a complete run has one
        for keys, read, problems in rows:
            for value in array("Q", keys):
                self._seen.add(value)
            self.read += read
            self._note(msgspec.json.decode(problems, type=list[Problem]))
        self.batches = len(rows)

    def stage(self, entries: Iterable[Entry], problems: Iterable[Problem], known: bytes) -> None:
        """One batch."""
        rows, hashes, read, noted = self._taken(entries, problems)
        with transaction(self._db, self._path):
            self._db.executemany(_STAGE, rows)
            if self._complete and not self._document:
                self._remember(hashes, read, noted)
            _put_state(self._db, {"known": known, "sequence": self._sequence, "whole": 0})
        self.batches += 1

    def finish(
        self,
        known: bytes,
        at: str,
        *,
        format_: str,
        entries: Iterable[Entry] = (),
        problems: Iterable[Problem] = (),
    ) -> None:
        """The run came to its end."""
        rows, *_ = self._taken(entries, problems)
        with transaction(self._db, self._path):
            self._db.executemany(_STAGE, rows)
            if self._seen is not None:
                self._sweep(self._seen)
            state: dict[str, Any] = {
                "known": known,
                "looked_at": at,
                "sequence": self._sequence,
                "format": format_,
                "whole": 1,
            }
            if self._complete:
                state |= {"read": self.read, "rejected": self._rejected}
                self._db.execute("DELETE FROM staged")
                self._db.execute("DELETE FROM problem")
                self._db.executemany(
                    "INSERT INTO problem VALUES (?, ?, ?)",
                    [(p.place, p.name, p.reason) for p in self._problems],
                )
            _put_state(self._db, state)

    def _taken(
        self, entries: Iterable[Entry], problems: Iterable[Problem]
    ) -> tuple[list[tuple[Any, ...]], array[int], int, list[Problem]]:
        """A batch as rows, the hashes of its keys, how many items it held, and its problems."""
        before = self.read
        hashes = array("Q")
        batch, noted = self._batch(entries, hashes), list(problems)
        self.read += len(noted)
        self._note(noted)
        return self._rows(batch), hashes, self.read - before, noted

    def _remember(self, hashes: array[int], read: int, problems: list[Problem]) -> None:
        """What whoever resumes this run needs to know of a batch."""
        if not self.batches:
            self._db.execute("DELETE FROM staged")
        self._db.execute(
            "INSERT INTO staged VALUES (?, ?, ?, ?)",
            (self.batches, hashes.tobytes(), read, _encode(problems[:_PROBLEM_LIMIT])),
        )

    def _batch(self, entries: Iterable[Entry], hashes: array[int]) -> dict[Key, Entry]:
        batch: dict[Key, Entry] = {}
        for entry in entries:
            self.read += 1
            key = (entry.name, entry.version)
            again = False
            if self._seen is not None:
                hashes.append(_hash(key))
                again = not self._seen.add(hashes[-1])
            batch[key] = self._joined(key, entry, batch) if again and self._document else entry
        return batch

    def _rows(self, batch: dict[Key, Entry]) -> list[tuple[Any, ...]]:
        return [
            (
                name,
                version,
                entry.digest,
                _encode(entry.content),
                entry.published_at,
                entry.updated_at,
                entry.marked_latest,
                entry.deleted,
                self._sequence,
            )
            for (name, version), entry in batch.items()
        ]

    def _joined(self, key: Key, entry: Entry, batch: dict[Key, Entry]) -> Entry:
        first = batch.get(key)
        if first is None:
            found = self._db.execute(
                f"SELECT {_ROW} FROM entry WHERE name = ? AND version = ?", key
            ).fetchone()
            first = _row(found).load() if found else entry
        return combined(first, entry)

    def _note(self, problems: Iterable[Problem]) -> None:
        for problem in problems:
            self._rejected += 1
            if len(self._problems) < _PROBLEM_LIMIT:
                self._problems.append(problem)

    def _sweep(self, seen: SeenKeys) -> None:
        """What the source has no more counts as deleted there."""
        gone = [
            (self._sequence, identity)
            for identity, name, version in self._db.execute(
                # What this run changed, it has seen.
                "SELECT id, name, version FROM entry WHERE NOT deleted AND changed != ?",
                (self._sequence,),
            )
            if (name, version) not in seen
        ]
        self._db.executemany("UPDATE entry SET deleted = 1, changed = ? WHERE id = ?", gone)


class SeenKeys:
    """A set of keys at 16 bytes a key: open addressing over 64-bit hashes.

    Two keys of one hash are told apart by nobody; at 230,000 keys that is one run in 10^9, and then a deletion
    is noticed one run later.
    """

    def __init__(self) -> None:
        self._slots = array("Q", bytes(8 * 1024))
        self._mask = 1023
        self._count = 0

    def add(self, value: int) -> bool:
        """Takes the hash of a key; False when it was there."""
        slot = self._slot(value)
        if self._slots[slot]:
            return False
        self._slots[slot] = value
        self._count += 1
        if self._count * 3 > self._mask * 2:
            self._grow()
        return True

    def __contains__(self, key: Key) -> bool:
        return bool(self._slots[self._slot(_hash(key))])

    def _slot(self, value: int) -> int:
        slots, mask = self._slots, self._mask
        place = value & mask
        while slots[place] and slots[place] != value:
            place = (place + 1) & mask
        return place

    def _grow(self) -> None:
        old = self._slots
        self._mask = 2 * self._mask + 1
        self._slots = array("Q", bytes(8 * (self._mask + 1)))
        for value in old:
            if value:
                self._slots[self._slot(value)] = value


def _hash(key: Key) -> int:
    digest = hashlib.blake2b(
        f"{key[0]}\0{key[1]}".encode("utf-8", "surrogatepass"), digest_size=8
    ).digest()
    return int.from_bytes(digest, "little") or 1


# Selections ------------------------------------------------------------------------------------------------

_SELECTION_STEPS = (
    """
    CREATE TABLE item(
        name TEXT NOT NULL, version TEXT NOT NULL, digest TEXT NOT NULL, latest INTEGER NOT NULL,
        published_at TEXT NOT NULL, updated_at TEXT NOT NULL, removed_at TEXT NOT NULL, in_base INTEGER NOT NULL,
        dropped INTEGER NOT NULL, kind TEXT NOT NULL, tier TEXT NOT NULL, transport TEXT NOT NULL,
        category TEXT NOT NULL, deprecated INTEGER NOT NULL, tools INTEGER NOT NULL,
        PRIMARY KEY(name, version)) WITHOUT ROWID;
    CREATE INDEX item_removed ON item(removed_at, name) WHERE removed_at != '';
    CREATE TABLE excluded(name TEXT PRIMARY KEY, filtered INTEGER NOT NULL, blocked INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE state(key TEXT PRIMARY KEY, value) WITHOUT ROWID
    """,
    # Without its basis a selection is made anew, and with it the rules of all that it keeps out.
    """
    ALTER TABLE excluded ADD COLUMN rules TEXT NOT NULL DEFAULT '';
    DELETE FROM state
    """,
)
_ITEM = tuple(Selected.__struct_fields__)
_PUT = f"INSERT OR REPLACE INTO item({', '.join(_ITEM)}) VALUES ({', '.join('?' * len(_ITEM))})"
_STRETCH = 5000
_GROUPED = ("kind", "tier", "transport", "category")


class SqliteSelection:
    """One selection; `path` None keeps it in memory."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._db = open_derived(path, _SELECTION_STEPS)

    def basis(self) -> Basis:
        """What it was made from."""
        with translated(self._path):
            raw = _state(self._db, "basis", None)
        return msgspec.json.decode(raw, type=Basis) if raw else Basis()

    def of_name(self, name: str) -> list[Selected]:
        """What is selected of a name."""
        with translated(self._path):
            rows = self._db.execute(
                f"SELECT {', '.join(_ITEM)} FROM item WHERE name = ? ORDER BY version", (name,)
            )
            return [_selected(row) for row in rows]

    def names(self) -> Iterator[str]:
        """Every name of which something is selected or excluded, in byte order."""
        queries = (
            "SELECT DISTINCT name FROM item ORDER BY name",
            "SELECT name FROM excluded ORDER BY name",
        )
        with translated(self._path):
            rows = heapq.merge(*(self._db.execute(query) for query in queries))
            for (name,), _ in itertools.groupby(rows):
                yield name

    def removed_before(self, time: str) -> list[str]:
        """Names with a tombstone older than that."""
        query = "SELECT DISTINCT name FROM item WHERE removed_at != '' AND removed_at < ?"
        with translated(self._path):
            return [name for (name,) in self._db.execute(query, (time,))]

    def digests(self) -> Iterator[tuple[str, str, str]]:
        """Name, version and digest of every record, in key order."""
        query = "SELECT name, version, digest FROM item WHERE NOT dropped ORDER BY name, version"
        with translated(self._path):
            yield from self._db.execute(query)

    def excluded(self, first: int) -> list[Excluded]:
        """The first names of which something is kept out, in byte order."""
        query = "SELECT name, filtered, blocked, rules FROM excluded ORDER BY name LIMIT ?"
        with translated(self._path):
            return [
                Excluded(name, filtered, blocked, tuple(rules.split()))
                for name, filtered, blocked, rules in self._db.execute(query, (first,))
            ]

    def totals(self, first: int) -> Totals:
        """Figures, and the first latest versions by name."""
        with translated(self._path):
            names, versions, tombstones = self._db.execute(
                "SELECT ifnull(sum(latest), 0), ifnull(sum(removed_at = ''), 0), ifnull(sum(removed_at != ''), 0)"
                " FROM item WHERE NOT dropped"
            ).fetchone()
            filtered, blocked = self._db.execute(
                "SELECT ifnull(sum(filtered), 0), ifnull(sum(blocked), 0) FROM excluded"
            ).fetchone()
            grouped = self._db.execute(
                f"SELECT {', '.join(_GROUPED)}, count(*), sum(deprecated), sum(tools) FROM item"
                " WHERE latest GROUP BY 1, 2, 3, 4"
            ).fetchall()
            rows = self._db.execute(
                f"SELECT {', '.join(_ITEM)} FROM item WHERE latest ORDER BY name LIMIT ?", (first,)
            ).fetchall()
        return Totals(
            names=names,
            versions=versions,
            tombstones=tombstones,
            filtered=filtered,
            blocked=blocked,
            groups=_summed(grouped),
            first=tuple(_selected(row) for row in rows),
        )

    @contextmanager
    def edit(self) -> Iterator[SqliteSelectionEdit]:
        """Changes that become visible together."""
        with translated(self._path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield SqliteSelectionEdit(self._db)
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")

    async def settle(self) -> None:
        """Lets others have their turn, and the disk."""
        await settle(self._path)

    def close(self) -> None:
        """Lets go of the file."""
        self._db.close()


class SqliteSelectionEdit:
    """Changes of a selection within one transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def clear(self) -> None:
        """Begins with nothing."""
        for table in ("item", "excluded", "state"):
            self._db.execute(f"DELETE FROM {table}")

    def put(
        self, rows: Iterable[Selected], excluded: Iterable[Excluded] = (), names: Iterable[str] = ()
    ) -> None:
        """Rows in place of those of the same key, exclusions in place of those of the names."""
        self._db.executemany(_PUT, map(msgspec.structs.astuple, rows))
        self._db.executemany("DELETE FROM excluded WHERE name = ?", [(name,) for name in names])
        self._db.executemany(
            "INSERT OR REPLACE INTO excluded VALUES (?, ?, ?, ?)",
            [(e.name, e.filtered, e.blocked, " ".join(e.rules)) for e in excluded],
        )

    def forget(self, keys: Iterable[Key]) -> None:
        """Rows that are gone for good."""
        self._db.executemany("DELETE FROM item WHERE name = ? AND version = ?", list(keys))

    def all_in_base(self) -> None:
        """The base chunks hold every row, and no dropped one."""
        for first, last in self._stretches():
            within = "(name, version) > (?, ?) AND (name, version) <= (?, ?)"
            keys = (*first, *last)
            self._db.execute(f"DELETE FROM item WHERE dropped AND {within}", keys)
            self._db.execute(f"UPDATE item SET in_base = 1 WHERE NOT in_base AND {within}", keys)

    def _stretches(self) -> Iterator[tuple[Key, Key]]:
        """All keys, some thousands at a time: SQLite remembers every key that a statement changes."""
        first: Key = ("", "")
        query = (
            "SELECT name, version FROM item WHERE (name, version) > (?, ?) ORDER BY name, version"
        )
        while last := self._db.execute(f"{query} LIMIT 1 OFFSET {_STRETCH}", first).fetchone():
            yield first, last
            first = last
        yield first, ("\U0010ffff", "")

    def keep(self, basis: Basis) -> None:
        """Makes the changes durable."""
        _put_state(self._db, {"basis": _encode(basis)})
        self._db.execute("COMMIT")


# Both in one folder ----------------------------------------------------------------------------------------


MOST_IDLE = 8
"""Files of each sort that stay open without being in use."""


class SqliteMirrors:
    """The mirrors below one folder; None keeps them in memory."""

    def __init__(self, root: Path | None) -> None:
        self._root = root
        self._looks: dict[str, str] = {}
        self._shelf = Shelf(self._made, MOST_IDLE if root else None)

    def open(self, key: str) -> SqliteMirror:
        """The mirror of that key, until all are closed."""
        return self._shelf.open(key)

    def using(self, key: str) -> AbstractContextManager[SqliteMirror]:
        """The mirror of that key, made when missing."""
        return self._shelf.using(key)

    def prune(self, keep: set[str]) -> None:
        """Removes the mirrors that nobody uses any more; one that is being read is left for the next time."""
        kept = keep | self._shelf.in_use()
        for key in self._shelf.keys() - kept:
            self._shelf.drop(key)
        for path in self._root.glob("*.db") if self._root else ():
            if path.stem not in kept:
                remove_database(path)
        for key in self._looks.keys() - kept:
            del self._looks[key]

    def close(self) -> None:
        """Lets go of all files."""
        self._shelf.close()

    def _made(self, key: str) -> SqliteMirror:
        return SqliteMirror(self._root / f"{key}.db" if self._root else None, key, self._looks)


class SqliteSelections:
    """The selections below one folder; None keeps them in memory."""

    def __init__(self, root: Path | None) -> None:
        self._root = root
        self._shelf = Shelf(self._made, MOST_IDLE if root else None)

    def open(self, uid: str) -> SqliteSelection:
        """The selection of that registry, until all are closed."""
        return self._shelf.open(uid)

    def using(self, uid: str) -> AbstractContextManager[SqliteSelection]:
        """The selection of that registry, made when missing."""
        return self._shelf.using(uid)

    def forget(self, uid: str) -> None:
        """Removes the selection of a registry that is gone."""
        self._shelf.drop(uid)
        if self._root:
            remove_database(self._root / f"{uid}.db")

    def uids(self) -> set[str]:
        """The registries that have a selection here."""
        return self._shelf.keys() | {
            path.stem for path in (self._root.glob("*.db") if self._root else ())
        }

    def close(self) -> None:
        """Lets go of all files."""
        self._shelf.close()

    def _made(self, uid: str) -> SqliteSelection:
        return SqliteSelection(self._root / f"{uid}.db" if self._root else None)


def _put_state(db: sqlite3.Connection, values: dict[str, Any]) -> None:
    db.executemany("INSERT OR REPLACE INTO state VALUES (?, ?)", list(values.items()))


def _state(db: sqlite3.Connection, key: str, default: Any) -> Any:
    found = db.execute("SELECT value FROM state WHERE key = ?", (key,)).fetchone()
    return found[0] if found else default


def _row(raw: tuple[Any, ...]) -> MirrorRow:
    name, version, digest, content, published_at, updated_at, marked, deleted = raw
    return MirrorRow(
        name, version, digest, content, published_at, updated_at, bool(marked), bool(deleted)
    )


def _selected(raw: tuple[Any, ...]) -> Selected:
    return msgspec.convert(dict(zip(_ITEM, raw, strict=True)), Selected, strict=False)


def _summed(rows: list[tuple[Any, ...]]) -> dict[str, Any]:
    groups: dict[str, Any] = {field: {} for field in _GROUPED} | {"deprecated": 0, "tools": 0}
    for *values, count, deprecated, tools in rows:
        for field, value in zip(_GROUPED, values, strict=True):
            groups[field][value] = groups[field].get(value, 0) + count
        groups["deprecated"] += deprecated
        groups["tools"] += tools
    return groups

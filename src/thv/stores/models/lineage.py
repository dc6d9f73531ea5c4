"""What of a snapshot is not yet in a model, found without reading what is.

In the flow: before `delta` writes. A model remembers which base chunks are applied and which keys a delta stood
for; a chunk that is applied is read again only when a key that a delta stood for falls back to it.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator

import msgspec

from thv.domain.snapshot import ChunkRef, SnapshotRef, merge
from thv.stores.models.feed import Pace, delta_of, last_key
from thv.stores.models.rows import FOREVER, Key, Line, lines_of
from thv.stores.models.work import Fetch

_SHARE, _FEW, _MANY = 5, 1_000, 20_000
_FIRST: Key = ("", "")


class UnknownLineageError(Exception):
    """The snapshot cannot be reached from the model in small steps; build it anew."""


class AppliedChunk(msgspec.Struct, frozen=True):
    """A base chunk that is in the model."""

    digest: str
    end: Key


class Stretch(msgspec.Struct, frozen=True):
    """Neighbouring chunks of the model that give way to others."""

    after: Key
    """The stretch begins behind this key."""
    until: Key
    """The last key that the chunks given up hold."""
    chunks: tuple[ChunkRef, ...]


class Found(msgspec.Struct, frozen=True):
    """What must be written."""

    dirty: dict[Key, Line | None]
    """Every key that is new, other, or gone (None)."""
    ends: list[Key]
    """The last key of each base chunk."""
    overlay: list[Key]
    """The keys that the delta stands for."""


def stretches(applied: Iterable[AppliedChunk], base: Iterable[ChunkRef]) -> list[Stretch]:
    """Where the base differs. Chunks hold disjoint ranges in key order, so equal ones keep their order."""
    found: list[Stretch] = []
    queue, old = list(applied), list[AppliedChunk]()
    new, after = list[ChunkRef](), _FIRST
    known = {chunk.digest: place for place, chunk in enumerate(queue)}
    start = 0
    for chunk in (*base, None):
        place = known.get(chunk.digest) if chunk else len(queue)
        if chunk is not None and (place is None or place < start):
            new.append(chunk)
            continue
        old = queue[start:place]
        if old or new:
            found.append(Stretch(after, old[-1].end if old else after, tuple(new)))
        if chunk is not None and place is not None:
            start, after, new = place + 1, queue[place].end, []
    return found


def differing(
    living: Iterable[tuple[Key, bytes]], lines: Iterable[Line]
) -> Iterator[tuple[Key, Line | None]]:
    """Both in key order: the keys that are new, other, or gone."""
    rows = iter(living)
    row = next(rows, None)
    for line in lines:
        while row is not None and row[0] < line.key:
            yield row[0], None
            row = next(rows, None)
        if row is None or row[0] != line.key:
            yield line.key, line
            continue
        if row[1] != line.stamp:
            yield line.key, line
        row = next(rows, None)
    while row is not None:
        yield row[0], None
        row = next(rows, None)


async def find(connection: sqlite3.Connection, ref: SnapshotRef, fetch: Fetch, pace: Pace) -> Found:
    """Compares a model with a snapshot; raises UnknownLineageError when too much differs."""
    finder = _Finder(connection, fetch, pace, await delta_of(ref, fetch), ref.entries)
    base = [chunk for chunk in ref.chunks if not chunk.delta]
    for stretch in stretches(finder.applied, base):
        await finder.compare_stretch(stretch)
    finder.compare_delta()
    await finder.fall_back(base)
    finder.refuse_much()
    return Found(finder.dirty, finder.ends(base), list(finder.delta))


class _Finder:
    def __init__(
        self,
        connection: sqlite3.Connection,
        fetch: Fetch,
        pace: Pace,
        delta: dict[Key, Line],
        entries: int,
    ) -> None:
        rows = connection.execute("SELECT digest, name, version FROM chunk ORDER BY place")
        self._connection, self._fetch, self._pace = connection, fetch, pace
        self._entries = entries
        self._compared: list[tuple[Key, Key]] = []
        self.applied = [AppliedChunk(digest, (name, version)) for digest, name, version in rows]
        self.delta = delta
        self.dirty: dict[Key, Line | None] = {}
        self._ends = {chunk.digest: chunk.end for chunk in self.applied}

    def ends(self, base: list[ChunkRef]) -> list[Key]:
        return [self._ends[chunk.digest] for chunk in base]

    def refuse_much(self) -> None:
        """Above a fifth of the rows, or of what should be in memory, writing all anew is cheaper.

        Comparing is cheap: a base that was written anew costs a tenth of what writing its rows does.
        """
        changed = len(self.dirty)
        if changed > _MANY or changed > max(_FEW, self._entries // _SHARE):
            raise UnknownLineageError("too much changed at once")

    async def compare_stretch(self, stretch: Stretch) -> None:
        after = stretch.after
        for number, chunk in enumerate(stretch.chunks, 1):
            plain = await self._fetch(chunk)
            end = self._ends[chunk.digest] = last_key(plain)
            until = max(end, stretch.until) if number == len(stretch.chunks) else end
            self._compare(after, until, lines_of(plain))
            self.refuse_much()
            await self._pace.step(chunk.entries // 5)
            after = until
        if stretch.until > after:
            self._compare(after, stretch.until, iter(()))

    def _compare(self, after: Key, until: Key, base: Iterator[Line]) -> None:
        delta = [line for key, line in self.delta.items() if after < key <= until]
        rows = self._connection.execute(
            "SELECT name, version, stamp FROM version INDEXED BY version_by_name "
            "WHERE (name, version) > (?, ?) AND (name, version) <= (?, ?) AND died = ? "
            "ORDER BY name, version",
            (*after, *until, FOREVER),
        )
        living = (((name, version), stamp) for name, version, stamp in rows)
        self.dirty.update(differing(living, merge(base, delta)))
        self._compared.append((after, until))

    def _is_compared(self, key: Key) -> bool:
        return any(after < key <= until for after, until in self._compared)

    def compare_delta(self) -> None:
        """The keys that the delta stands for, where the base is as it was."""
        for key, line in self.delta.items():
            if not self._is_compared(key):
                self._compare_key(key, None if line.record.dropped else line)

    async def fall_back(self, base: list[ChunkRef]) -> None:
        """The keys that the last delta stood for and this one does not: the base holds again."""
        ends = self.ends(base)
        lost: defaultdict[int, set[Key]] = defaultdict(set)
        for key in self._connection.execute("SELECT name, version FROM overlay").fetchall():
            if key not in self.delta and not self._is_compared(key):
                lost[bisect_left(ends, key)].add(key)
        for place, keys in lost.items():
            plain = await self._fetch(base[place]) if place < len(base) else b""
            lines = {line.key: line for line in lines_of(plain) if line.key in keys}
            for key in keys:
                self._compare_key(key, lines.get(key))

    def _compare_key(self, key: Key, line: Line | None) -> None:
        row = self._connection.execute(
            "SELECT stamp FROM version WHERE name=? AND version=? AND died=?", (*key, FOREVER)
        ).fetchone()
        if (row[0] if row else None) != (line.stamp if line else None):
            self.dirty[key] = line

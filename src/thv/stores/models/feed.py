"""The records of a snapshot as a stream, name by name, at a pace that leaves room for others.

In the flow: `build` takes all of it, `delta` the parts that changed. No more than one chunk, the delta and the
versions of one name are in memory at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

from thv.domain.snapshot import SnapshotRef, merge
from thv.stores.models.rows import Key, Line, Opened, lines_of, opened
from thv.stores.models.work import Fetch

_BREATH = 20


class Pace:
    """Gives way to other tasks after so many rows."""

    def __init__(self) -> None:
        self._rows = 0

    async def step(self, rows: int = 1) -> None:
        """Counts rows of work."""
        self._rows += rows
        if self._rows >= _BREATH:
            self._rows = 0
            await asyncio.sleep(0)


async def delta_of(ref: SnapshotRef, fetch: Fetch) -> dict[Key, Line]:
    """The records of the delta, in key order; they stand for those of the same key in the base."""
    found: dict[Key, Line] = {}
    for chunk in ref.chunks:
        if chunk.delta:
            found.update((line.key, line) for line in lines_of(await fetch(chunk)))
    return found


async def names(ref: SnapshotRef, fetch: Fetch, ends: list[Key]) -> AsyncIterator[list[Opened]]:
    """All versions of one name after the other; the last key of each base chunk is added to `ends`."""
    group: list[Opened] = []
    async for lines in _stretches(ref, fetch, ends):
        for line in lines:
            if group and group[0].record.name != line.record.name:
                yield group
                group = []
            group.append(opened(line))
    if group:
        yield group


async def _stretches(
    ref: SnapshotRef, fetch: Fetch, ends: list[Key]
) -> AsyncIterator[Iterator[Line]]:
    """The records of each base chunk with those of the delta that belong there, then the rest."""
    delta = list((await delta_of(ref, fetch)).values())
    start = 0
    for chunk in (chunk for chunk in ref.chunks if not chunk.delta):
        base = await fetch(chunk)
        ends.append(last_key(base))
        stop = start
        while stop < len(delta) and delta[stop].key <= ends[-1]:
            stop += 1
        yield merge(lines_of(base), delta[start:stop])
        base = b""  # one chunk at a time in memory
        start = stop
    yield merge(iter(()), delta[start:])


def last_key(plain: bytes) -> Key:
    """The key of the last record of a chunk."""
    start = plain.rfind(b"\n", 0, len(plain) - 1) + 1
    (line,) = lines_of(plain[start:])
    return line.key

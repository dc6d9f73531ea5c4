"""Snapshot: turns what changed into chunks.

In the flow: fourth step of a sync; the pointer is flipped afterwards by `reconcile`. A first snapshot and large
changes write base chunks; a small change writes one delta chunk, which gathers the changes since the base and is
folded into it when it has grown.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence

import msgspec

from thv.domain.errors import Code, ThvError
from thv.domain.snapshot import (
    CHUNK_COUNT_LIMIT,
    CHUNK_LIMIT,
    DELTA_LIMIT,
    Chunk,
    ChunkRef,
    ChunkWriter,
    Key,
    Record,
    SnapshotRef,
    chunk_target,
    merge,
    records,
)
from thv.stores.chunks.base import ChunkStore, Owner

DELTA_RECORDS = 4000
_PAUSE = 50  # records between two chances for everybody else


class Written(msgspec.Struct, frozen=True):
    """The chunks of a new snapshot, in the order of the pointer."""

    chunks: tuple[ChunkRef, ...]
    folded: bool
    """The base was written anew, so that every record lies in it."""


Refresh = Callable[[Record], Record]
"""Gives a record the present volatile values of its entry."""


async def write_all(
    store: ChunkStore, owner: Owner, every: AsyncIterator[Record], entries: int
) -> tuple[ChunkRef, ...]:
    """Base chunks of records that come in key order; `entries` is about how many there are."""
    writer = ChunkWriter(target=chunk_target(entries))
    refs: list[ChunkRef] = []
    count = 0
    async for record in every:
        chunk = writer.add(record)
        if chunk is not None:
            refs.append(await _put(store, owner, chunk, len(refs)))
        count += 1
        if count % _PAUSE == 0:
            await asyncio.sleep(0)
    last = writer.finish()
    if last is not None:
        refs.append(await _put(store, owner, last, len(refs)))
    return tuple(refs)


async def write_changes(
    store: ChunkStore,
    owner: Owner,
    before: SnapshotRef,
    changes: Sequence[Record],
    refresh: Refresh,
) -> Written:
    """The snapshot `before` with some records changed, in key order: as a delta while that stays small."""
    base = tuple(ref for ref in before.chunks if not ref.delta)
    old = await _records_of(store, owner, (ref for ref in before.chunks if ref.delta))
    gathered = _gathered(old, changes)
    delta = _packed(gathered) if len(gathered) <= DELTA_RECORDS else None
    if base and delta is not None:
        ref = await _put(store, owner, delta, len(base))
        return Written((*base, ref), folded=False)
    merged = _merged(store, owner, base, gathered, refresh)
    entries = before.entries + len(gathered)
    return Written(await write_all(store, owner, merged, entries), folded=True)


async def fold(store: ChunkStore, owner: Owner, before: SnapshotRef, refresh: Refresh) -> Written:
    """The same records as `before`, all in base chunks, with volatile values as they are now."""
    base = tuple(ref for ref in before.chunks if not ref.delta)
    delta = await _records_of(store, owner, (ref for ref in before.chunks if ref.delta))
    merged = _merged(store, owner, base, delta, refresh)
    return Written(await write_all(store, owner, merged, before.entries), folded=True)


async def read_snapshot(
    store: ChunkStore, owner: Owner, snapshot: SnapshotRef
) -> AsyncIterator[Record]:
    """Every record of a snapshot in key order."""
    base = tuple(ref for ref in snapshot.chunks if not ref.delta)
    delta = await _records_of(store, owner, (ref for ref in snapshot.chunks if ref.delta))
    async for record in _merged(store, owner, base, delta, lambda record: record):
        yield record


def _gathered(old: Iterable[Record], changes: Sequence[Record]) -> list[Record]:
    """The records of a delta with newer ones in their places."""
    newer = {record.key for record in changes}
    return sorted(
        [*(r for r in old if r.key not in newer), *changes], key=lambda record: record.key
    )


def _packed(changes: Sequence[Record]) -> Chunk | None:
    """The delta chunk, None when it is too large for one."""
    writer = ChunkWriter(delta=True, target=CHUNK_LIMIT)
    for record in changes:
        if writer.add(record) is not None:
            return None
    chunk = writer.finish()
    return chunk if chunk is not None and len(chunk.packed) <= DELTA_LIMIT else None


async def _records_of(store: ChunkStore, owner: Owner, refs: Iterable[ChunkRef]) -> list[Record]:
    return [record for ref in refs for record in records(await store.get(owner, ref))]


async def _merged(
    store: ChunkStore,
    owner: Owner,
    base: Sequence[ChunkRef],
    delta: Sequence[Record],
    refresh: Refresh,
) -> AsyncIterator[Record]:
    """Base and delta in key order, one chunk in memory at a time."""
    done: Key = ("", "")
    rest = list(delta)
    for place, ref in enumerate(base):
        plain = await store.get(owner, ref)
        mine = rest if place == len(base) - 1 else list(_up_to(rest, _last_key(plain)))
        rest = rest[len(mine) :]
        for record in merge(records(plain), mine):
            if record.key <= done:
                raise _disordered(ref)
            done = record.key
            yield refresh(record)
    for record in rest:
        if not record.dropped:
            yield record


def _up_to(changes: Sequence[Record], key: Key) -> Iterator[Record]:
    for record in changes:
        if record.key > key:
            return
        yield record


def _last_key(plain: bytes) -> Key:
    tail = plain[plain.rstrip(b"\n").rfind(b"\n") + 1 :]
    return next(records(tail)).key


async def _put(store: ChunkStore, owner: Owner, chunk: Chunk, place: int) -> ChunkRef:
    if place >= CHUNK_COUNT_LIMIT:
        raise ThvError(
            Code.SNAPSHOT_TOO_LARGE,
            f"the snapshot needs more than {CHUNK_COUNT_LIMIT} chunks of {CHUNK_LIMIT // 1024} KiB",
            hint="Take fewer entries by a filter, only the latest versions, or use an OCI artifact as store.",
        )
    return await store.put(owner, chunk)


def _disordered(ref: ChunkRef) -> ThvError:
    return ThvError(
        Code.SNAPSHOT_DAMAGED,
        f"chunk {ref.name} does not continue the order of the chunks before it",
    )

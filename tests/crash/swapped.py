"""The console script, wrongly built: the pointer is flipped first, the chunks come after it.

python -m tests.crash.swapped registry sync NAME
"""

from __future__ import annotations

from typing import Any

from tests.crash.orderly import main
from thv.domain.canonical import JsonObject
from thv.domain.snapshot import Chunk, ChunkRef
from thv.stores.chunks.base import Owner, chunk_name
from thv.stores.chunks.files import FileChunkStore
from thv.stores.resources.sqlite import SqliteStore

_put, _apply_status = FileChunkStore.put, SqliteStore.apply_status
_late: list[tuple[FileChunkStore, Owner, Chunk]] = []


async def _promised(store: FileChunkStore, owner: Owner, chunk: Chunk) -> ChunkRef:
    _late.append((store, owner, chunk))
    return chunk.ref(chunk_name(owner, chunk.digest))


async def _flipped(store: SqliteStore, obj: JsonObject, **more: Any) -> JsonObject:
    applied = await _apply_status(store, obj, **more)
    while _late:
        await _put(*_late.pop(0))
    return applied


if __name__ == "__main__":
    FileChunkStore.put = _promised  # type: ignore[method-assign,assignment] # that is the point
    SqliteStore.apply_status = _flipped  # type: ignore[method-assign,assignment]
    main()

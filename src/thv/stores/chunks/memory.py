"""Chunks in a dictionary: the in-memory kind, for tests and for what need not outlive the process."""

from __future__ import annotations

from typing import Literal

from thv.domain.errors import Code, ThvError
from thv.domain.snapshot import Chunk, ChunkRef, unpack
from thv.stores.chunks.base import Owner, StoredChunk, chunk_name


class MemoryChunkStore:
    """Keeps chunks as long as it lives; `clock` gives the Unix seconds that a chunk is created at."""

    kind: Literal["configmap", "file"] = "file"

    def __init__(self, clock: float = 0.0) -> None:
        self.clock = clock
        self._chunks: dict[tuple[str, str], tuple[bytes, float]] = {}
        self.puts = 0

    async def put(self, owner: Owner, chunk: Chunk) -> ChunkRef:
        """Keeps the chunk."""
        ref = chunk.ref(chunk_name(owner, chunk.digest))
        if (owner.uid, ref.name) not in self._chunks:
            self._chunks[owner.uid, ref.name] = (chunk.packed, self.clock)
            self.puts += 1
        return ref

    async def get(self, owner: Owner, ref: ChunkRef) -> bytes:
        """The unpacked, checked bytes."""
        found = self._chunks.get((owner.uid, ref.name))
        if found is None:
            raise ThvError(
                Code.SNAPSHOT_DAMAGED,
                f"chunk {ref.name} is missing",
                hint="Sync the registry again.",
            )
        return unpack(found[0], ref)

    async def list(self, owner: Owner) -> list[StoredChunk]:
        """Every chunk of this registry."""
        return [
            StoredChunk(name, made)
            for (uid, name), (_, made) in self._chunks.items()
            if uid == owner.uid
        ]

    async def delete(self, owner: Owner, name: str) -> None:
        """Removes the chunk."""
        self._chunks.pop((owner.uid, name), None)

"""The interface of a store of chunks.

In the flow: `sync` puts chunks before it flips a pointer to them, and collects old ones later; readers get them
by reference. A chunk is immutable and named by its content; putting it again changes nothing.
"""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

from thv.domain.snapshot import Chunk, ChunkRef


class Owner(msgspec.Struct, frozen=True):
    """The registry whose chunks these are."""

    namespace: str
    name: str
    uid: str


class StoredChunk(msgspec.Struct, frozen=True):
    """A chunk that lies in the store."""

    name: str
    created_at: float
    """Unix seconds."""


def chunk_name(owner: Owner, digest: str) -> str:
    """The name of a chunk, the same in every kind of store, so that a snapshot can move."""
    return f"{owner.name}-s-{digest.removeprefix('sha256:')[:16]}"


class ChunkStore(Protocol):
    """Keeps the chunks of all registries of one process or cluster."""

    kind: Literal["configmap", "file"]

    async def put(self, owner: Owner, chunk: Chunk) -> ChunkRef:
        """Durable when it returns; raises STORE_FULL or STORE_UNAVAILABLE."""
        ...

    async def get(self, owner: Owner, ref: ChunkRef) -> bytes:
        """The unpacked bytes, checked against the digest; raises SNAPSHOT_DAMAGED when missing or wrong."""
        ...

    async def list(self, owner: Owner) -> list[StoredChunk]:
        """Every chunk of this registry, referenced or not."""
        ...

    async def delete(self, owner: Owner, name: str) -> None:
        """Removes a chunk; a missing one is no error."""
        ...

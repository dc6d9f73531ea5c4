"""The operator, wrongly built: it names chunks in the status first, and makes them afterwards.

python -m tests.faults.kubernetes.broken operator run
"""

from __future__ import annotations

from typing import Any

from thv.domain.canonical import JsonObject
from thv.domain.snapshot import Chunk, ChunkRef
from thv.main import main
from thv.stores.chunks.base import Owner, chunk_name
from thv.stores.chunks.configmaps import ConfigMapChunks
from thv.stores.resources.kubernetes import KubernetesStore

_put, _apply_status = ConfigMapChunks.put, KubernetesStore.apply_status
_late: list[tuple[ConfigMapChunks, Owner, Chunk]] = []


async def _promised(store: ConfigMapChunks, owner: Owner, chunk: Chunk) -> ChunkRef:
    _late.append((store, owner, chunk))
    return chunk.ref(chunk_name(owner, chunk.digest))


async def _flipped(store: KubernetesStore, obj: JsonObject, **more: Any) -> JsonObject:
    applied = await _apply_status(store, obj, **more)
    while _late:
        await _put(*_late.pop(0))
    return applied


if __name__ == "__main__":
    ConfigMapChunks.put = _promised  # type: ignore[method-assign,assignment] # that is the point
    KubernetesStore.apply_status = _flipped  # type: ignore[method-assign,assignment]
    main()

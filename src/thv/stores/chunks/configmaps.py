"""Chunks as immutable ConfigMaps beside their registry, which owns them.

In the flow: the chunk store of a cluster, over the resource store. A ConfigMap of the right name is taken as the
chunk only when it holds these bytes for this registry; anything else in its place is replaced.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import time
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Literal

from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.domain.resources import (
    CONFIG_MAP,
    MCP_REGISTRY,
    PREFIX,
    annotations_of,
    labels_of,
    metadata_of,
    name_of,
    resource_version_of,
    uid_of,
)
from thv.domain.snapshot import CHUNK_LIMIT, Chunk, ChunkRef, unpack
from thv.stores.chunks.base import Owner, StoredChunk, chunk_name
from thv.stores.resources.base import ResourceStore

KEY = "entries.jsonl.gz"
CLUSTER_LIMIT = 128 * 1024 * 1024

_MANAGER = "toolhive-registry"
_COMPONENT = f"{PREFIX}component"
_REGISTRY = f"{PREFIX}registry-name"
_BYTES = f"{PREFIX}bytes"
_IS_CHUNK = f"{_COMPONENT}=snapshot"
_PAGE = 250
_ATTEMPTS = 3
_COUNT_AGE = 600.0
_RECOUNT_AGE = 10.0


class ConfigMapChunks:
    """Keeps chunks where `kubectl get configmaps` shows them."""

    kind: Literal["configmap", "file"] = "configmap"

    def __init__(
        self,
        store: ResourceStore,
        *,
        limit: int = CLUSTER_LIMIT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`limit` is for the bytes of all chunks of the cluster, as far as we may list them."""
        self._store = store
        self._room = _Room(store, limit, clock)

    async def put(self, owner: Owner, chunk: Chunk) -> ChunkRef:
        """Durable when it returns; raises STORE_FULL for a quota, SNAPSHOT_TOO_LARGE above our own limits."""
        ref = chunk.ref(chunk_name(owner, chunk.digest))
        _require_storable(ref)
        wanted = _config_map(owner, ref, chunk.packed)
        if not await self._room.taken(ref) and not await self._is_there(owner, ref, wanted):
            raise self._room.full(ref)
        for _ in range(_ATTEMPTS):
            if await self._created(wanted) or await self._is_there(owner, ref, wanted):
                return ref
        raise ThvError(
            Code.STORE_UNAVAILABLE,
            f'somebody else keeps writing configmap "{ref.name}" in namespace "{owner.namespace}"',
            hint="ConfigMaps named <registry>-s-* hold snapshots; give others another name.",
        )

    async def get(self, owner: Owner, ref: ChunkRef) -> bytes:
        """The unpacked, checked bytes."""
        try:
            found = await self._store.get(CONFIG_MAP, owner.namespace, ref.name)
        except ThvError as error:
            if error.code is Code.NOT_FOUND:
                raise _damaged(owner, ref, "is missing") from error
            raise
        packed = _packed(found)
        if packed is None:
            raise _damaged(owner, ref, f'holds nothing readable as "{KEY}"')
        return unpack(packed, ref)

    async def list(self, owner: Owner) -> list[StoredChunk]:
        """Every chunk of this registry; those of an earlier one of its name go by themselves."""
        selector = f"{_IS_CHUNK},{_REGISTRY}={owner.name}"
        return [
            StoredChunk(name_of(obj), _created_at(obj))
            async for obj in _every(self._store, owner.namespace, selector)
            if _is_owned(obj, owner)
        ]

    async def delete(self, owner: Owner, name: str) -> None:
        """Removes a chunk; a missing one, or something else of its name, is left alone."""
        found = await self._store.list(CONFIG_MAP, owner.namespace, name=name, partial=True)
        for obj in found.items:
            if _is_owned(obj, owner) and labels_of(obj).get(_COMPONENT) == "snapshot":
                await self._removed(obj, owner)

    # ------------------------------------------------------------ steps

    async def _created(self, wanted: JsonObject) -> bool:
        try:
            await self._store.create(wanted, manager=_MANAGER)
        except ThvError as error:
            if error.code is not Code.ALREADY_EXISTS:
                raise
            return False
        return True

    async def _is_there(self, owner: Owner, ref: ChunkRef, wanted: JsonObject) -> bool:
        """Whether what has the name is the chunk; what is not is removed."""
        try:
            live = await self._store.get(CONFIG_MAP, owner.namespace, ref.name)
        except ThvError as error:
            if error.code is not Code.NOT_FOUND:
                raise
            return False
        if _is_same(live, wanted, owner):
            return True
        await self._removed(live, owner)
        return False

    async def _removed(self, obj: JsonObject, owner: Owner) -> None:
        """Deletes exactly what was seen; what changed since is somebody else's."""
        try:
            await self._store.delete(
                CONFIG_MAP,
                owner.namespace,
                name_of(obj),
                uid=uid_of(obj),
                resource_version=resource_version_of(obj),
            )
        except ThvError as error:
            if error.code not in {Code.NOT_FOUND, Code.CONFLICT}:
                raise


class _Room:
    """How many bytes of chunks a cluster holds; counted now and then, and before anything is refused."""

    def __init__(self, store: ResourceStore, limit: int, clock: Callable[[], float]) -> None:
        self._store = store
        self._limit = limit
        self._clock = clock
        self._lock = asyncio.Lock()
        self._bytes = 0
        self._counted_at: float | None = None

    async def taken(self, ref: ChunkRef) -> bool:
        """Whether there was room for a chunk; it is taken then."""
        async with self._lock:
            if self._is_older(_COUNT_AGE):
                await self._count()
            if self._bytes + ref.bytes > self._limit and self._is_older(_RECOUNT_AGE):
                await self._count()
            if self._bytes + ref.bytes > self._limit:
                return False
            self._bytes += ref.bytes
            return True

    def _is_older(self, seconds: float) -> bool:
        return self._counted_at is None or self._clock() - self._counted_at >= seconds

    async def _count(self) -> None:
        """Who may not list all namespaces counts only what it puts itself."""
        self._counted_at = self._clock()
        try:
            self._bytes = sum(
                [_bytes_of(obj) async for obj in _every(self._store, None, _IS_CHUNK)]
            )
        except ThvError as error:
            if error.code is not Code.FORBIDDEN:
                raise

    def full(self, ref: ChunkRef) -> ThvError:
        held, cap = self._bytes / 2**20, self._limit / 2**20
        return ThvError(
            Code.SNAPSHOT_TOO_LARGE,
            f"the snapshots of all registries have {held:.1f} MiB, {ref.name} would exceed {cap:.0f} MiB",
            hint="Take fewer entries by a filter, delete registries, or raise the operator's limit.",
            details={"bytes": self._bytes, "limit": self._limit},
        )


def _require_storable(ref: ChunkRef) -> None:
    if ref.bytes > CHUNK_LIMIT:
        raise ThvError(
            Code.SNAPSHOT_TOO_LARGE,
            f"chunk {ref.name} has {ref.bytes} bytes, a ConfigMap may hold {CHUNK_LIMIT} of them",
            hint="One entry is too large to be stored; leave it out by a filter.",
        )


async def _every(
    store: ResourceStore, namespace: str | None, selector: str
) -> AsyncIterator[JsonObject]:
    """The metadata of all that match, one page in memory at a time."""
    rest = ""
    while True:
        page = await store.list(
            CONFIG_MAP, namespace, selector=selector, limit=_PAGE, continue_=rest, partial=True
        )
        for obj in page.items:
            yield obj
        rest = page.continue_
        if not rest:
            return


# ---------------------------------------------------------------- a chunk as an object


def _config_map(owner: Owner, ref: ChunkRef, packed: bytes) -> JsonObject:
    return {
        "apiVersion": CONFIG_MAP.api_version,
        "kind": CONFIG_MAP.kind,
        "metadata": {
            "name": ref.name,
            "namespace": owner.namespace,
            "labels": {
                "app.kubernetes.io/managed-by": _MANAGER,
                _COMPONENT: "snapshot",
                _REGISTRY: owner.name,
            },
            "annotations": {
                f"{PREFIX}digest": ref.digest,
                f"{PREFIX}entries": str(ref.entries),
                _BYTES: str(ref.bytes),
            },
            "ownerReferences": [_reference(owner)],
        },
        "immutable": True,
        "binaryData": {KEY: base64.b64encode(packed).decode()},
    }


def _reference(owner: Owner) -> JsonObject:
    return {
        "apiVersion": MCP_REGISTRY.api_version,
        "kind": MCP_REGISTRY.kind,
        "name": owner.name,
        "uid": owner.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }


def _is_same(live: JsonObject, wanted: JsonObject, owner: Owner) -> bool:
    """Whether it holds the bytes, will go on holding them, goes with this registry, and is found by its labels."""
    labels = labels_of(live)
    return (
        live.get("binaryData") == wanted["binaryData"]
        and live.get("immutable") is True
        and "deletionTimestamp" not in metadata_of(live)
        and _is_owned(live, owner)
        and all(labels.get(key) == value for key, value in labels_of(wanted).items())
    )


def _is_owned(obj: JsonObject, owner: Owner) -> bool:
    references = metadata_of(obj).get("ownerReferences") or ()
    return any(reference.get("uid") == owner.uid for reference in references)


def _packed(obj: JsonObject) -> bytes | None:
    try:
        return base64.b64decode((obj.get("binaryData") or {})[KEY], validate=True)
    except (KeyError, TypeError, binascii.Error):
        return None


def _bytes_of(obj: JsonObject) -> int:
    text = annotations_of(obj).get(_BYTES, "")
    return int(text) if text.isascii() and text.isdigit() else 0


def _created_at(obj: JsonObject) -> float:
    return datetime.fromisoformat(str(metadata_of(obj)["creationTimestamp"])).timestamp()


def _damaged(owner: Owner, ref: ChunkRef, why: str) -> ThvError:
    return ThvError(
        Code.SNAPSHOT_DAMAGED,
        f'chunk {ref.name} {why} (configmap in namespace "{owner.namespace}")',
        hint="Sync it with --force; until then the content that was loaded last is served.",
        details={"chunk": ref.name, "digest": ref.digest},
    )

"""The kinds of chunk store that the contract holds for.

To add a kind, write an opener and add a line to `KINDS`; no test changes.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import msgspec

from tests.contracts.cluster import a_client, a_namespace, install_kinds
from tests.control_plane.plane import ControlPlane
from thv.domain.canonical import JsonObject
from thv.domain.resources import CONFIG_MAP
from thv.domain.snapshot import ChunkRef
from thv.stores.chunks.base import ChunkStore, Owner
from thv.stores.chunks.configmaps import KEY, ConfigMapChunks
from thv.stores.chunks.files import FileChunkStore
from thv.stores.chunks.memory import MemoryChunkStore
from thv.stores.resources.base import ResourceStore
from thv.stores.resources.kubernetes import KubernetesStore
from thv.stores.resources.memory import MemoryStore

NewOwner = Callable[[str], Awaitable[Owner]]
Spoil = Callable[[Owner, ChunkRef], Awaitable[None]]


class Place(msgspec.Struct, frozen=True):
    """A store of chunks, registries to own them, and a way to spoil one."""

    chunks: ChunkStore
    new_owner: NewOwner
    spoil: Spoil


Opener = Callable[[Path], AbstractAsyncContextManager[Place]]


@asynccontextmanager
async def memory(_: Path) -> AsyncIterator[Place]:
    chunks = MemoryChunkStore()

    async def spoil(owner: Owner, ref: ChunkRef) -> None:
        chunks._chunks[owner.uid, ref.name] = (b"spoilt", 0.0)

    yield Place(chunks, _numbered(), spoil)


@asynccontextmanager
async def files(folder: Path) -> AsyncIterator[Place]:
    async def spoil(owner: Owner, ref: ChunkRef) -> None:
        (path,) = (folder / owner.uid).glob(f"{ref.name.rpartition('-')[2]}*")
        path.write_bytes(b"spoilt")

    yield Place(FileChunkStore(folder), _numbered(), spoil)


@asynccontextmanager
async def configmaps(_: Path) -> AsyncIterator[Place]:
    store = MemoryStore()
    yield _over(store, "team")
    await store.close()


def cluster(plane: ControlPlane) -> Opener:
    @asynccontextmanager
    async def opened(_: Path) -> AsyncIterator[Place]:
        install_kinds(plane)
        store = KubernetesStore(a_client(plane))
        with a_namespace(plane) as namespace:
            yield _over(store, namespace)
        await store.close()

    return opened


KINDS: dict[str, Opener] = {
    "memory": memory,
    "files": files,
    "configmaps": configmaps,
}
CLUSTER = "configmaps in a cluster"
"""The kind that needs a control plane."""


def _numbered() -> NewOwner:
    numbers = itertools.count(1)

    async def new(name: str) -> Owner:
        return Owner("team", name, f"uid-{next(numbers)}")

    return new


def _over(store: ResourceStore, namespace: str) -> Place:
    async def new(name: str) -> Owner:
        return await a_registry(store, namespace, name)

    async def spoil(owner: Owner, ref: ChunkRef) -> None:
        await replace_bytes(store, owner, ref, "c3BvaWx0")

    return Place(ConfigMapChunks(store), new, spoil)


async def a_registry(store: ResourceStore, namespace: str, name: str) -> Owner:
    """A registry that exists, so that what it owns stays."""
    made = await store.create(
        {
            "apiVersion": "toolhive.stacklok.io/v1alpha1",
            "kind": "MCPRegistry",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"source": {"type": "url", "url": {"url": "https://example.com/"}}},
        },
        manager="test",
    )
    return Owner(namespace, name, made["metadata"]["uid"])


async def replace_bytes(store: ResourceStore, owner: Owner, ref: ChunkRef, encoded: str) -> None:
    """Puts another ConfigMap into the place of a chunk, as somebody may who can write ConfigMaps."""
    live = await store.get(CONFIG_MAP, owner.namespace, ref.name)
    await store.delete(CONFIG_MAP, owner.namespace, ref.name)
    kept = ("name", "namespace", "labels", "annotations", "ownerReferences")
    metadata: JsonObject = {key: live["metadata"][key] for key in kept if key in live["metadata"]}
    await store.create(
        {**live, "metadata": metadata, "binaryData": {KEY: encoded}}, manager="somebody"
    )

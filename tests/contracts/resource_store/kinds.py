"""The kinds of resource store that the contract holds for.

To add a kind, write an opener and add a line to `KINDS`; no test changes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import msgspec

from tests.contracts.cluster import a_client, a_namespace, install_kinds
from tests.control_plane.plane import ControlPlane
from thv.stores.resources.base import ResourceStore
from thv.stores.resources.kubernetes import KubernetesStore
from thv.stores.resources.memory import MemoryStore
from thv.stores.resources.sqlite import SqliteStore


class Place(msgspec.Struct, frozen=True):
    """A store, and a namespace of it that nobody else uses."""

    store: ResourceStore
    namespace: str


Opener = Callable[[Path], AbstractAsyncContextManager[Place]]


@asynccontextmanager
async def memory(_: Path) -> AsyncIterator[Place]:
    store = MemoryStore()
    yield Place(store, "team")
    await store.close()


@asynccontextmanager
async def sqlite(folder: Path) -> AsyncIterator[Place]:
    store = SqliteStore(folder / "resources.db", folder / "secrets")
    yield Place(store, "team")
    await store.close()


def kubernetes(plane: ControlPlane) -> Opener:
    @asynccontextmanager
    async def opened(_: Path) -> AsyncIterator[Place]:
        install_kinds(plane)
        store = KubernetesStore(a_client(plane))
        with a_namespace(plane) as namespace:
            yield Place(store, namespace)
        await store.close()

    return opened


KINDS: dict[str, Opener] = {
    "memory": memory,
    "sqlite": sqlite,
}
CLUSTER = "kubernetes"
"""The kind that needs a control plane."""

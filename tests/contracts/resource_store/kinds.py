"""The kinds of resource store that the contract holds for.

To add a kind, write an opener and add a line to `KINDS`; no test changes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import msgspec

from thv.stores.resources.base import ResourceStore
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


KINDS: dict[str, Opener] = {
    "memory": memory,
    "sqlite": sqlite,
}

"""A whole sync over in-memory kinds: a source to publish to, a registry, and what it serves."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from tests.builders import manifest
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.domain.registry import Registry, load_registry
from thv.domain.resources import MCP_REGISTRY
from thv.domain.snapshot import Chunk, ChunkRef, Record, SnapshotDigest, SnapshotRef
from thv.domain.taxonomy import NO_TAXONOMY
from thv.sources.memory import MemorySource
from thv.stores.chunks.base import Owner
from thv.stores.chunks.memory import MemoryChunkStore
from thv.stores.mirrors.sqlite import SqliteMirrors, SqliteSelections
from thv.stores.resources.memory import MemoryStore
from thv.sync.api import ApiState
from thv.sync.flow import Locks, Opened, Tools
from thv.sync.news import News
from thv.sync.reconcile import Ended, RegistryReconciler
from thv.sync.write import read_snapshot

START = datetime(2026, 1, 1, tzinfo=UTC)


class FailingChunks(MemoryChunkStore):
    """Chunks whose next writes can be made to fail."""

    def __init__(self) -> None:
        super().__init__()
        self.failures = 0

    async def put(self, owner: Owner, chunk: Chunk) -> ChunkRef:
        if self.failures:
            self.failures -= 1
            raise ThvError(Code.STORE_FULL, "no space left")
        return await super().put(owner, chunk)


OPENED: list[SqliteMirrors | SqliteSelections] = []
"""What worlds have opened, for whoever ends the test."""


class ScriptedApi:
    """An API in the state that a test gives it, and what it was told to let in."""

    def __init__(self) -> None:
        self.state: ApiState | None = None
        self.admitted: list[set[str]] = []
        self.gone: list[str] = []

    async def admit(self, registry: Registry, pointers: Sequence[SnapshotRef]) -> None:
        self.admitted.append({ref.name for pointer in pointers for ref in pointer.chunks})

    async def ensure(self, registry: Registry) -> ApiState | None:
        return self.state

    async def left(self, namespace: str, name: str) -> None:
        self.gone.append(name)


class Listener:
    """Keeps what it is told, each piece of news once by name."""

    def __init__(self) -> None:
        self.news: dict[str, News] = {}

    async def announce(self, registry: Registry, news: News) -> None:
        self.news[news.name(registry)] = news

    @property
    def reasons(self) -> list[str]:
        return [news.reason for news in self.news.values()]


class World:
    """Registries of one namespace that all read one source."""

    def __init__(self) -> None:
        self.now = START
        self.source = MemorySource()
        self.mirror = "mirror"
        self.store = MemoryStore()
        self.chunks = FailingChunks()
        self.api = ScriptedApi()
        self.told = Listener()
        self.ended: Ended = lambda *_: None
        self.forget_working_state()

    def _reconciler(self) -> RegistryReconciler:
        tools = Tools(
            open_source=self._open_source,
            mirrors=self.mirrors,
            selections=self.selections,
            chunks=self.chunks,
            taxonomy=NO_TAXONOMY,
            clock=lambda: self.now,
            locks=Locks(),
        )
        return RegistryReconciler(
            self.store,
            tools,
            api=self.api,
            announcer=self.told,
            ended=lambda *ended: self.ended(*ended),  # noqa: PLW0108 # set later
        )

    async def _open_source(self, _: Registry) -> Opened:
        return Opened(self.source, self.mirror)

    def forget_working_state(self) -> None:
        """As after the loss of everything derived: only resources and chunks are left."""
        self.mirrors = SqliteMirrors(None)
        self.selections = SqliteSelections(None)
        OPENED.extend((self.mirrors, self.selections))
        self.reconciler = self._reconciler()

    async def apply(self, name: str = "corp", **spec: Any) -> None:
        await self.store.apply(manifest(name, **spec), manager="test", force=True)

    async def annotate(self, name: str = "corp", **annotations: str) -> None:
        values = {
            f"toolhive.stacklok.io/{key.replace('_', '-')}": value
            for key, value in annotations.items()
        }
        await self.store.merge(
            MCP_REGISTRY, "default", name, {"metadata": {"annotations": values}}, manager="test"
        )

    async def reconcile(
        self, name: str = "corp", *, after: timedelta = timedelta(hours=2)
    ) -> datetime | None:
        """Some time later the registry is looked at; two hours make every sync due."""
        self.now += after
        self.chunks.clock = self.now.timestamp()
        return await self.reconciler.reconcile(("default", name))

    async def registry(self, name: str = "corp") -> Registry:
        return load_registry(await self.store.get(MCP_REGISTRY, "default", name))

    async def condition(self, kind: str, name: str = "corp") -> str:
        """`True Succeeded`, or `""` without such a condition."""
        found = (c for c in (await self.registry(name)).status.conditions if c.type == kind)
        return next((f"{c.status} {c.reason}" for c in found), "")

    async def records(self, name: str = "corp") -> list[Record]:
        registry = await self.registry(name)
        if registry.status.snapshot is None:
            return []
        owner = Owner(registry.namespace, registry.name, registry.uid)
        return [
            record async for record in read_snapshot(self.chunks, owner, registry.status.snapshot)
        ]

    async def served(self, name: str = "corp") -> dict[str, list[str]]:
        """Names to versions; the latest is marked by a star."""
        names: dict[str, list[str]] = {}
        for record in await self.records(name):
            if not record.removed_at:
                names.setdefault(record.name, []).append(
                    record.version + ("*" if record.latest else "")
                )
        return names

    async def digest_holds(self, name: str = "corp") -> bool:
        """Whether the pointer's digest is that of the records that its chunks give."""
        digest = SnapshotDigest()
        for record in await self.records(name):
            digest.add(record.name, record.version, record.digest)
        pointer = (await self.registry(name)).status.snapshot
        return pointer is not None and (pointer.digest, pointer.entries) == (
            digest.value(),
            digest.entries,
        )

    def publish(self, *servers: JsonObject) -> None:
        """A document of these servers."""
        self.source.publish(msgspec.json.encode(servers))

    def publish_pages(self, *pages: Sequence[JsonObject], complete: bool = True) -> None:
        self.source.publish_pages(
            [[msgspec.json.encode(one) for one in items] for items in pages], complete=complete
        )

"""Registries in a data folder, kept by the real engine, and what is served of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from tests.upstream import Upstream
from thv.apps.cli.engine import Engine, EngineSettings
from thv.apps.cli.wiring import Local
from thv.apps.kit.home import Home
from thv.domain.canonical import JsonObject
from thv.domain.registry import Registry, load_registry
from thv.domain.resources import MCP_REGISTRY
from thv.stores.chunks.base import Owner
from thv.sync.write import read_snapshot

NAMESPACE = "default"


class World:
    """A data folder that may reach one upstream."""

    def __init__(self, folder: Path, upstream: Upstream, *, fetch_backoff: float = 0.001) -> None:
        self.folder = folder
        self.upstream = upstream
        self.local = Local(home=Home(folder).make())
        self.engine = Engine(
            self.local,
            EngineSettings(allowed_hosts=(f"{upstream.place}",), fetch_backoff=fetch_backoff),
        )
        self._asked = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.engine.close()
        await self.local.close()

    def api(self, **more: Any) -> JsonObject:
        source = {"url": self.upstream.url, "versions": "all", **more}
        return {"type": "registry", "registry": source}

    def url(self, path: str, **more: Any) -> JsonObject:
        return {"type": "url", "url": {"url": f"{self.upstream.url}{path}", **more}}

    async def add(self, name: str, source: JsonObject) -> None:
        manifest = {
            "apiVersion": MCP_REGISTRY.api_version,
            "kind": MCP_REGISTRY.kind,
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {"source": source},
        }
        await self.local.resources.apply(manifest, manager="test", force=True)

    async def sync(self, name: str) -> Registry:
        """Asks for a sync and makes it."""
        self._asked += 1
        asks = {"toolhive.stacklok.io/sync-requested-at": f"{self._asked}"}
        change = {"metadata": {"annotations": asks}}
        resources = self.local.resources
        await resources.merge(MCP_REGISTRY, NAMESPACE, name, change, manager="test")
        await self.engine.reconciler.reconcile((NAMESPACE, name))
        return await self.registry(name)

    async def object(self, name: str) -> JsonObject:
        return await self.local.resources.get(MCP_REGISTRY, NAMESPACE, name)

    async def registry(self, name: str) -> Registry:
        return load_registry(await self.object(name))

    async def served(self, name: str) -> list[str]:
        """The names in the snapshot that is served."""
        registry = await self.registry(name)
        if registry.status.snapshot is None:
            return []
        owner = Owner(registry.namespace, registry.name, registry.uid)
        found = read_snapshot(self.local.chunks, owner, registry.status.snapshot)
        return [record.name async for record in found if not record.removed_at]

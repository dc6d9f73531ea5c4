"""A catalog to ask: registries of several namespaces, joined, and callers who may list some of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.apps.kit.memory_reviews import MemoryReviews
from tests.apps.registry_api.asking import Client
from tests.apps.registry_api.places import Place, Site
from tests.stores.models.world import NOW, World, an_entry
from thv.apps.catalog_api.catalog import Around, Catalog
from thv.apps.catalog_api.endpoints import ROWS
from thv.apps.catalog_api.generation_schemas import GENERATION_SHAPES
from thv.apps.catalog_api.joins import Joins
from thv.apps.catalog_api.manifest_schemas import MANIFEST_SHAPES
from thv.apps.catalog_api.schemas import SHAPES
from thv.apps.catalog_api.settings import Settings
from thv.apps.kit.authorization import Advice, Authorization
from thv.apps.kit.http.endpoints import Endpoint
from thv.apps.kit.http.server import HttpServer
from thv.apps.kit.reviews import Identity
from thv.apps.registry_api.aggregate import Aggregate
from thv.apps.registry_api.door import Options, Root, many
from thv.apps.registry_api.fleet import Fleet
from thv.apps.registry_api.guard import Guard
from thv.apps.registry_api.standing import Standing
from thv.domain.access import Action
from thv.domain.permissions import LIST, READ, SYNC, ways
from thv.stores.chunks.memory import MemoryChunkStore
from thv.stores.resources.memory import MemoryStore

AUDIENCE = "thv-catalog"
PATIENCE = 30.0
_ADVICE = Advice(audience=lambda _: AUDIENCE, token=lambda _: "", check=lambda _: "")


def moment() -> datetime:
    return datetime.fromtimestamp(NOW, UTC)


class Callers(MemoryReviews):
    """Callers by their names, which are their tokens; each lists some namespaces, `""` is all of them."""

    def __init__(self, **namespaces: tuple[str, ...]) -> None:
        super().__init__()
        self.tokens = {(name, AUDIENCE): Identity(user=name) for name in namespaces}
        self.rights = {
            (name, LIST.on(each)) for name, every in namespaces.items() for each in every
        }

    def allow(self, name: str, *actions: Action) -> None:
        self.rights |= {(name, action) for action in actions}


class CatalogSite(Site):
    """Registries under their bases, and the catalog at the root."""

    def __init__(self, root: Path, **options: Any) -> None:
        super().__init__(root / "models", **options)
        self.standing = Standing(self._order)
        self.joins = Joins(self, self.standing, root / "catalog")
        self.resources = MemoryStore()
        self.chunks = MemoryChunkStore()
        self.fleet = Fleet()
        self.callers: Callers | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[CatalogSite]:
        task = asyncio.ensure_future(self.joins.run())
        await self.settle()
        try:
            yield self
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def put(self, name: str, *entries: Any, namespace: str = "default", **spec: Any) -> Place:
        """A registry with these entries."""
        place = await self.add(name, World(*entries), namespace=namespace, **spec)
        await self.moved(place)
        return place

    async def moved(self, place: Place) -> None:
        self.joins.moved(place.served.owner)
        await self.settle()

    async def settle(self) -> None:
        """Until everything is joined."""
        async with asyncio.timeout(PATIENCE):
            while not self.joins.is_at_rest:  # noqa: ASYNC110 # nobody tells of it but this
                await asyncio.sleep(0.005)

    def guard(self, callers: Callers, *, anonymous_read: bool = True) -> Guard:
        authorization = Authorization(callers, _ADVICE, ways=ways)
        return Guard(self.find, authorization, lambda: True, anonymous_read=anonymous_read)

    def client(self, guard: Guard | None = None, **options: Any) -> Client:
        return Client(self.door(guard, **options))

    def door(
        self, guard: Guard | None = None, *, more: tuple[Endpoint, ...] = (), **options: Any
    ) -> HttpServer:
        """The application; `more` are rows beside those that read."""
        settings = options.pop("settings", Settings())
        aggregate = Aggregate(
            self.every,
            scope=self._scope,
            order=self._order,
            visible=guard.visible if guard else None,
        )
        around = Around(self.resources, self.chunks, moment, settings, fleet=self.fleet)
        catalog = Catalog(self, self.standing, self.joins, around, guard)
        options = {"fleet": self.fleet, **options}
        if guard is not None:
            options = {"authorize": guard.authorize, **options}
        shapes = (*SHAPES, *GENERATION_SHAPES, *MANIFEST_SHAPES)
        root = Root(catalog, (*ROWS, *more), shapes)
        return many(self, aggregate, Options(**options), lambda: NOW, root)


def osv(version: str = "0.1.3", **block: Any) -> Any:
    """The documented example, as a registry has it."""
    told = {
        "tier": "Community",
        "status": "Active",
        "tools": ["vulnerability-scan", "security-analysis", "osv-query"],
        "tool_definitions": [
            {
                "name": "vulnerability-scan",
                "description": "Scan for known vulnerabilities",
                "inputSchema": {"type": "object"},
            },
            {"name": "security-analysis", "description": "Perform security analysis"},
            {"name": "osv-query", "description": "Query OSV database directly"},
        ],
        "tags": ["security", "vulnerability", "scanning", "osv"],
        "metadata": {"stars": 45, "pulls": 120, "last_updated": "2025-09-23T19:59:00Z"},
        "permissions": {"network": {"outbound": {"allow_host": ["api.osv.dev"]}}},
        "custom_metadata": {"category": "security", "provider": "OSV"},
    }
    package = {
        "registryType": "oci",
        "identifier": "ghcr.io/stackloklabs/osv-mcp/server",
        "transport": {"type": "streamable-http", "url": "http://localhost:8080"},
        "environmentVariables": [
            {"name": "LOG_LEVEL", "description": "Logging level", "default": "info"}
        ],
    }
    return an_entry(
        "io.github.stacklok/osv-scanner",
        version,
        title="OSV Vulnerability Scanner",
        description="Open Source Vulnerability scanner for security analysis",
        packages=[package],
        repository={"url": "https://github.com/stackloklabs/osv-mcp", "source": "github"},
        block={**told, **block},
    )


def rights(name: str, namespace: str) -> tuple[Action, ...]:
    """Reading one registry, and asking for its sync."""
    return READ.on(namespace, name), SYNC.on(namespace, name)

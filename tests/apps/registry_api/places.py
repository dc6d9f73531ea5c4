"""Registries to ask: content, read models and applications over them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tests.apps.registry_api.asking import Client
from tests.builders import manifest
from tests.stores.models.world import NOW, World, an_entry
from thv.apps.kit.http.server import HttpServer
from thv.apps.registry_api.aggregate import Aggregate
from thv.apps.registry_api.door import Options, many, single
from thv.apps.registry_api.fleet import Fleet
from thv.apps.registry_api.guard import Guard
from thv.apps.registry_api.served import Served
from thv.domain.entry import GROUPS_META, Entry
from thv.domain.registry import load_registry
from thv.stores.models.cache import Cache
from thv.stores.models.pool import Pool


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def group(name: str, position: int = 0) -> dict[str, Any]:
    about = {"name": name, "description": f"the {name}"}
    return {"_meta": {GROUPS_META: [{"group": about, "position": position, "only": False}]}}


def some_entries() -> list[Entry]:
    """A little of everything."""
    scanner = {
        "tier": "Official",
        "tags": ["security", "scanning"],
        "tools": ["scan", "report"],
        "tool_definitions": [
            {"name": "scan", "description": "Scans", "inputSchema": {"type": "object"}}
        ],
        "metadata": {"stars": 45, "pulls": 120},
        "permissions": {"network": {"outbound": {"allow_host": ["api.osv.dev"]}}},
        "custom_metadata": {"category": "security", "team": "blue"},
    }
    older = {**scanner, "tools": ["scan"], "permissions": {}, "metadata": {"stars": 4}}
    image = [
        {"registryType": "oci", "identifier": "ghcr.io/x/osv:1.1.0", "transport": {"type": "stdio"}}
    ]
    old_image = [{**image[0], "identifier": "ghcr.io/x/osv:1.0.0"}]
    remote = [{"type": "streamable-http", "url": "https://mcp.example.com/mcp"}]
    return [
        an_entry("io.github.stacklok/osv", "1.0.0", packages=old_image, block=older),
        an_entry(
            "io.github.stacklok/osv",
            "1.1.0",
            title="OSV",
            packages=image,
            block=scanner,
            updated="2026-11-05T08:00:00Z",
        ),
        an_entry(
            "com.example/fetch",
            "0.2.0",
            packages=[],
            remotes=remote,
            block={
                "tier": "Community",
                "tags": ["web"],
                "tools": ["fetch", "scan"],
                "custom_metadata": {"category": "web"},
            },
        ),
        an_entry("com.example/plain", "2.0.0+build.1"),
        an_entry("com.example/old", "1.0.0", status="deprecated"),
        an_entry("com.example/gone", "1.0.0"),
        an_entry("io.github.x/versions", "1.0.0", **group("tools")),
        an_entry(
            "io.github.x/B-server", "1.0.0", description="Ünïcode and 50%_off", **group("tools")
        ),
    ]


def a_world() -> World:
    world = World(*some_entries())
    world.remove(("com.example/gone", "1.0.0"))
    return world


class Place:
    """A registry in a folder, and an application with it at the root."""

    def __init__(self, path: Path, world: World | None = None, **spec: Any) -> None:
        self.path = path
        self.world = world or a_world()
        self.clock = Clock()
        self.pool = Pool(Cache(1 << 20))
        obj = manifest("corp", **spec)
        obj["status"] = {
            "syncStatus": {
                "phase": "Complete",
                "lastSyncTime": "2026-11-20T10:30:00.000Z",
                "format": "toolhive",
            }
        }
        self.served = Served(load_registry(obj), self.pool, path, self.clock)

    async def sync(self, *, delta: bool = False) -> None:
        outcome = await self.world.apply(
            self.path, self.world.snapshot(delta=delta), now=self.clock.now
        )
        self.served.changed(rebuilt=outcome.how == "full")

    def app(self, **options: Any) -> HttpServer:
        options = {"fleet": Fleet(()), **options}
        return single(self, self.served.owner, Options(**options), self.clock)

    def find(self, _namespace: str, _name: str) -> Served | None:
        return self.served

    def every(self) -> list[Served]:
        return [self.served]

    def client(self, **options: Any) -> Client:
        return Client(self.app(**options))


class Site:
    """Several registries under their bases."""

    def __init__(self, root: Path, *, scope: Any = "all", order: tuple[str, ...] = ()) -> None:
        self.root = root
        self.places: dict[tuple[str, str], Place] = {}
        self._scope, self._order = scope, order

    async def add(
        self, name: str, world: World, *, namespace: str = "default", **spec: Any
    ) -> Place:
        place = Place(self.root / namespace / name, world, **spec)
        described = manifest(name, **spec)
        described["metadata"]["namespace"] = namespace
        place.served.describe(load_registry(described))
        await place.sync()
        self.places[namespace, name] = place
        return place

    def find(self, namespace: str, name: str) -> Served | None:
        place = self.places.get((namespace, name))
        return place.served if place else None

    def every(self) -> list[Served]:
        return [place.served for _, place in sorted(self.places.items())]

    def client(self, guard: Guard | None = None, **options: Any) -> Client:
        aggregate = Aggregate(
            self.every,
            scope=self._scope,
            order=self._order,
            visible=guard.visible if guard else None,
        )
        options = {"fleet": Fleet(()), **options}
        if guard is not None:
            options = {"authorize": guard.authorize, **options}
        return Client(many(self, aggregate, Options(**options), lambda: NOW))


Authorize = Callable[..., Awaitable[Any]]

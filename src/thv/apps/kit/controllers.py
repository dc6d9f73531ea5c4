"""Which changes concern which registries, and the loop that acts on them.

In the flow: between the watches of a resource store and the reconciler of registries, in every shape of the
product.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime

from thv.apps.kit.loop import Controller, Key, Reconcile, feed
from thv.domain.canonical import JsonObject
from thv.domain.errors import ThvError
from thv.domain.registry import load_registry
from thv.domain.resources import CONFIG_MAP, MCP_REGISTRY, name_of, namespace_of
from thv.stores.resources.base import ResourceStore
from thv.sync.hierarchy import neighbour_of


class Concerns:
    """An index of who reads what, kept from the events of registries alone."""

    def __init__(self) -> None:
        self._config_maps: dict[Key, set[Key]] = {}
        self._neighbours: dict[Key, set[Key]] = {}
        self._snapshots: dict[Key, str] = {}

    def of_registry(self, obj: JsonObject, *, gone: bool) -> tuple[Key, list[Key]]:
        """The registry itself, and those that read it if its content changed."""
        key = (namespace_of(obj), name_of(obj))
        self._forget(key)
        digest = ""
        if not gone:
            digest = self._learn(key, obj)
        changed = self._snapshots.get(key, "") != digest
        self._snapshots[key] = digest
        return key, sorted(self._neighbours.get(key, ())) if changed else []

    def of_config_map(self, obj: JsonObject) -> list[Key]:
        """The registries that read a ConfigMap."""
        return sorted(self._config_maps.get((namespace_of(obj), name_of(obj)), ()))

    def _learn(self, key: Key, obj: JsonObject) -> str:
        try:
            registry = load_registry(obj)
        except ThvError:
            return ""  # the reconciler says so in its status
        source = registry.spec.source
        if source.config_map is not None:
            self._config_maps.setdefault((key[0], source.config_map.name), set()).add(key)
        neighbour = neighbour_of(registry)
        if neighbour:
            self._neighbours.setdefault((key[0], neighbour), set()).add(key)
        return registry.status.snapshot.digest if registry.status.snapshot else ""

    def _forget(self, key: Key) -> None:
        for readers in (*self._config_maps.values(), *self._neighbours.values()):
            readers.discard(key)


async def run_registries(
    store: ResourceStore, reconcile: Reconcile, clock: Callable[[], datetime], *, workers: int = 4
) -> None:
    """Keeps all registries of a store reconciled until it is cancelled."""
    controller = Controller(reconcile, clock, workers=workers)
    concerns = Concerns()

    async def registry_event(obj: JsonObject, gone: bool) -> Iterable[Key]:
        key, readers = concerns.of_registry(obj, gone=gone)
        for reader in readers:
            controller.enqueue(reader, hint=True)
        return (key,)

    async def config_map_event(obj: JsonObject, _gone: bool) -> Iterable[Key]:
        return concerns.of_config_map(obj)

    async with asyncio.TaskGroup() as group:
        group.create_task(feed(store, MCP_REGISTRY, registry_event, controller))
        group.create_task(feed(store, CONFIG_MAP, config_map_event, controller, hint=True))
        group.create_task(controller.run())

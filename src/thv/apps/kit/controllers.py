"""Which changes concern which registries, and the loop that acts on them.

In the flow: between the watches of a resource store and the reconciler of registries, in every shape of the
product.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol, TypeAlias

from thv.apps.kit.loop import Controller, Key, View, feed
from thv.domain.canonical import JsonObject
from thv.domain.errors import ThvError
from thv.domain.registry import SourceType, load_registry
from thv.domain.resources import (
    CONFIG_MAP,
    MCP_REGISTRY,
    Kind,
    label,
    metadata_of,
    name_of,
    namespace_of,
    resource_version_of,
)
from thv.stores.resources.base import ResourceStore
from thv.sync.hierarchy import is_reference, neighbour_of

SOURCE, CHUNKS = "source", "chunks"
"""Hints: the source of a registry seems to be new; a chunk of it seems to be lost."""

MANAGED = "app.kubernetes.io/managed-by=toolhive-registry"
"""Selects what the product keeps on a cluster."""

NEAR, FAR = "near", "far"
"""Lanes: a registry that reads something of its cluster waits for none whose source is somewhere else, and may be slow,
or not there at all."""
_FAR_TYPES = frozenset({SourceType.URL, SourceType.GIT, SourceType.REGISTRY, SourceType.OCI})


Saw: TypeAlias = Callable[[JsonObject, bool], None]
"""Told of an object and whether it is gone."""


class ReconcileRegistry(Protocol):
    """Brings one registry in step; returns when to come again."""

    def __call__(
        self, key: Key, *, source_changed: bool = False, chunks_lost: bool = False
    ) -> Awaitable[datetime | None]: ...


class _Readers:
    """Which registries read something of a name; what nobody reads any more is forgotten."""

    def __init__(self) -> None:
        self._by_name: dict[Key, set[Key]] = {}

    def add(self, name: Key, reader: Key) -> None:
        self._by_name.setdefault(name, set()).add(reader)

    def remove(self, name: Key, reader: Key) -> None:
        readers = self._by_name.get(name, set())
        readers.discard(reader)
        if not readers:
            self._by_name.pop(name, None)

    def of(self, name: Key) -> list[Key]:
        return sorted(self._by_name.get(name, ()))


class Concerns:
    """An index of who reads what, kept from the events of registries alone."""

    def __init__(self) -> None:
        self._config_maps = _Readers()
        self._neighbours = _Readers()
        self._read: dict[Key, list[tuple[_Readers, Key]]] = {}
        self._far: set[Key] = set()
        self._snapshots: dict[Key, str] = {}

    def of_registry(self, obj: JsonObject, *, gone: bool) -> list[Key]:
        """Those whose source seems to be new with this: who reads the registry, when its content changed.

        The registry itself, when it reads what it did not read before: nobody told it of that so far.
        """
        key = (namespace_of(obj), name_of(obj))
        before = self._read.get(key, [])
        self._forget(key)
        digest = ""
        if not gone:
            digest = self._learn(key, obj)
        changed = self._snapshots.pop(key, "") != digest
        if digest:
            self._snapshots[key] = digest
        begins = [key] if self._read.get(key, []) not in ([], before) else []
        return [*begins, *(self._neighbours.of(key) if changed else [])]

    def of_config_map(self, obj: JsonObject) -> list[Key]:
        """The registries that read a ConfigMap."""
        return self._config_maps.of((namespace_of(obj), name_of(obj)))

    def every(self, namespace: str) -> list[Key]:
        """The registries of a namespace."""
        return sorted(key for key in self._read if key[0] == namespace)

    def lane(self, key: Key) -> str:
        """Among whom a registry waits for its turn."""
        return FAR if key in self._far else NEAR

    def _learn(self, key: Key, obj: JsonObject) -> str:
        read = self._read.setdefault(key, [])
        try:
            registry = load_registry(obj)
        except ThvError:
            return ""  # the reconciler says so in its status
        source = registry.spec.source
        if source.type in _FAR_TYPES and not is_reference(registry):
            self._far.add(key)
        if source.config_map is not None:
            read.append((self._config_maps, (key[0], source.config_map.name)))
        neighbour = neighbour_of(registry)
        if neighbour:
            read.append((self._neighbours, (key[0], neighbour)))
        for readers, name in read:
            readers.add(name, key)
        return registry.status.snapshot.digest if registry.status.snapshot else ""

    def _forget(self, key: Key) -> None:
        self._far.discard(key)
        for readers, name in self._read.pop(key, ()):
            readers.remove(name, key)


class _Works(NamedTuple):
    """A version that only edits change, and whether a pod is ready."""

    version: str
    ready: bool


async def run_registries(
    store: ResourceStore,
    reconcile: ReconcileRegistry,
    clock: Callable[[], datetime],
    *,
    namespaces: Sequence[str | None] = (None,),
    owned: Iterable[Kind] = (),
    saw: Saw = lambda *_: None,
    saw_registry: Saw = lambda *_: None,
    workers: int = 4,
) -> None:
    """Keeps the registries of a store, or of some namespaces of it, reconciled until it is cancelled.

    `owned` are the kinds of objects that registries have beside their ConfigMaps; `saw` is told of each of them
    and whether it is gone, before its registry is looked at, and `saw_registry` of each registry. So many `workers`
    look after the registries of each lane.
    """

    async def reconcile_one(key: Key, hints: frozenset[str], /) -> datetime | None:
        return await reconcile(key, source_changed=SOURCE in hints, chunks_lost=CHUNKS in hints)

    concerns = Concerns()
    controller = Controller(reconcile_one, clock, workers=workers, lane=concerns.lane)
    shared: dict[tuple[str, str], _Works] = {}

    async def registry_event(obj: JsonObject, gone: bool) -> None:
        saw_registry(obj, gone)
        for reader in concerns.of_registry(obj, gone=gone):
            controller.enqueue(reader, hint=SOURCE)
        controller.enqueue((namespace_of(obj), name_of(obj)))

    async def config_map_event(obj: JsonObject, gone: bool) -> None:
        for key in concerns.of_config_map(obj):
            controller.enqueue(key, hint=SOURCE)
        owner = label(obj, "registry-name")
        if gone and owner:
            controller.enqueue((namespace_of(obj), owner), hint=CHUNKS)

    async def owned_event(obj: JsonObject, gone: bool) -> None:
        saw(obj, gone)
        owner = label(obj, "registry-name")
        if owner:
            controller.enqueue((namespace_of(obj), owner))
            return
        # What all registries of a namespace share concerns them when it begins or ceases to work.
        namespace, works = namespace_of(obj), _works(obj, gone=gone)
        if shared.get((str(obj.get("kind")), namespace)) != works:
            shared[str(obj.get("kind")), namespace] = works
            for key in concerns.every(namespace):
                controller.enqueue(key)

    async with asyncio.TaskGroup() as group:
        for namespace in namespaces:
            for view, take in (
                (View(kind=MCP_REGISTRY, namespace=namespace), registry_event),
                (View(kind=CONFIG_MAP, namespace=namespace, partial=True), config_map_event),
                *(
                    (View(kind=kind, namespace=namespace, selector=MANAGED), owned_event)
                    for kind in owned
                ),
            ):
                group.create_task(feed(store, view, take))
        group.create_task(controller.run())


def _works(obj: JsonObject, *, gone: bool) -> _Works:
    """What of a shared object the registries depend on."""
    status = obj.get("status")
    ready = status.get("readyReplicas", 0) if isinstance(status, dict) else 0
    version = "" if gone else str(metadata_of(obj).get("generation") or resource_version_of(obj))
    return _Works(version, bool(ready))

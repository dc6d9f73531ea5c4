"""One life of a registry, on one machine and on a cluster: the statuses are the same, uid and times aside."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.builders import array, manifest, server
from tests.contracts.cluster import a_client, a_namespace, install_kinds
from tests.contracts.resource_store.objects import until_gone
from tests.control_plane.plane import ControlPlane
from thv.apps.kit.engine import Engine, Places, Reach
from thv.clients.http.guard import NOTHING
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.domain.registry import load_registry
from thv.domain.resources import CONFIG_MAP, MCP_REGISTRY
from thv.domain.taxonomy import NO_TAXONOMY
from thv.stores.chunks.base import ChunkStore, Owner
from thv.stores.chunks.configmaps import ConfigMapChunks
from thv.stores.chunks.files import FileChunkStore
from thv.stores.resources.base import ResourceStore
from thv.stores.resources.kubernetes import KubernetesStore
from thv.stores.resources.sqlite import SqliteStore
from thv.sync.api import KnownApi
from thv.sync.reconcile import RegistryReconciler
from thv.sync.write import read_snapshot

PEOPLE = "kubectl"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_REVISION = re.compile(r'"revision":"\d+"')


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Life:
    """A registry over a ConfigMap, what people do to it, and what it says after each."""

    def __init__(
        self, store: ResourceStore, chunks: ChunkStore, namespace: str, folder: Path
    ) -> None:
        self.store = store
        self.namespace = namespace
        self.now = datetime.now(UTC).replace(microsecond=0)
        self.told: list[JsonObject] = []
        self._chunks = chunks
        self.engine = Engine(
            store,
            chunks,
            Places(mirrors=folder / "m", selections=folder / "s", git=folder / "g"),
            Reach(allow=lambda: NOTHING, denied_hint=""),
            taxonomy=NO_TAXONOMY,
            clock=lambda: self.now,
        )
        self._reconciler = RegistryReconciler(store, self.engine.tools, api=KnownApi())

    async def publish(self, content: bytes) -> None:
        obj = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "servers", "namespace": self.namespace},
            "data": {"registry.json": content.decode()},
        }
        await self.store.apply(obj, manager=PEOPLE)

    async def apply(self, **spec: Any) -> None:
        source = {"type": "configmap", "configMap": {"name": "servers"}}
        obj = manifest(namespace=self.namespace, source=source, **spec)
        await self.store.apply(obj, manager=PEOPLE)

    async def annotate(self, **annotations: str) -> None:
        values = {f"toolhive.stacklok.io/{k.replace('_', '-')}": v for k, v in annotations.items()}
        patch = {"metadata": {"annotations": values}}
        await self.store.merge(MCP_REGISTRY, self.namespace, "corp", patch, manager=PEOPLE)

    async def look(self, step: str, *, changed: bool = False, after: float = 60.0) -> None:
        """The reconciler comes by; what the registry says then is kept."""
        self.now += timedelta(seconds=after)
        key = (self.namespace, "corp")
        again = await self._reconciler.reconcile(key, source_changed=changed)
        self.told.append({"step": step, "again": again is not None, **await self._seen()})

    async def _seen(self) -> JsonObject:
        try:
            obj = await self.store.get(MCP_REGISTRY, self.namespace, "corp")
        except ThvError as error:
            return {"error": error.code}
        registry = load_registry(obj)
        served = []
        if registry.status.snapshot is not None:
            owner = Owner(registry.namespace, registry.name, registry.uid)
            records = read_snapshot(self._chunks, owner, registry.status.snapshot)
            served = [f"{r.name} {r.removed_at and 'removed'}" async for r in records]
        generation = obj["metadata"]["generation"]
        seen = {"status": obj["status"], "spec": obj["spec"], "generation": generation}
        return {**_plain(seen), "served": served}


def _plain(obj: JsonObject) -> JsonObject:
    """Without times, versions of the ConfigMap, and what names the kind of a store."""
    text = _TIME.sub("T", msgspec.json.encode(obj, order="sorted").decode())
    text = _REVISION.sub('"revision":"R"', text)
    plain: JsonObject = msgspec.json.decode(text)
    for pointer in ("snapshot", "previousSnapshot"):
        plain["status"].get(pointer, {}).pop("store", None)
    return plain


async def live(life: Life) -> None:
    """Create, change, spoil, repair, filter, suspend, ask for a sync, delete."""
    three = [server(f"io.example/{name}") for name in ("alpha", "beta", "gamma")]
    await life.apply()
    await life.look("without its ConfigMap")
    await life.publish(array(*three))
    await life.look("created", changed=True)
    await life.look("at rest")
    newer = server("io.example/beta", "1.1.0")
    await life.publish(array(*three[:2], newer))
    await life.look("another ConfigMap", changed=True)
    await life.publish(b'{"servers": [{"name": ')
    await life.look("a ConfigMap that is no JSON", changed=True)
    await life.publish(array(*three, newer))
    await life.look("repaired", changed=True)
    await life.apply(filter={"include": {"names": ["io.example/b*"]}})
    await life.look("filtered")
    await life.apply(syncPolicy={"enabled": False})
    await life.look("suspended, without the filter")
    await life.publish(array(three[0]))
    await life.look("suspended, another ConfigMap", after=7200.0)
    await life.annotate(sync_requested_at="now")
    await life.look("asked for")
    await life.apply(syncPolicy={"interval": "10m"})
    await life.look("back to normal")
    await life.look("when it is due", after=900.0)
    await life.store.delete(MCP_REGISTRY, life.namespace, "corp")
    await life.look("deleted")


@asynccontextmanager
async def on_one_machine(folder: Path, namespace: str) -> AsyncIterator[Life]:
    store = SqliteStore(folder / "resources.db", folder / "secrets")
    life = Life(store, FileChunkStore(folder / "chunks"), namespace, folder)
    try:
        yield life
    finally:
        await life.engine.close()
        await store.close()


@asynccontextmanager
async def on_a_cluster(plane: ControlPlane, folder: Path) -> AsyncIterator[Life]:
    install_kinds(plane)
    store = KubernetesStore(a_client(plane))
    with a_namespace(plane) as namespace:
        life = Life(store, ConfigMapChunks(store), namespace, folder)
        try:
            yield life
        finally:
            await life.engine.close()
            await store.close()


@pytest.mark.anyio
@pytest.mark.requirement("REG-02", "REG-13", "SYN-01")
async def test_a_registry_lives_the_same_life_on_one_machine_and_on_a_cluster(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    one, other = tmp_path / "machine", tmp_path / "cluster"
    one.mkdir()
    other.mkdir()
    async with (
        on_a_cluster(control_plane, other) as cluster,
        on_one_machine(one, cluster.namespace) as machine,
    ):
        since = (await cluster.store.list(CONFIG_MAP, cluster.namespace)).resource_version
        await live(machine)
        await live(cluster)
        for here, there in zip(machine.told, cluster.told, strict=True):
            assert _lines(here) == _lines(there), here["step"]
        said = [_ready(each) for each in machine.told]
        assert said[:4] == ["False", "True", "True", "True"]
        assert machine.told[-1]["error"] is Code.NOT_FOUND
        chunk = machine.told[-2]["status"]["snapshot"]["chunks"][0]["name"]
        await until_gone(cluster.store, CONFIG_MAP, cluster.namespace, chunk, since)


def _lines(told: JsonObject) -> list[str]:
    """So that a failure shows the line that differs."""
    return msgspec.json.format(msgspec.json.encode(told, order="sorted")).decode().splitlines()


def _ready(told: JsonObject) -> str:
    conditions = told.get("status", {}).get("conditions", ())
    return next((c["status"] for c in conditions if c["type"] == "Ready"), "")

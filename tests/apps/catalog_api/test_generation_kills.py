"""A catalog that ends at any of its writes to a real API server: the same request completes it, or nothing is left."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.catalog.generate.mortal import KilledError, Mortal
from tests.catalog.generate.requests import held, osv, request, wanted
from tests.contracts.cluster import CRDS, a_client, install_kinds
from tests.control_plane.plane import ControlPlane
from tests.sync.serving.cluster import operator_of
from thv.catalog.generate.create import create
from thv.catalog.generate.manifests import Generation, generate
from thv.catalog.generate.request import parse_request
from thv.clients.kube.config import from_environment
from thv.domain.pending import OF_REGISTRY, is_pending
from thv.domain.registry import load_registry
from thv.domain.resources import (
    CONFIG_MAP,
    MCP_REGISTRY,
    TOOL_CONFIG,
    annotations_of,
    labels_of,
    metadata_of,
)
from thv.stores.resources.kubernetes import KubernetesStore
from thv.sync.expire import expire

pytestmark = pytest.mark.flows

WRITES = 4
"""Registry, ConfigMap, MCPToolConfig, and the registry once more."""
POINTS = [(writes, after) for writes in range(WRITES) for after in (False, True)]


@pytest.fixture(scope="module", autouse=True)
def _kinds(control_plane: ControlPlane) -> None:
    install_kinds(control_plane, CRDS, CRDS.parent / "optional")


def selection(namespace: str, name: str) -> Generation:
    chosen = wanted("osv", tools_filter=["scan"], tool_overrides={"scan": {"name": "corp"}})
    body = request(chosen, metadata={"registry_name": name})
    return generate(parse_request(body, namespace), [held(osv())])


def now() -> datetime:
    return datetime.now(UTC)


def run(plane: ControlPlane, work: Callable[[KubernetesStore], Awaitable[Any]]) -> Any:
    """As cluster admin."""

    async def with_store() -> Any:
        store = KubernetesStore(a_client(plane))
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(with_store())


async def killed(store: KubernetesStore, made: Generation, writes: int, *, after: bool) -> None:
    with pytest.raises(KilledError):
        await create(Mortal(store, writes, after=after), made, now())


async def state(store: KubernetesStore, namespace: str, name: str) -> dict[str, Any]:
    """Everything that was made, without what differs from run to run."""
    found: dict[str, Any] = {}
    for kind in (CONFIG_MAP, TOOL_CONFIG, MCP_REGISTRY):
        for obj in (await store.list(kind, namespace)).items:
            if labels_of(obj).get("toolhive.stacklok.io/registry-name") == name:
                told = {k: v for k, v in annotations_of(obj).items() if k != OF_REGISTRY}
                label = metadata_of(obj)["name"].removeprefix(name)
                found[f"{kind.kind}{label}"] = (told, obj.get("data"), obj.get("spec"))
    return found


@pytest.mark.requirement("CAT-07")
def test_killed_at_any_write_the_same_request_completes_it(
    control_plane: ControlPlane, namespace: str
) -> None:
    async def work(store: KubernetesStore) -> None:
        await create(store, selection(namespace, "whole"), now())
        for place, (writes, after) in enumerate(POINTS[:-1]):  # after the last one it is whole
            made = selection(namespace, f"killed-{place}")
            await killed(store, made, writes, after=after)
            await create(store, made, now())
            found = await state(store, namespace, f"killed-{place}")
            assert renamed(found, f"killed-{place}") == renamed(
                await state(store, namespace, "whole"), "whole"
            )

    run(control_plane, work)


def renamed(found: dict[str, Any], name: str) -> str:
    return repr(found).replace(name, "NAME")


@pytest.fixture
def operator(control_plane: ControlPlane) -> Path:
    """Somebody with the rights of the operator, as they are shipped."""
    return operator_of(control_plane)


@pytest.mark.requirement("CAT-07")
def test_killed_at_any_write_nothing_is_left_after_ten_minutes(
    control_plane: ControlPlane, namespace: str, operator: Path
) -> None:
    async def work(store: KubernetesStore) -> None:
        theirs = KubernetesStore(from_environment({}, kubeconfig=str(operator)))
        for place, (writes, after) in enumerate(POINTS[:-1]):
            name = f"expired-{place}"
            await killed(store, selection(namespace, name), writes, after=after)
            for obj in (await theirs.list(MCP_REGISTRY, namespace, name=name)).items:
                registry = load_registry(obj)
                assert is_pending(registry)
                assert await expire(theirs, registry, now()) is not None
                await expire(theirs, registry, now() + timedelta(minutes=11))
            assert await state(store, namespace, name) == {}
        await theirs.close()

    run(control_plane, work)

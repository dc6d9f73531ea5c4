"""Installed servers, and a fleet that follows them in a store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from thv.apps.registry_api.fleet import Fleet, ServedKinds, kept_here
from thv.domain.canonical import JsonObject
from thv.domain.resources import GROUP, MCP_SERVER, OLD_PREFIX, PREFIX
from thv.stores.resources.base import ResourceStore

PATIENCE = 30.0


def an_installed(
    name: str,
    image: str,
    *,
    namespace: str = "default",
    prefix: str = PREFIX,
    version: str = "",
    **labels: str,
) -> JsonObject:
    """A server with these labels of ours, spelled with underscores."""
    told = {f"{prefix}{key.replace('_', '-')}": value for key, value in labels.items()}
    metadata: JsonObject = {"name": name, "namespace": namespace, "labels": told}
    if version:
        metadata["annotations"] = {f"{prefix}server-version": version}
    return {
        "apiVersion": MCP_SERVER.api_version,
        "kind": MCP_SERVER.kind,
        "metadata": metadata,
        "spec": {"image": image, "transport": "stdio"},
    }


def of_toolhive(name: str, image: str, **more: Any) -> JsonObject:
    """The same under the labels of ToolHive."""
    return an_installed(name, image, prefix=OLD_PREFIX, **more)


async def install(store: ResourceStore, *objects: JsonObject) -> None:
    for obj in objects:
        await store.apply(obj, manager="tests", force=True)


async def runs(store: ResourceStore, name: str, *, namespace: str = "default") -> None:
    """As whoever runs servers says it."""
    status = {"phase": "Running", "url": f"http://mcp-{name}-proxy:8080"}
    head = {"apiVersion": f"{GROUP}/v1alpha1", "kind": "MCPServer"}
    metadata = {"name": name, "namespace": namespace}
    await store.apply_status({**head, "metadata": metadata, "status": status}, manager="runner")


@asynccontextmanager
async def followed(
    fleet: Fleet, store: ResourceStore, kinds: ServedKinds = kept_here
) -> AsyncIterator[Fleet]:
    """It knows everything that is there, and what comes."""
    task = asyncio.ensure_future(fleet.follow(store, kinds))
    await until(lambda: fleet.is_told)
    try:
        yield fleet
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not holds():  # noqa: ASYNC110 # a fleet tells nobody
            await asyncio.sleep(0.002)


def names(fleet: Fleet) -> list[str]:
    return [place.name for place, _ in fleet.every()]

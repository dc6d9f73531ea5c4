"""Waits until a registry that was generated serves what was asked for.

In the flow: after the writes, where the caller wants to wait.
"""

from __future__ import annotations

import asyncio

from thv.apps.catalog_api.catalog import Catalog
from thv.domain.canonical import JsonObject
from thv.domain.errors import ThvError
from thv.domain.registry import Registry, load_registry
from thv.domain.resources import MCP_REGISTRY, name_of, namespace_of
from thv.stores.resources.base import ResourceStore
from thv.sync.due import requested

_EVERY = 0.3


async def until_ready(
    catalog: Catalog, store: ResourceStore, registry: JsonObject, seconds: int
) -> JsonObject:
    """The registry once its sync has ended, well or not, and the catalog serves it; or after so many seconds."""
    found = registry
    try:
        async with asyncio.timeout(seconds):
            while not _has_ended(load_registry(found)) or not _is_told(catalog, found):
                await asyncio.sleep(_EVERY)
                found = await store.get(MCP_REGISTRY, namespace_of(registry), name_of(registry))
    except (TimeoutError, ThvError):
        pass  # what was asked for is there; how far it has come can be asked again
    return found


def _has_ended(registry: Registry) -> bool:
    status = registry.status
    is_handled = status.last_handled_sync_request == requested(registry)
    ready = next((each for each in status.conditions if each.type == "Ready"), None)
    # Without content it failed; with content its API may still be starting.
    has_failed = status.snapshot is None
    return is_handled and ready is not None and (ready.status == "True" or has_failed)


def _is_told(catalog: Catalog, obj: JsonObject) -> bool:
    """Whether the catalog has what the registry has, so that whoever waited finds it there."""
    snapshot = load_registry(obj).status.snapshot
    if snapshot is None:
        return True
    served = catalog.registries.find(namespace_of(obj), name_of(obj))
    if served is None or served.model is None:
        return False
    return served.view().generation.digest == snapshot.digest

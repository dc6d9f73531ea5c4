"""Takes away registries that somebody began to generate and nobody completed.

In the flow: in place of a sync, while a registry is marked as pending.
"""

from __future__ import annotations

from datetime import datetime

from thv.domain.errors import Code, ThvError
from thv.domain.pending import OF_REGISTRY, expires_at, parts_of
from thv.domain.registry import Registry
from thv.domain.resources import (
    CONFIG_MAP,
    MCP_REGISTRY,
    TOOL_CONFIG,
    Kind,
    annotations_of,
    name_of,
    uid_of,
)
from thv.stores.resources.base import ResourceStore


async def expire(store: ResourceStore, registry: Registry, now: datetime) -> datetime | None:
    """Removes a pending registry whose time is over, with all that was made for it; when to come again otherwise.

    The registry goes last: as long as it is there, what is left of the rest is found.
    """
    at = expires_at(registry)
    if at > now:
        return at
    for kind in (CONFIG_MAP, TOOL_CONFIG):
        await _remove_parts(store, kind, registry)
    as_it_was = {"uid": registry.uid, "resource_version": registry.resource_version}
    await _remove(store, MCP_REGISTRY, registry.namespace, registry.name, **as_it_was)
    return None


async def _remove_parts(store: ResourceStore, kind: Kind, registry: Registry) -> None:
    selector = parts_of(registry.name)
    try:
        found = (await store.list(kind, registry.namespace, selector=selector)).items
    except ThvError as error:
        if error.code is not Code.NOT_FOUND:  # a cluster without that kind has none
            raise
        return
    for obj in found:
        if annotations_of(obj).get(OF_REGISTRY) == registry.uid:
            await _remove(store, kind, registry.namespace, name_of(obj), uid=uid_of(obj))


async def _remove(
    store: ResourceStore, kind: Kind, namespace: str, name: str, **as_it_was: str
) -> None:
    """What somebody has written since is left, and looked at again."""
    try:
        await store.delete(kind, namespace, name, **as_it_was)
    except ThvError as error:
        if error.code not in (Code.NOT_FOUND, Code.CONFLICT):
            raise

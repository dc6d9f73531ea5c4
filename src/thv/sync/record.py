"""Writes the status of one registry, and never over what somebody else wrote meanwhile.

In the flow: a reconcile opens a record of the registry that it read and writes through it. A stale read, or a
process that slept while another one took over, meets a conflict here instead of undoing newer work.
"""

from __future__ import annotations

import asyncio

from thv.domain.errors import Code, ThvError
from thv.domain.registry import Registry, dump_status, load_registry
from thv.domain.registry_status import RegistryStatus
from thv.domain.resources import MCP_REGISTRY
from thv.stores.resources.base import ResourceStore

MANAGER = "toolhive-registry"
_ATTEMPTS = 5


class StatusRecord:
    """The status of one registry from one reading on."""

    def __init__(self, store: ResourceStore, registry: Registry) -> None:
        self._store = store
        self._registry = registry
        self._version = registry.resource_version
        self._status = registry.status
        self._writing = asyncio.Lock()

    async def write(self, status: RegistryStatus) -> bool:
        """Writes the whole status; False when the registry is gone.

        An edit of the spec or of annotations meanwhile does not matter; raises CONFLICT when the status is not
        the one that this record knows.
        """
        async with self._writing:
            for attempt in range(_ATTEMPTS):
                try:
                    return await self._apply(status)
                except ThvError as error:
                    if error.code is Code.NOT_FOUND:
                        return False
                    if error.code is not Code.CONFLICT or attempt == _ATTEMPTS - 1:
                        raise
                if not await self._again():
                    return False
        return False

    async def _apply(self, status: RegistryStatus) -> bool:
        registry = self._registry
        obj = {
            "apiVersion": MCP_REGISTRY.api_version,
            "kind": MCP_REGISTRY.kind,
            "metadata": {
                "namespace": registry.namespace,
                "name": registry.name,
                "uid": registry.uid,
                "resourceVersion": self._version,
            },
            "status": dump_status(status),
        }
        written = load_registry(await self._store.apply_status(obj, manager=MANAGER))
        self._version, self._status = written.resource_version, written.status
        return True

    async def _again(self) -> bool:
        """Takes note of an edit that leaves the status alone; False when the registry is gone."""
        registry = self._registry
        try:
            obj = await self._store.get(MCP_REGISTRY, registry.namespace, registry.name)
        except ThvError as error:
            if error.code is Code.NOT_FOUND:
                return False
            raise
        now = load_registry(obj)
        if now.uid != registry.uid:
            return False
        if now.status != self._status:
            raise ThvError(
                Code.CONFLICT,
                f"the status of {MCP_REGISTRY.subject(registry.name)} was written by another process",
                hint="It is looked at again.",
            )
        self._version = now.resource_version
        return True

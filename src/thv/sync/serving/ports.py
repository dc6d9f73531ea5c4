"""Which port of the shared pods serves which registry.

In the flow: a registry gets its port before its Service is made. The Services that are there are the truth, read
once a namespace; a registry that comes back under its name gets the port that it had, unless somebody else has it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable

from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.domain.resources import SERVICE, label, name_of
from thv.stores.resources.base import ResourceStore
from thv.sync.serving.listing import listed
from thv.sync.serving.names import COMPONENT, MANAGED_BY, MANAGER
from thv.sync.serving.network import SHARED_PORTS, target_port_of

_SERVICES = f"{MANAGED_BY}={MANAGER},{COMPONENT}=api"


class PortTable:
    """The ports of all namespaces of one process."""

    def __init__(self, store: ResourceStore) -> None:
        self._store = store
        self._ports: dict[str, dict[str, int]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def port_of(self, namespace: str, registry: str) -> int:
        """The port of this registry, the same each time; raises STORE_FULL when the namespace has no more."""
        async with self._locks.setdefault(namespace, asyncio.Lock()):
            if namespace not in self._ports:
                self._ports[namespace] = await self._read(namespace)
            ports = self._ports[namespace]
            if registry not in ports and len(ports) >= len(SHARED_PORTS):
                ports = self._ports[namespace] = await self._read(namespace)
            if registry not in ports:
                ports[registry] = free_port(namespace, registry, ports.values())
            return ports[registry]

    def forget(self) -> None:
        """Services are read again."""
        self._ports.clear()

    def release(self, namespace: str, registry: str) -> None:
        """The registry needs its port no more."""
        self._ports.get(namespace, {}).pop(registry, None)

    async def _read(self, namespace: str) -> dict[str, int]:
        return taken_ports(
            [service async for service in listed(self._store, SERVICE, namespace, _SERVICES)]
        )


def taken_ports(services: Iterable[JsonObject]) -> dict[str, int]:
    """Registries to ports; of two registries with one port the first keeps it."""
    ports: dict[str, int] = {}
    taken: set[int] = set()
    for service in sorted(services, key=name_of):
        registry, port = label(service, "registry-name"), target_port_of(service)
        if registry and port is not None and port not in taken:
            ports[registry] = port
            taken.add(port)
    return ports


def free_port(namespace: str, registry: str, taken: Iterable[int]) -> int:
    """A port that nobody has: one that the name leads to, or the next free one."""
    used = set(taken)
    start = int.from_bytes(hashlib.sha256(f"{namespace}/{registry}".encode()).digest()[:4], "big")
    for step in range(len(SHARED_PORTS)):
        port = SHARED_PORTS[(start + step) % len(SHARED_PORTS)]
        if port not in used:
            return port
    raise ThvError(
        Code.STORE_FULL,
        f'namespace "{namespace}" has no free port for another shared registry: all {len(SHARED_PORTS)} are taken',
        hint="Set spec.api.mode to dedicated, or put the registry into another namespace.",
    )

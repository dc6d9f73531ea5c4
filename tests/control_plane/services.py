"""Leads what is sent to the address of a Service to its ready pods, as kube-proxy does it on a node."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, suppress
from typing import NamedTuple

from tests.control_plane.connections import Connections, Serve
from tests.control_plane.plane import Json
from tests.control_plane.pod_status import is_ready
from tests.control_plane.probes import port_of

_PIECE = 1 << 16


class Address(NamedTuple):
    host: str
    port: int


Targets = dict[Address, tuple[Address, ...]]
"""Where connections to the address of a Service go, in turns."""


def targets_of(services: Iterable[Json], pods: Iterable[Json], ready: Mapping[str, str]) -> Targets:
    """Services without a ready pod are left out: their ports refuse connections.

    `ready` are addresses by uid of pods of which that is known already, although Kubernetes may not say so yet.
    """
    by_namespace: dict[str, list[Json]] = {}
    for pod in pods:
        by_namespace.setdefault(pod["metadata"]["namespace"], []).append(pod)
    found: Targets = {}
    for service in services:
        chosen = by_namespace.get(service["metadata"]["namespace"], ())
        taken = [pod for pod in chosen if _takes(service, pod, ready)]
        found.update(_targets(service, taken, ready))
    return found


def _targets(
    service: Json, pods: list[Json], ready: Mapping[str, str]
) -> Iterator[tuple[Address, tuple[Address, ...]]]:
    spec = service["spec"]
    if spec.get("clusterIP") in (None, "", "None") or not pods:
        return
    for port in spec.get("ports", ()):
        ends = tuple(end for pod in pods for end in _ends(port, pod, ready))
        if ends and port.get("protocol", "TCP") == "TCP":
            yield Address(spec["clusterIP"], port["port"]), ends


def _ends(port: Json, pod: Json, ready: Mapping[str, str]) -> Iterator[Address]:
    """Where a pod answers, unless it does not have the port."""
    wanted: int | str = port.get("targetPort") or port["port"]
    ports = [each for container in pod["spec"]["containers"] for each in container.get("ports", ())]
    address = ready.get(pod["metadata"]["uid"]) or pod["status"].get("podIP")
    with suppress(ValueError):
        if address:
            yield Address(address, port_of(wanted, {"ports": ports}))


def _takes(service: Json, pod: Json, ready: Mapping[str, str]) -> bool:
    selector, labels = service["spec"].get("selector"), pod["metadata"].get("labels", {})
    if not selector or "deletionTimestamp" in pod["metadata"]:
        return False
    fits = all(labels.get(name) == value for name, value in selector.items())
    known = is_ready(pod.get("status", {})) or pod["metadata"]["uid"] in ready
    return fits and (known or service["spec"].get("publishNotReadyAddresses", False))


class Forwarder:
    """One listener for each address that leads somewhere."""

    def __init__(self) -> None:
        self._targets: Targets = {}
        self._servers: dict[Address, asyncio.Server] = {}
        self._turns: dict[Address, Iterator[int]] = {}
        self._connections = Connections()
        self._one_at_a_time = asyncio.Lock()

    async def lead(self, targets: Targets) -> None:
        self._targets = targets
        async with self._one_at_a_time:
            await self._listen()

    async def _listen(self) -> None:
        targets = self._targets
        for address in self._servers.keys() - targets.keys():
            self._servers.pop(address).close()
        for address in targets.keys() - self._servers.keys():
            self._turns.setdefault(address, itertools.count())
            with suppress(OSError):  # a pod that listens everywhere listens here as well
                self._servers[address] = await asyncio.start_server(
                    self._connections.served_by(self._serve(address)), *address, backlog=1024
                )

    async def close(self) -> None:
        for server in self._servers.values():
            server.close()
        await self._connections.close()

    def _serve(self, address: Address) -> Serve:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            ends = self._targets.get(address, ())
            with closing(writer):
                try:
                    end = ends[next(self._turns[address]) % len(ends)]
                    there = await asyncio.open_connection(*end)
                except (OSError, ZeroDivisionError):
                    writer.transport.abort()
                    return
                with closing(there[1]):
                    await asyncio.gather(_copy(reader, there[1]), _copy(there[0], writer))

        return serve


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One direction until its end; a reset is passed on as one."""
    try:
        while piece := await reader.read(_PIECE):
            writer.write(piece)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except OSError:
        writer.transport.abort()

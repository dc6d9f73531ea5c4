"""What belongs to a registry of a cluster: what it reads, what it is served by, and the servers that came from it.

In the flow: the tree of a registry on a cluster. Objects are found by the labels that the operator gives them, pods
by the selector of the Service; all kinds are asked for at once. A kind that the user may not list is named, not an
error: a tree of what one may see is worth having.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from thv.apps.cli.registries import Shelf
from thv.apps.cli.tree.nodes import Node
from thv.apps.cli.tree.sources import chunk_nodes, read_from
from thv.apps.cli.tree.states import state_of
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.domain.resources import (
    CONFIG_MAP,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    NETWORK_POLICY,
    OLD_PREFIX,
    POD,
    PREFIX,
    ROLE,
    ROLE_BINDING,
    SERVER_KINDS,
    SERVICE,
    SERVICE_ACCOUNT,
    Kind,
    metadata_of,
    name_of,
    uid_of,
)
from thv.stores.chunks.base import StoredChunk
from thv.stores.resources.base import ResourceStore
from thv.sync.serving.names import controller_of, selector_of

REPLICA_SET = Kind(
    group="apps", version="v1", kind="ReplicaSet", plural="replicasets", short_names=("rs",)
)
_OWN = (SERVICE_ACCOUNT, ROLE, ROLE_BINDING, NETWORK_POLICY, DISRUPTION_BUDGET, SERVICE)
_RUNNING = (DEPLOYMENT, REPLICA_SET, POD)


async def tree_there(shelf: Shelf) -> tuple[Node, list[str]]:
    """The registry with what belongs to it, and the kinds that the user may not list."""
    world = _World(shelf.place.resources, shelf.namespace)
    label = f"{PREFIX}registry-name={shelf.name}"
    chunks, sources, own = await asyncio.gather(
        world.listed(CONFIG_MAP, f"{PREFIX}component=snapshot,{label}", partial=True),
        read_from(shelf),
        asyncio.gather(*(world.listed(kind, label) for kind in _OWN)),
    )
    services = own[_OWN.index(SERVICE)]
    running, servers = await asyncio.gather(
        _running(world, _pods_of(shelf.name, services)), _servers(world, shelf.name)
    )
    stored = {name_of(each): StoredChunk(name_of(each), 0.0) for each in chunks}
    children = (
        *sources,
        *chunk_nodes(shelf.registry.status, stored, CONFIG_MAP.singular),
        *(_node(obj) for objects in own for obj in objects),
        *running,
        *(_node(server) for server in servers),
    )
    return _node(shelf.obj, children), sorted(world.unseen)


class _World:
    """The objects of one namespace, as far as they may be seen."""

    def __init__(self, store: ResourceStore, namespace: str) -> None:
        self._store = store
        self._namespace = namespace
        self.unseen: set[str] = set()

    async def listed(self, kind: Kind, selector: str, *, partial: bool = False) -> list[JsonObject]:
        """The objects; none of a kind that the cluster does not know or that may not be listed."""
        try:
            found = await self._store.list(
                kind, self._namespace, selector=selector, partial=partial
            )
        except ThvError as error:
            if error.code is Code.FORBIDDEN:
                self.unseen.add(kind.plural)
            elif not error.details.get("unknownKind"):
                raise
            return []
        return found.items


def _pods_of(registry: str, services: Iterable[JsonObject]) -> str:
    """The selector of the pods: what the Service leads to, which may be pods that registries share."""
    selectors = ((service.get("spec") or {}).get("selector") for service in services)
    chosen: Mapping[str, str] = next((each for each in selectors if each), selector_of(registry))
    return ",".join(f"{key}={value}" for key, value in sorted(chosen.items()))


async def _running(world: _World, selector: str) -> list[Node]:
    """Deployments with their replica sets and pods; what nobody here controls stands by itself."""
    kinds = await asyncio.gather(*(world.listed(kind, selector) for kind in _RUNNING))
    objects = [obj for listed in kinds for obj in listed if not _is_former(obj)]
    known = {uid_of(obj) for obj in objects}
    below: dict[str, list[JsonObject]] = {}
    for obj in objects:
        owner = str(controller_of(obj).get("uid", ""))
        below.setdefault(owner if owner in known else "", []).append(obj)
    return [_nested(obj, below) for obj in below.get("", [])]


def _nested(obj: JsonObject, below: Mapping[str, list[JsonObject]]) -> Node:
    return _node(obj, tuple(_nested(each, below) for each in below.get(uid_of(obj), [])))


def _is_former(obj: JsonObject) -> bool:
    """A replica set that is kept for a rollback alone."""
    wanted, there = (
        (obj.get("spec") or {}).get("replicas"),
        (obj.get("status") or {}).get("replicas"),
    )
    return obj.get("kind") == REPLICA_SET.kind and not wanted and not there


async def _servers(world: _World, registry: str) -> list[JsonObject]:
    """MCPServers that carry the registry's label, under either prefix, each once."""
    selectors = [f"{prefix}registry-name={registry}" for prefix in (PREFIX, OLD_PREFIX)]
    lists = await asyncio.gather(
        *(world.listed(kind, selector) for kind in SERVER_KINDS for selector in selectors)
    )
    servers = {uid_of(server): server for servers in lists for server in servers}
    return sorted(servers.values(), key=name_of)


def _node(obj: JsonObject, children: tuple[Node, ...] = ()) -> Node:
    return Node(
        kind=str(obj.get("kind", "")).lower(),
        name=name_of(obj),
        state=state_of(obj),
        created=str(metadata_of(obj).get("creationTimestamp", "")),
        children=children,
    )

"""What a registry reads from, and the chunks of what it serves: alike on a cluster and on one machine."""

from __future__ import annotations

from collections.abc import Mapping

from thv.apps.cli.registries import Shelf
from thv.apps.cli.tree.nodes import Node, State
from thv.apps.cli.tree.states import state_of
from thv.domain.errors import Code, ThvError
from thv.domain.registry import Registry
from thv.domain.registry_status import RegistryStatus
from thv.domain.resources import CONFIG_MAP, MCP_REGISTRY, SECRET, Kind, metadata_of
from thv.stores.chunks.base import Owner, StoredChunk

GONE = State("False", "missing")
_UNREADABLE = State("Unknown", "you may not read it")
_ROLES = {CONFIG_MAP: "read by it", SECRET: "credential"}


async def read_from(shelf: Shelf) -> list[Node]:
    """The objects that the spec names and a sync needs."""
    return [await _named(shelf, kind, name) for kind, name in _references(shelf.registry)]


def _references(registry: Registry) -> list[tuple[Kind, str]]:
    source = registry.spec.source
    named: list[tuple[Kind, str]] = []
    if source.config_map:
        named.append((CONFIG_MAP, source.config_map.name))
    if source.registry and source.registry.registry_ref:
        named.append((MCP_REGISTRY, source.registry.registry_ref.name))
    for block in (source.url, source.git, source.registry):
        secrets = (getattr(block, key, None) for key in ("auth_secret", "headers_secret"))
        named += [(SECRET, secret.name) for secret in secrets if secret]
        roots = getattr(block, "ca_config_map", None)
        named += [(CONFIG_MAP, roots.name)] if roots else []
    return list(dict.fromkeys(named))


async def _named(shelf: Shelf, kind: Kind, name: str) -> Node:
    """An object of the namespace; of what is no registry only the metadata is read."""
    partial = kind is not MCP_REGISTRY
    try:
        listed = await shelf.place.resources.list(kind, shelf.namespace, name=name, partial=partial)
    except ThvError as error:
        if error.code is not Code.FORBIDDEN:
            raise
        return Node(kind=kind.singular, name=name, state=_UNREADABLE)
    if not listed.items:
        return Node(kind=kind.singular, name=name, state=GONE)
    obj = listed.items[0]
    state = State("", _ROLES[kind]) if partial else state_of(obj)
    created = str(metadata_of(obj).get("creationTimestamp", ""))
    return Node(kind=kind.singular, name=name, state=state, created=created)


async def chunks_of(shelf: Shelf, kind: str) -> list[Node]:
    """The chunks that lie there, and those that ought to."""
    registry = shelf.registry
    owner = Owner(registry.namespace, registry.name, registry.uid)
    stored = {chunk.name: chunk for chunk in await shelf.place.chunks.list(owner)}
    return chunk_nodes(registry.status, stored, kind)


def chunk_nodes(status: RegistryStatus, stored: Mapping[str, StoredChunk], kind: str) -> list[Node]:
    """In the order of the snapshot; those of former snapshots, which are removed in time, come last."""
    refs = status.snapshot.chunks if status.snapshot else ()
    said = {
        ref.name: f"snapshot {place} of {len(refs)}, {ref.bytes:,} bytes"
        for place, ref in enumerate(refs, 1)
    }
    left_out = status.statistics.left_out if status.statistics else None
    if left_out is not None:
        said[left_out.name] = f"what is left out, {left_out.bytes:,} bytes"
    current = {name: State("", text) if name in stored else GONE for name, text in said.items()}
    former = {name: State("", "former") for name in sorted(stored.keys() - said.keys())}
    return [Node(kind=kind, name=name, state=state) for name, state in (current | former).items()]

"""What sources need of a resource store: ConfigMaps, Secrets, and the snapshots of other registries.

In the flow: handed to the sources by the wiring of a door, each bound to one namespace.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator, Mapping

from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.domain.registry import Registry, load_registry
from thv.domain.resources import (
    CONFIG_MAP,
    MCP_REGISTRY,
    SECRET,
    Kind,
    annotation,
    resource_version_of,
)
from thv.domain.roles import SOURCE_READER
from thv.domain.snapshot import Record
from thv.sources.base import ConfigMapData, SecretData
from thv.sources.credentials import parse_allowed_hosts
from thv.stores.chunks.base import ChunkStore, Owner
from thv.stores.resources.base import ResourceStore
from thv.sync.write import read_snapshot


class NamespaceReader:
    """Reads objects of one namespace; no source can reach another one."""

    def __init__(
        self, store: ResourceStore, chunks: ChunkStore, namespace: str, *, reader: str = ""
    ) -> None:
        """`reader` is the service account that reads, as `namespace:name`, where there are such."""
        self._store = store
        self._chunks = chunks
        self._namespace = namespace
        self._reader = reader

    async def config_map_data(self, name: str) -> ConfigMapData:
        """Data and binaryData of a ConfigMap, with its version; raises SOURCE_NOT_FOUND."""
        obj = await self._get(CONFIG_MAP, name, Code.SOURCE_NOT_FOUND)
        texts = {key: value.encode() for key, value in (obj.get("data") or {}).items()}
        binary = {key: _decoded(value) for key, value in (obj.get("binaryData") or {}).items()}
        return ConfigMapData({**texts, **binary}, resource_version_of(obj))

    async def config_map(self, name: str) -> dict[str, bytes]:
        """Data and binaryData of a ConfigMap; raises SOURCE_NOT_FOUND."""
        return (await self.config_map_data(name)).values

    async def secret(self, name: str) -> SecretData:
        """The values of a Secret and the hosts it is bound to; raises SECRET_NOT_FOUND."""
        try:
            obj = await self._get(SECRET, name, Code.SECRET_NOT_FOUND)
        except ThvError as error:
            if error.code is not Code.FORBIDDEN or not self._reader:
                raise
            raise self._forbidden(name) from error
        values = {key: _decoded(value) for key, value in (obj.get("data") or {}).items()}
        return SecretData(values, parse_allowed_hosts(annotation(obj, "allowed-hosts") or ""))

    def _forbidden(self, name: str) -> ThvError:
        """Owners of namespaces decide which Secrets are read; the message has the command that lets us."""
        command = (
            f"kubectl create rolebinding -n {self._namespace} source-reader"
            f" --clusterrole={SOURCE_READER} --serviceaccount={self._reader}"
        )
        return ThvError(Code.SECRET_FORBIDDEN, f'Secret "{name}": {command}', hint=command)

    async def find(self, registry: str) -> Registry | None:
        """The registry of this name; None when there is none that can be read."""
        try:
            return load_registry(await self._store.get(MCP_REGISTRY, self._namespace, registry))
        except ThvError as error:
            if error.code not in (Code.NOT_FOUND, Code.INVALID):
                raise
            return None

    async def digest(self, registry: str) -> str:
        """Digest of what a registry serves, `""` before its first snapshot."""
        snapshot = (await self._registry(registry)).status.snapshot
        return snapshot.digest if snapshot else ""

    async def records(self, registry: str) -> AsyncIterator[Record]:
        """What a registry serves, in key order."""
        found = await self._registry(registry)
        owner = Owner(found.namespace, found.name, found.uid)
        if found.status.snapshot is not None:
            async for record in read_snapshot(self._chunks, owner, found.status.snapshot):
                yield record

    async def _registry(self, name: str) -> Registry:
        return load_registry(await self._get(MCP_REGISTRY, name, Code.SOURCE_NOT_FOUND))

    async def _get(self, kind: Kind, name: str, missing: Code) -> JsonObject:
        try:
            return await self._store.get(kind, self._namespace, name)
        except ThvError as error:
            if error.code is not Code.NOT_FOUND:
                raise
            raise ThvError(
                missing,
                f'there is no {kind.kind} "{name}" in the namespace "{self._namespace}"',
                hint=_HINTS[missing].format(name=name),
            ) from error


_HINTS: Mapping[Code, str] = {
    Code.SECRET_NOT_FOUND: "Create it: thv secret create {name} --from-stdin",
    Code.SOURCE_NOT_FOUND: "Create it, or correct the name in spec.source.",
}


def readable(objects: list[JsonObject]) -> list[Registry]:
    """The registries among objects; one that cannot be read concerns nobody else."""
    registries: list[Registry] = []
    for obj in objects:
        try:
            registries.append(load_registry(obj))
        except ThvError:
            continue
    return registries


def _decoded(value: str) -> bytes:
    try:
        return base64.b64decode(value.replace("\n", "").replace("\r", ""), validate=True)
    except (binascii.Error, ValueError):
        return b""

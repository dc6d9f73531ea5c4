"""The objects that have a cluster, or one machine, serve what is in a bundle.

In the flow: behind `parts`, where they become a file, and when a bundle is loaded. A registry that no ConfigMap holds is
loaded on one machine, or fetched by its URL.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable, Iterator

import msgspec

from thv.catalog.generate.files import documents
from thv.catalog.generate.manifests import DATA_LIMIT, GENERATED_FROM, TEXT_LIMIT
from thv.domain.canonical import JsonObject
from thv.domain.resources import CONFIG_MAP, MCP_REGISTRY, Kind
from thv.formats.bundle import Catalog

_KEY, _PACKED_KEY = "registry.json", "registry.json.gz"
_GZIP = 31
"""Window and header of a gzip member; its time is zero."""


def registry_of(catalog: Catalog, source: JsonObject) -> JsonObject:
    """The MCPRegistry that reads its entries there."""
    said = {"displayName": catalog.title, "description": catalog.description}
    return _object(MCP_REGISTRY, catalog.name, catalog) | {
        "spec": {
            **{field: text for field, text in said.items() if text},
            "trustLevel": catalog.trust_level,
            "format": "toolhive",
            "source": source,
        }
    }


class Packing:
    """A document while it becomes what a ConfigMap holds: text as long as a plain apply can carry it, then packed."""

    def __init__(self) -> None:
        self._plain, self._packed = bytearray(), bytearray()
        self._size = 0
        self._compressor = zlib.compressobj(9, zlib.DEFLATED, _GZIP)

    def through(self, document: Iterable[bytes]) -> Iterator[bytes]:
        """The same pieces; once all of them came through, `data` says what is held."""
        for piece in document:
            self._take(piece)
            yield piece
        self._packed += self._compressor.flush()

    def data(self) -> JsonObject | None:
        """As the members of a ConfigMap, None for more than one holds."""
        if self._is_text():
            return {"data": {_KEY: self._plain.decode()}}
        if len(self._packed) > DATA_LIMIT:
            return None
        return {"binaryData": {_PACKED_KEY: base64.b64encode(self._packed).decode()}}

    def _take(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size <= TEXT_LIMIT:
            self._plain += piece
        if len(self._packed) <= DATA_LIMIT:
            self._packed += self._compressor.compress(piece)

    def _is_text(self) -> bool:
        is_short = self._size <= TEXT_LIMIT
        return is_short and len(msgspec.json.encode(self._plain.decode())) <= TEXT_LIMIT


def held(catalog: Catalog, packing: Packing) -> tuple[JsonObject, JsonObject] | None:
    """The ConfigMap with the document and the registry that reads it; None where it is too large for one."""
    data = packing.data()
    if data is None:
        return None
    config_map = _object(CONFIG_MAP, f"{catalog.name}-data", catalog) | data
    key = _KEY if "data" in data else _PACKED_KEY
    place = {"name": config_map["metadata"]["name"], "key": key}
    return config_map, registry_of(catalog, {"type": "configmap", "configMap": place})


def manifests(catalog: Catalog, packing: Packing) -> bytes:
    """The same as YAML, `b""` where it is too large. They name no namespace: whoever applies them does."""
    objects = held(catalog, packing)
    return documents(objects).encode() if objects else b""


def _object(kind: Kind, name: str, catalog: Catalog) -> JsonObject:
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {
            "name": name,
            "annotations": {GENERATED_FROM: f"{catalog.source}@{catalog.snapshot}"},
        },
    }

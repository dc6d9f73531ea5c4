"""The objects that have a cluster, or one machine, serve what is in a bundle.

In the flow: behind `parts`, where they become a file, and when a bundle is loaded. A registry that no ConfigMap holds is
loaded on one machine, or fetched by its URL.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable

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


def held(catalog: Catalog, document: Iterable[bytes]) -> tuple[JsonObject, JsonObject] | None:
    """The ConfigMap with the document and the registry that reads it; None where it is too large for one."""
    data = _data(document)
    if data is None:
        return None
    config_map = _object(CONFIG_MAP, f"{catalog.name}-data", catalog) | data
    key = _KEY if "data" in data else _PACKED_KEY
    place = {"name": config_map["metadata"]["name"], "key": key}
    return config_map, registry_of(catalog, {"type": "configmap", "configMap": place})


def manifests(catalog: Catalog, document: Iterable[bytes]) -> bytes:
    """The same as YAML, `b""` where it is too large. They name no namespace: whoever applies them does."""
    objects = held(catalog, document)
    return documents(objects).encode() if objects else b""


def _data(document: Iterable[bytes]) -> JsonObject | None:
    """The text while a plain apply can carry it, then packed."""
    plain, packed, size = bytearray(), bytearray(), 0
    compressor = zlib.compressobj(9, zlib.DEFLATED, _GZIP)
    for piece in document:
        size += len(piece)
        if size <= TEXT_LIMIT:
            plain += piece
        packed += compressor.compress(piece)
        if len(packed) > DATA_LIMIT:
            return None
    packed += compressor.flush()
    if size <= TEXT_LIMIT and len(msgspec.json.encode(plain.decode())) <= TEXT_LIMIT:
        return {"data": {_KEY: plain.decode()}}
    if len(packed) > DATA_LIMIT:
        return None
    return {"binaryData": {_PACKED_KEY: base64.b64encode(packed).decode()}}


def _object(kind: Kind, name: str, catalog: Catalog) -> JsonObject:
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {
            "name": name,
            "annotations": {GENERATED_FROM: f"{catalog.source}@{catalog.snapshot}"},
        },
    }

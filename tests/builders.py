"""Builders that let a test speak of servers, documents and registries in a line each."""

from __future__ import annotations

from typing import Any

import msgspec

from thv.domain.canonical import JsonObject
from thv.domain.entry import OFFICIAL_META
from thv.domain.registry import Registry, load_registry
from thv.formats.generations import NEWEST_SCHEMA


def server(name: str, version: str = "1.0.0", **fields: Any) -> JsonObject:
    """A server.json with one npm package, unless `fields` say otherwise."""
    package = {
        "registryType": "npm",
        "identifier": name,
        "version": version,
        "transport": {"type": "stdio"},
    }
    return {
        "$schema": NEWEST_SCHEMA,
        "name": name,
        "description": f"what {name} does",
        "version": version,
        "packages": [package],
        **fields,
    }


def item(server_json: JsonObject, **official: Any) -> JsonObject:
    """An item of the official API; `official` in its own spelling, such as `isLatest=True`."""
    return {"server": server_json, "_meta": {OFFICIAL_META: {"status": "active", **official}}}


def array(*servers: JsonObject) -> bytes:
    """A document that is a bare array."""
    return msgspec.json.encode(servers)


def page(*items: JsonObject) -> list[bytes]:
    """The entries of a page, each as bytes."""
    return [msgspec.json.encode(one) for one in items]


def toolhive(**servers: JsonObject) -> bytes:
    """A ToolHive document of container servers; `_` in a key stands for `-`."""
    entries = {key.replace("_", "-"): toolhive_entry(**fields) for key, fields in servers.items()}
    return msgspec.json.encode(
        {"version": "1.0.0", "last_updated": "2026-01-01T00:00:00Z", "servers": entries}
    )


def toolhive_entry(**fields: Any) -> JsonObject:
    """One container server in ToolHive's format."""
    return {
        "description": "what it does",
        "image": "ghcr.io/example/server:1.0.0",
        "transport": "stdio",
        "tier": "Community",
        "status": "Active",
        "tools": ["do"],
        **fields,
    }


def manifest(name: str = "corp", namespace: str = "default", **spec: Any) -> JsonObject:
    """An MCPRegistry on a URL source, unless `spec` says otherwise."""
    return {
        "apiVersion": "toolhive.stacklok.io/v1alpha1",
        "kind": "MCPRegistry",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "source": {"type": "url", "url": {"url": "https://example.com/registry.json"}},
            **spec,
        },
    }


def registry(name: str = "corp", namespace: str = "default", **spec: Any) -> Registry:
    """The same as a typed value, as if it had been stored."""
    obj = manifest(name, namespace, **spec)
    obj["metadata"] |= {"uid": f"uid-{name}", "generation": 1}
    return load_registry(obj)

"""Requests, entries and candidates in a line each."""

from __future__ import annotations

from typing import Any

from tests.builders import toolhive_entry
from thv.catalog.generate.manifests import Generation, generate
from thv.catalog.generate.request import parse_request
from thv.catalog.generate.resolve import Candidate, Origin, resolve
from thv.domain.canonical import JsonObject
from thv.domain.entry import Entry
from thv.formats.documents import DocumentReader, Found
from thv.formats.mapping import REMOTE_SERVERS, SERVERS
from thv.formats.toolhive import entry_of_toolhive

NAMESPACE = "production"
DIGEST = "sha256:" + "ab" * 32


def request(*servers: Any, **more: Any) -> JsonObject:
    """A body; `more` are further members of it."""
    return {"metadata": {"registry_name": "mine"}, "servers": list(servers), **more}


def wanted(name: str, registry: str = "", **configuration: Any) -> JsonObject:
    """A server of a body."""
    pin = {"registry": registry} if registry else {}
    return {"name": name, **pin, "configuration": configuration}


def osv(**fields: Any) -> Entry:
    """A container with tools, variables and definitions, as ToolHive writes it."""
    value = {
        "image": "ghcr.io/stackloklabs/osv-mcp/server:0.0.7",
        "transport": "streamable-http",
        "tools": ["scan", "query", "list"],
        "tool_definitions": [
            {"name": "scan", "description": "Scan", "inputSchema": {"type": "object"}},
            {"name": "query", "description": "Query", "annotations": {"readOnlyHint": True}},
        ],
        "tags": ["security", "osv"],
        "env_vars": [
            {"name": "LOG_LEVEL", "description": "how much", "required": False, "default": "info"},
            {"name": "TOKEN", "description": "who", "required": True, "secret": True},
        ],
        **fields,
    }
    return entry_of_toolhive("osv", toolhive_entry(**value), section=SERVERS)


def remote() -> Entry:
    """Somebody else's service."""
    value = {"url": "https://mcp.example.com/mcp", "transport": "sse", "description": "far away"}
    return entry_of_toolhive("far", value, section=REMOTE_SERVERS)


def origin(path: str = "tools/main", standing: int = 2, order: int | None = None) -> Origin:
    """A registry; `standing` 0 is trusted, 2 is raw."""
    namespace, _, name = path.partition("/")
    return Origin(
        namespace=namespace,
        name=name,
        standing=(standing, 9 if order is None else order, path),
        snapshot="sha256:" + "5" * 64,
        snapshot_at="2026-11-20T10:30:00Z",
    )


def held(entry: Entry, *, by: Origin | None = None, is_latest: bool = True) -> Candidate:
    """A version in a registry."""
    return Candidate(origin=by or origin(), entry=entry, digest=entry.digest, is_latest=is_latest)


def generated(body: JsonObject, *entries: Entry, image_registry: str = "") -> Generation:
    """What a body comes to over these entries, in the order of its servers."""
    parsed = parse_request(body, NAMESPACE)
    pairs = zip(parsed.servers, entries, strict=True)
    found = [resolve(i, choice, [held(entry)]) for i, (choice, entry) in enumerate(pairs)]
    return generate(parsed, found, image_registry)


def read_back(content: bytes) -> list[Entry]:
    """The entries of a document, as a sync reads them; each must be one."""
    reader = DocumentReader()
    items = [*reader.feed(content), *reader.close()]
    assert all(isinstance(item, Found) for item in items), items
    return [item.entry for item in items if isinstance(item, Found)]

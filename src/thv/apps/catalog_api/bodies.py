"""Server Definitions as they are sent: what is kept of an entry, and what its registry and its caller add; pure.

In the flow: between a page of the read model, or an entry of a registry, and the answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from thv.apps.kit.http.message import encode
from thv.domain.canonical import JsonObject
from thv.domain.target import target_of
from thv.formats.definition import Facts, full_definition
from thv.stores.catalogs.join import Joined
from thv.stores.catalogs.query import Listed
from thv.stores.models.bodies import MARK

_INFO = "registry_info"
_OWN = "io.stacklok.toolhive/registry"

_decode = msgspec.json.Decoder().decode
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def listed_body(row: Listed, registries: Mapping[int, Joined]) -> bytes:
    """An element of a list."""
    head, middle, end = row.body.split(MARK)
    joined = registries[row.registry]
    info = registry_info(joined, row.version, row.digest, [registries[each] for each in row.also])
    return b'%s"%s"%s"registry_info":%s%s' % (
        head,
        joined.category.encode(),
        middle,
        encode(info),
        end,
    )


def registry_info(joined: Joined, version: str, digest: str, also: Iterable[Joined]) -> JsonObject:
    """Where an entry is from, and who else has the name."""
    return {
        "namespace": joined.namespace,
        "name": joined.name,
        "trust_level": joined.trust_level,
        "version": version,
        "digest": digest,
        "also_in": [each.title for each in also],
    }


def chosen(body: bytes, fields: tuple[str, ...]) -> bytes:
    """A body with these members, and its name."""
    wanted = {"name", *fields}
    found = {key: value for key, value in _members(body).items() if key in wanted}
    made: bytes = encode(found)
    return made


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a server, as its registry has it."""

    there: JsonObject
    """In ToolHive's spelling."""
    info: JsonObject
    official: JsonObject
    own: JsonObject
    """What the registry itself says of it."""


def opened(toolhive: bytes, official: bytes) -> Opened:
    """Both spellings of a version."""
    there: JsonObject = _decode(toolhive.replace(MARK, b""))
    body: Any = _decode(official.replace(MARK, b""))
    info: JsonObject = there.pop(_INFO)
    return Opened(there=there, info=info, official=body["server"], own=body["_meta"][_OWN])


def whole_body(entry: Opened, joined: Joined, also: Iterable[Joined]) -> JsonObject:
    """The answer about one server."""
    info = entry.info
    shown = full_definition(entry.there, facts_of(entry), joined.category)
    name = quote(shown["name"], safe="")
    shown["groups"] = [each["group"]["name"] for each in entry.own.get("groups", [])]
    shown["links"] = {
        "export": f"/api/v1/mcp_servers/{name}/export",
        "versions": f"/api/v1/servers/{name}/versions",
        "registry_api": f"/r/{joined.title}/api/v1/servers/{name}",
    }
    if info.get("approval"):
        shown["approval"] = info["approval"]
    shown["registry_info"] = registry_info(joined, info["version"], info["digest"], also)
    return shown


def facts_of(entry: Opened) -> Facts:
    """What a definition needs beside the spelling of ToolHive."""
    packages = entry.official.get("packages")
    return Facts(
        name=entry.official["name"],
        version=entry.info["version"],
        kind=target_of(entry.official).kind,
        category=entry.own.get("functionalCategory", ""),
        updated_at=entry.info.get("updated_at") or "",
        packages=tuple(each for each in packages or () if isinstance(each, dict)),
    )

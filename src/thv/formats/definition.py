"""The catalog's Server Definition of an entry; pure.

In the flow: between a read model, which holds the entry in ToolHive's spelling, and the catalog, which adds what differs
by registry and by caller. What nobody knows is left out; a secret's default is never told.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import msgspec

from thv.domain.canonical import JsonObject
from thv.domain.lenient import as_object, as_objects, as_text, as_texts
from thv.domain.reach import reach_of
from thv.domain.resources import GROUP
from thv.formats.images import digest_of

CONTAINER, REMOTE = "container", "remote"
RECOMMENDED = {"cpu": "100m", "memory": "128Mi", "cpu_limit": "500m", "memory_limit": "512Mi"}
"""What a server gets that is run here, unless its entry recommends something else."""

_TIERS = {each.casefold(): each for each in ("Official", "Verified", "Partner", "Community")}


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the entry beside its spelling."""

    name: str
    """The official one."""
    version: str
    kind: str
    category: str
    """The functional one, `""` for none."""
    updated_at: str = ""
    packages: tuple[JsonObject, ...] = ()
    """As server.json has them."""


def definition(there: JsonObject, facts: Facts, class_: str) -> JsonObject:
    """What lists show; `there` is the entry in ToolHive's spelling with its key as `name`."""
    title = as_text(there.get("title"))
    made: JsonObject = {
        "name": there["name"],
        "display_name": title or there["name"],
        "description": as_text(there.get("description")),
        "category": class_,
        "provider": _provider(there, facts.name),
        **_run(there, facts),
        "tools": [_tool(name, definition) for name, definition in tools_of(there)],
        "tags": as_texts(there.get("tags")),
        "metadata": _metadata(there, facts),
        "deployment_config": _deployment(there, facts),
        "tier": tier_of(there),
        "status": "Deprecated" if there.get("status") == "Deprecated" else "Active",
        "version": facts.version,
        "reach": reach_of(there.get("permissions"), is_remote=facts.kind == REMOTE).value,
    }
    if facts.category:
        made["functional_category"] = facts.category
    return {**made, "air_gapped": _air_gapped(there, facts)}


def full_definition(there: JsonObject, facts: Facts, class_: str) -> JsonObject:
    """What the page of one server shows: the same, and what would be too long for a list."""
    made = definition(there, facts, class_)
    made["tools"] = [_whole_tool(name, definition) for name, definition in tools_of(there)]
    for key in ("permissions", "args", "headers", "oauth_config", "provenance", "custom_metadata"):
        if there.get(key) not in (None, [], {}):
            made[key] = there[key]
    return made


def tier_of(there: JsonObject) -> str:
    """As the source says; a server that nobody vouches for is one of the community's."""
    tier = as_text(there.get("tier"))
    return _TIERS.get(tier.casefold(), tier) or _TIERS["community"]


def tools_of(there: JsonObject) -> list[tuple[str, JsonObject]]:
    """The tools by name, each with what is known of it."""
    definitions = as_objects(there.get("tool_definitions"))
    known = {each["name"]: each for each in definitions if isinstance(each.get("name"), str)}
    named = as_texts(there.get("tools")) or list(known)
    return [(name, known.get(name, {})) for name in dict.fromkeys(named) if name]


def input_schema(tool: JsonObject) -> Any:
    """The schema of a tool's input, None when nobody told it."""
    return tool.get("input_schema", tool.get("inputSchema"))


# ---------------------------------------------------------------- parts


def _tool(name: str, tool: JsonObject) -> JsonObject:
    return {"name": name, "description": as_text(tool.get("description"))}


def _whole_tool(name: str, tool: JsonObject) -> JsonObject:
    told = {"input_schema": input_schema(tool), "annotations": tool.get("annotations")}
    return {**_tool(name, tool), **{key: value for key, value in told.items() if value is not None}}


def _provider(there: JsonObject, name: str) -> str:
    """Who declares to offer it, else the owner of the repository, else the namespace of the name."""
    custom = as_object(there.get("custom_metadata"))
    declared = as_text(custom.get("provider")) or as_text(custom.get("author"))
    if declared:
        return declared
    owner = _path(as_text(there.get("repository_url"))).partition("/")[0]
    return owner or name.partition("/")[0]


def _path(url: str) -> str:
    """The path of a URL between its slashes, `""` for what is no URL."""
    try:
        return urlsplit(url).path.strip("/")
    except ValueError:
        return ""


def _run(there: JsonObject, facts: Facts) -> JsonObject:
    """Exactly one of image, URL and packages, and how one speaks to it."""
    transport = as_text(there.get("transport"))
    run: JsonObject
    if facts.kind == CONTAINER:
        run = {"image": as_text(there.get("image"))}
    elif facts.kind == REMOTE:
        run = {"url": as_text(there.get("url"))}
    else:
        run = {"packages": list(facts.packages)}
    if transport:
        run["transport"] = transport
    port = there.get("target_port")
    if facts.kind == CONTAINER and transport != "stdio" and isinstance(port, int):
        run["target_port"] = port
    return run


def _metadata(there: JsonObject, facts: Facts) -> JsonObject:
    metadata = as_object(there.get("metadata"))
    told: JsonObject = {
        key: metadata[key] for key in ("stars", "pulls") if isinstance(metadata.get(key), int)
    }
    updated = as_text(metadata.get("last_updated")) or facts.updated_at
    repository = as_text(there.get("repository_url"))
    if updated:
        told["last_updated"] = updated
    if repository:
        told["repository_url"] = repository
    return told


def _deployment(there: JsonObject, facts: Facts) -> JsonObject:
    resources = _resources(there, facts)
    return {
        **({"recommended_resources": resources} if resources else {}),
        "security_profile": _profile(there, facts),
        "env_vars": [_variable(each) for each in as_objects(there.get("env_vars"))],
    }


def _resources(there: JsonObject, facts: Facts) -> JsonObject:
    if facts.kind == REMOTE:
        return {}
    custom = as_object(there.get("custom_metadata"))
    own = as_object(as_object(custom.get(GROUP)).get("resources"))
    declared = {**as_object(custom.get("recommended_resources")), **own}
    given = {key: declared[key] for key in RECOMMENDED if as_text(declared.get(key))}
    return given or RECOMMENDED


def _profile(there: JsonObject, facts: Facts) -> str:
    """`none`: neither network nor files; `network`: network alone; everything else is `custom`."""
    permissions = as_object(there.get("permissions"))
    others = {key for key, value in permissions.items() if key != "network" and value}
    if others:
        return "custom"
    outbound = as_object(as_object(permissions.get("network")).get("outbound"))
    return "network" if facts.kind == REMOTE or any(outbound.values()) else "none"


def _variable(item: JsonObject) -> JsonObject:
    is_secret = item.get("secret") is True
    told: JsonObject = {
        "name": as_text(item.get("name")),
        "description": as_text(item.get("description")),
        "required": item.get("required") is True,
    }
    if isinstance(item.get("default"), str) and not is_secret:
        told["default"] = item["default"]
    return {**told, "secret": True} if is_secret else told


def _air_gapped(there: JsonObject, facts: Facts) -> JsonObject:
    """What is known without a network: what the image says of itself, and what a bundle or a generation said of it."""
    own = as_object(as_object(there.get("custom_metadata")).get(GROUP))
    digest = digest_of(as_text(there.get("image")), own.get("image_digest"))
    size = own.get("size_mb")
    told: JsonObject = {
        "image_digest": digest if facts.kind == CONTAINER else "",
        "offline_docs_path": as_text(own.get("offline_docs_path")),
        "verified_date": as_text(own.get("verified_date")),
        "size_mb": size if type(size) is int else "",
    }
    known = {key: value for key, value in told.items() if value != ""}
    return {**known, "dependencies": sorted(set(_hosts(there)))}


def _hosts(there: JsonObject) -> Iterable[str]:
    """The hosts that the server calls, and the one that is called where it runs elsewhere."""
    outbound = as_object(
        as_object(as_object(there.get("permissions")).get("network")).get("outbound")
    )
    yield from as_texts(outbound.get("allow_host"))
    try:
        host = urlsplit(as_text(there.get("url"))).hostname
    except ValueError:
        host = None
    if host:
        yield host

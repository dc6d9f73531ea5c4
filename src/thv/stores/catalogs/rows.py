"""From a row of a registry's read model to the rows of the catalog; pure.

In the flow: `join` reads the one and writes the others.
"""

from __future__ import annotations

from typing import Any

import msgspec

from thv.domain.canonical import JsonObject
from thv.formats.definition import Facts, definition, input_schema, tools_of
from thv.stores.catalogs.words import parted, spoken
from thv.stores.models.bodies import MARK
from thv.stores.models.rows import Traits, score_of

SIGNED = "signed"
"""The fact of an entry that says who signs it."""
_INFO = "registry_info"
_CLASS = "@class"
"""Stands for the class, which the registry decides."""
_PLACE = b'"category":"@class","provider":'
_MARKED = b'"category":' + MARK + b',"provider":'

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class Shared(Traits, frozen=True):
    """What many entries have in common, with what only the catalog tells of them."""

    reach: str


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """The latest version of a name, as the model of its registry has it."""

    name: str
    key: str
    short: str
    stamp: bytes
    traits: Traits
    updated: int
    stars: int
    pulls: int
    toolhive: bytes
    """The entry in ToolHive's spelling."""
    official: bytes
    facts: tuple[str, ...]


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """What is written of it."""

    found: Found
    version: str
    digest: str
    traits: Shared
    score: int
    body: bytes
    spoken: tuple[str, str, str, str, str, str]
    facts: tuple[str, ...]
    tools: tuple[tuple[str, str, bytes | None, str], ...]


def made_of(found: Found) -> Made:
    """The rows of an entry."""
    there, info = opened(found.toolhive)
    facts = facts_of(there, found.official, info, found.name, found.traits)
    shown = definition(there, facts, _CLASS)
    traits = _shared(found.traits, shown)
    tools = tools_of(there)
    host, own = parted(found.key)
    return Made(
        found=found,
        version=facts.version,
        digest=info["digest"],
        traits=traits,
        score=score_of(traits, max(found.stars, 0), max(found.pulls, 0)),
        body=sealed(shown),
        spoken=(
            spoken(host),
            spoken(own),
            spoken(shown["display_name"]) if "title" in there else "",
            spoken(shown["description"]),
            spoken(" ".join(shown["tags"])),
            spoken(" ".join(name for name, _ in tools)),
        ),
        facts=(*found.facts, SIGNED) if there.get("provenance") else found.facts,
        tools=tuple(
            (
                name,
                tool["description"],
                _schema(raw),
                f" {spoken(name)} {spoken(tool['description'])} ",
            )
            for tool, (name, raw) in zip(shown["tools"], tools, strict=True)
        ),
    )


def _shared(traits: Traits, shown: JsonObject) -> Shared:
    told = {"tier": shown["tier"], "trust": "", "reach": shown["reach"]}
    return Shared(**{**msgspec.structs.asdict(traits), **told})


def opened(toolhive: bytes) -> tuple[JsonObject, JsonObject]:
    """An entry in ToolHive's spelling, and what its registry says of it."""
    there: JsonObject = _decode(toolhive.replace(MARK, b""))
    return there, there.pop(_INFO)


def facts_of(
    there: JsonObject, official: bytes, info: JsonObject, name: str, traits: Traits
) -> Facts:
    """What a definition needs beside the entry."""
    return Facts(
        name=name,
        version=info["version"],
        kind=traits.kind,
        category=traits.category,
        updated_at=info.get("updated_at") or "",
        packages=() if there.get("url") else _packages(official),
    )


def _packages(official: bytes) -> tuple[JsonObject, ...]:
    packages = _decode(official.replace(MARK, b""))["server"].get("packages")
    return tuple(each for each in packages or () if isinstance(each, dict))


def sealed(shown: JsonObject) -> bytes:
    """The body with marks: for its class behind `category`, for its registry at the end."""
    plain: bytes = _encode(shown)
    head, _, rest = plain.partition(_PLACE)
    return head + _MARKED + rest[:-1] + b"," + MARK + b"}"


def _schema(tool: JsonObject) -> bytes | None:
    found: Any = input_schema(tool)
    return None if found is None else _encode(found)

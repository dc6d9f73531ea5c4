"""A request that makes a registry of one server as it is: what an export gives, to be edited and sent back.

In the flow: pure; the answer is a body that `generate.request` reads, and what is known of the server beside it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from thv.catalog.generate.entry import OWN, chosen_entry
from thv.catalog.generate.manifests import content_of
from thv.catalog.generate.request import REGISTRY_NAME_LIMIT, TOOL_NAME, Choice
from thv.catalog.generate.resolve import Candidate
from thv.domain.canonical import JsonObject
from thv.domain.facts import Facts, facts_of
from thv.domain.text import object_name

_SUFFIX = "-registry"


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What an export is asked to say; None leaves it to the server."""

    namespace: str = "default"
    registry_name: str | None = None
    display_name: str | None = None
    image_registry: str = ""
    enforce_servers: bool = True
    enforce_tools: bool | None = None
    auto_sync: bool = False
    tools_filter: tuple[str, ...] = ()


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """A request for one server, and the document that its registry would have."""

    request: JsonObject
    registry_data: JsonObject


def exported(candidate: Candidate, asked: Asked) -> Exported:
    """Raises InvalidError for tools that the server does not have."""
    facts = facts_of(candidate.entry)
    tools = asked.tools_filter or _nameable(facts)
    choice = Choice(name=facts.key, tools_filter=tools or None)
    chosen = chosen_entry(0, choice, candidate, asked.image_registry)
    configuration: JsonObject = {
        "custom_image": chosen.image,
        "custom_image_digest": chosen.image_digest if chosen.image else "",
        "tools_filter": list(tools),
    }
    configuration = {key: value for key, value in configuration.items() if value}
    configuration |= {
        "tool_overrides": {},
        "env_overrides": {},
        "resources": _resources(chosen.value),
    }
    has_tools = bool(facts.tools)
    request: JsonObject = {
        "metadata": {
            "namespace": asked.namespace,
            "registry_name": asked.registry_name or registry_name(facts.key),
            "display_name": asked.display_name or (facts.title or facts.key)[:100],
        },
        "configuration": {
            "enforce_servers": asked.enforce_servers,
            "enforce_tools": has_tools if asked.enforce_tools is None else asked.enforce_tools,
            "auto_sync": asked.auto_sync,
        },
        "servers": [
            {
                "name": facts.key,
                "configuration": configuration,
                "registry": candidate.origin.path,
                "version": candidate.entry.version,
                "digest": candidate.digest,
            }
        ],
        "filters": {"global_tags": {"include": [], "exclude": []}},
    }
    return Exported(request=request, registry_data=content_of([chosen]))


def registry_name(key: str) -> str:
    """A name for a registry of this server."""
    slug = object_name(key.rpartition("/")[2])
    name = slug if slug[0].isalpha() else f"mcp-{slug}"
    return name[: REGISTRY_NAME_LIMIT - len(_SUFFIX)].strip("-") + _SUFFIX


def _nameable(facts: Facts) -> tuple[str, ...]:
    """All tools of the server; none where one of them is none that could be chosen by its name."""
    tools = tuple(dict.fromkeys(facts.tools))
    return tools if all(map(TOOL_NAME.fullmatch, tools)) else ()


def _resources(value: JsonObject) -> JsonObject:
    own: Any = (value.get("custom_metadata") or {}).get(OWN) or {}
    found = own.get("resources") if isinstance(own, dict) else None
    return found if isinstance(found, dict) else {}

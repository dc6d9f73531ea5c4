"""The MCPToolConfig of our own group: which tools of a server are shown, and under which names.

In the flow: an MCPServer refers to it; the proxy in front of the server applies it.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from thv.domain.conditions import CONDITION_LIMIT, Condition
from thv.domain.fields import ATOMIC, SET, Count, ObjectName, map_by, shape
from thv.domain.rules import Rule

TOOL_NAME_LIMIT = 128


class ToolAnnotations(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Hints to clients about a tool."""

    title: Annotated[
        str, Meta(max_length=256, description='Title for people. Example: "List a directory".')
    ] = ""
    read_only_hint: Annotated[
        bool | None, Meta(description="It changes nothing. Example: true.")
    ] = None
    destructive_hint: Annotated[
        bool | None, Meta(description="It may destroy something. Example: false.")
    ] = None
    idempotent_hint: Annotated[
        bool | None, Meta(description="Calling it again changes nothing more. Example: true.")
    ] = None
    open_world_hint: Annotated[
        bool | None, Meta(description="It reaches outside of its server. Example: false.")
    ] = None


class ToolOverride(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is shown of a tool instead of its own words."""

    name: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=TOOL_NAME_LIMIT,
            description='Name that is shown. Example: "list_dir".',
        ),
    ] = ""
    description: Annotated[
        str,
        Meta(max_length=2048, description='Text that is shown. Example: "List one directory".'),
    ] = ""
    annotations: Annotated[ToolAnnotations | None, Meta(description="Hints that are shown.")] = None


class ToolConfigSpec(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which tools are shown, and how."""

    tools_filter: Annotated[
        tuple[
            Annotated[
                str,
                Meta(
                    max_length=TOOL_NAME_LIMIT,
                    pattern=r"^[\w.-]+$",
                    extra_json_schema=shape(
                        'the name of a tool: letters, digits, "_", "." and "-"'
                    ),
                ),
            ],
            ...,
        ],
        Meta(
            max_length=500,
            description='Tools that are shown, by their names after renaming; none given means all. Example: ["read_file"].',
            extra_json_schema=SET,
        ),
    ] = ()
    tools_override: Annotated[
        dict[str, ToolOverride],
        Meta(
            max_length=500,
            description="Other words for tools; the key is the real name. Example: {list_directory: {name: list_dir}}.",
        ),
    ] = msgspec.field(default_factory=dict)


class ToolConfigStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What the operator says about a tool config."""

    observed_generation: Annotated[
        Count, Meta(description="Generation of the spec that this status is about.")
    ] = 0
    config_hash: Annotated[
        str, Meta(max_length=64, description="Hash of the spec, for proxies to compare.")
    ] = ""
    referencing_servers: Annotated[
        tuple[ObjectName, ...],
        Meta(
            max_length=50,
            description="MCPServers that refer to it, the first by name.",
            extra_json_schema=ATOMIC,
        ),
    ] = ()
    conditions: Annotated[
        tuple[Condition, ...],
        Meta(
            max_length=CONDITION_LIMIT,
            description="Observations: Valid.",
            extra_json_schema=map_by("type"),
        ),
    ] = ()


TOOL_CONFIG_RULES: tuple[Rule, ...] = (
    Rule(
        id="T1",
        path="spec.toolsOverride{}",
        cel="has(self.name) || has(self.description) || has(self.annotations)",
        message="an override must change name, description or annotations",
        holds=lambda override: bool({"name", "description", "annotations"} & override.keys()),
    ),
    Rule(
        id="T2",
        path="spec.toolsOverride",
        cel=f"self.all(k, k.size() <= {TOOL_NAME_LIMIT})",
        message=f"a tool name has at most {TOOL_NAME_LIMIT} characters",
        holds=lambda overrides: all(len(name) <= TOOL_NAME_LIMIT for name in overrides),
    ),
)

"""Definitions of MCPServer and MCPToolConfig, for clusters on which ToolHive is not installed.

In the flow: as the other definitions; they are applied only where somebody asks for them.
"""

from __future__ import annotations

from functools import cache

from thv.domain.canonical import JsonObject
from thv.domain.mcpserver import SERVER_RULES, ServerSpec, ServerStatus
from thv.domain.resources import MCP_SERVER, TOOL_CONFIG
from thv.domain.toolconfig import TOOL_CONFIG_RULES, ToolConfigSpec, ToolConfigStatus
from thv.formats.crd import READY, column, definition, object_schema


@cache
def server_crd() -> JsonObject:
    """The definition of MCPServer, for clusters without ToolHive. The caller must not change it."""
    return definition(
        MCP_SERVER,
        server_schema(),
        categories=("toolhive",),
        columns=[
            column("Status", ".status.phase"),
            column("Ready", f"{READY}.status"),
            column("URL", ".status.url"),
            column("Age", ".metadata.creationTimestamp", "date"),
            column("Registry", r".metadata.labels.toolhive\.stacklok\.io/registry-name", wide=True),
            column("Image", ".spec.image", wide=True),
        ],
    )


@cache
def server_schema() -> JsonObject:
    """The structural schema of MCPServer with its rules. The caller must not change it."""
    return object_schema(
        "MCPServer is a running MCP server behind a proxy.",
        spec=("What a user wants of the server.", ServerSpec),
        status=("What the operator observed; nobody else writes it.", ServerStatus),
        rules=SERVER_RULES,
    )


@cache
def tool_config_crd() -> JsonObject:
    """The definition of MCPToolConfig, for clusters without ToolHive. The caller must not change it."""
    return definition(
        TOOL_CONFIG,
        tool_config_schema(),
        categories=("toolhive",),
        columns=[
            column("Valid", '.status.conditions[?(@.type=="Valid")].status'),
            column("Servers", ".status.referencingServers"),
            column("Age", ".metadata.creationTimestamp", "date"),
        ],
    )


@cache
def tool_config_schema() -> JsonObject:
    """The structural schema of MCPToolConfig with its rules. The caller must not change it."""
    return object_schema(
        "MCPToolConfig says which tools of a server are shown, and under which names.",
        spec=("What a user wants of the tools.", ToolConfigSpec),
        status=("What the operator observed; nobody else writes it.", ToolConfigStatus),
        rules=TOOL_CONFIG_RULES,
    )

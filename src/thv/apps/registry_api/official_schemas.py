"""The schemas of the official registry API: the same names, members and required members as there.

In the flow: components of the OpenAPI document. Entries are served as they were stored, so lengths and patterns
that only a publisher has to keep are not repeated here.
"""

from __future__ import annotations

from typing import Any

from thv.domain.canonical import JsonObject
from thv.domain.entry import OFFICIAL_META, OWN_META, PUBLISHER_META


def _ref(name: str) -> JsonObject:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(required: tuple[str, ...], **properties: Any) -> JsonObject:
    schema: JsonObject = {"type": "object", "properties": properties}
    return {**schema, "required": list(required)} if required else schema


_TEXT: JsonObject = {"type": "string"}
_FLAG: JsonObject = {"type": "boolean"}
_TIME: JsonObject = {"type": "string", "format": "date-time"}


def _list(item: JsonObject) -> JsonObject:
    return {"type": "array", "items": item}


def _map(item: JsonObject) -> JsonObject:
    return {"type": "object", "additionalProperties": item}


_INPUT = {
    "description": _TEXT,
    "isRequired": _FLAG,
    "format": {"type": "string", "enum": ["string", "number", "boolean", "filepath"]},
    "value": _TEXT,
    "isSecret": _FLAG,
    "default": _TEXT,
    "placeholder": _TEXT,
    "choices": _list(_TEXT),
}
_INPUT_WITH_VARIABLES = {**_INPUT, "variables": _map(_ref("Input"))}

OFFICIAL_SCHEMAS: JsonObject = {
    "ServerList": _object(
        ("servers",),
        servers=_list(_ref("ServerResponse")),
        metadata=_object(
            (),
            nextCursor={**_TEXT, "description": "Cursor of the next page; absent on the last one."},
            count={"type": "integer", "description": "Servers on this page."},
        ),
    ),
    "ServerResponse": _object(
        ("server",),
        server=_ref("ServerDetail"),
        _meta={
            "type": "object",
            "properties": {
                OFFICIAL_META: {
                    "type": "object",
                    "properties": {
                        "status": {"type": "string", "enum": ["active", "deprecated", "deleted"]},
                        "statusChangedAt": _TIME,
                        "statusMessage": _TEXT,
                        "publishedAt": _TIME,
                        "updatedAt": _TIME,
                        "isLatest": _FLAG,
                    },
                    "additionalProperties": False,
                },
                OWN_META: _ref("ToolhiveMeta"),
            },
            "additionalProperties": True,
        },
    ),
    "ToolhiveMeta": {
        "type": "object",
        "description": "What this registry says of the entry.",
        "properties": {
            "namespace": _TEXT,
            "name": _TEXT,
            "displayName": _TEXT,
            "trustLevel": {"type": "string", "enum": ["raw", "tested", "trusted"]},
            "category": {"type": "string", "enum": ["validated", "community"]},
            "snapshot": _TEXT,
            "revision": _TEXT,
            "tier": _TEXT,
            "functionalCategory": _TEXT,
            "imageDigest": _TEXT,
            "approval": {"type": "object"},
            "origin": {"type": "object"},
            "tools": _list(_TEXT),
            "shadows": _list({"type": "object"}),
        },
        "required": ["namespace", "name", "trustLevel"],
    },
    "ServerDetail": _object(
        ("name", "description", "version"),
        **{
            "name": _TEXT,
            "description": _TEXT,
            "title": _TEXT,
            "repository": _ref("Repository"),
            "version": _TEXT,
            "websiteUrl": {"type": "string", "format": "uri"},
            "icons": _list(_ref("Icon")),
            "$schema": {"type": "string", "format": "uri"},
            "packages": _list(_ref("Package")),
            "remotes": _list(_ref("RemoteTransport")),
            "_meta": {
                "type": "object",
                "properties": {PUBLISHER_META: {"type": "object", "additionalProperties": True}},
            },
        },
    ),
    "Repository": _object((), url=_TEXT, source=_TEXT, id=_TEXT, subfolder=_TEXT),
    "Icon": _object(
        ("src",),
        src={"type": "string", "format": "uri"},
        mimeType=_TEXT,
        sizes=_list(_TEXT),
        theme={"type": "string", "enum": ["light", "dark"]},
    ),
    "Package": _object(
        ("registryType", "identifier"),
        registryType=_TEXT,
        registryBaseUrl={"type": "string", "format": "uri"},
        identifier=_TEXT,
        version=_TEXT,
        fileSha256=_TEXT,
        runtimeHint=_TEXT,
        transport=_ref("LocalTransport"),
        runtimeArguments=_list(_ref("Argument")),
        packageArguments=_list(_ref("Argument")),
        environmentVariables=_list(_ref("KeyValueInput")),
    ),
    "Input": _object((), **_INPUT),
    "InputWithVariables": _object((), **_INPUT_WITH_VARIABLES),
    "KeyValueInput": _object(("name",), name=_TEXT, **_INPUT_WITH_VARIABLES),
    "PositionalArgument": _object(
        ("type",),
        type={"type": "string", "enum": ["positional"]},
        valueHint=_TEXT,
        isRepeated=_FLAG,
        **_INPUT_WITH_VARIABLES,
    ),
    "NamedArgument": _object(
        ("type", "name"),
        type={"type": "string", "enum": ["named"]},
        name=_TEXT,
        isRepeated=_FLAG,
        **_INPUT_WITH_VARIABLES,
    ),
    "Argument": {"anyOf": [_ref("PositionalArgument"), _ref("NamedArgument")]},
    "StdioTransport": _object(("type",), type={"type": "string", "enum": ["stdio"]}),
    "StreamableHttpTransport": _object(
        ("type", "url"),
        type={"type": "string", "enum": ["streamable-http"]},
        url=_TEXT,
        headers=_list(_ref("KeyValueInput")),
    ),
    "SseTransport": _object(
        ("type", "url"),
        type={"type": "string", "enum": ["sse"]},
        url=_TEXT,
        headers=_list(_ref("KeyValueInput")),
    ),
    "LocalTransport": {
        "anyOf": [_ref("StdioTransport"), _ref("StreamableHttpTransport"), _ref("SseTransport")]
    },
    "RemoteTransport": {
        "allOf": [
            {"anyOf": [_ref("StreamableHttpTransport"), _ref("SseTransport")]},
            _object((), variables=_map(_ref("Input"))),
        ]
    },
}

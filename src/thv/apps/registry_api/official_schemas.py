"""The schemas of the official registry API: the same names and the same constraints as there.

In the flow: components of the OpenAPI document. Entries are served as they were stored, so one that validation
complains of may break these.
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
_URI: JsonObject = {"type": "string", "format": "uri"}
_URL_TEMPLATE: JsonObject = {
    "type": "string",
    "pattern": r"^(https?://[^\s]+|\{[a-zA-Z_][a-zA-Z0-9_]*\}[^\s]*)$",
}
_IMAGE_TYPES = ["image/png", "image/jpeg", "image/jpg", "image/svg+xml", "image/webp"]


def _list(item: JsonObject) -> JsonObject:
    return {"type": "array", "items": item}


def _map(item: JsonObject) -> JsonObject:
    return {"type": "object", "additionalProperties": item}


def _both(*schemas: JsonObject) -> JsonObject:
    return {"allOf": list(schemas)}


def _transport(name: str) -> JsonObject:
    kind: JsonObject = {"type": "string", "enum": [name]}
    headers = _list(_ref("KeyValueInput"))
    return _object(("type", "url"), type=kind, url=_URL_TEMPLATE, headers=headers)


_OFFICIAL = {
    **_object(
        (),
        status={"type": "string", "enum": ["active", "deprecated", "deleted"]},
        statusMessage={**_TEXT, "maxLength": 500},
        statusChangedAt=_TIME,
        publishedAt=_TIME,
        updatedAt=_TIME,
        isLatest=_FLAG,
    ),
    "additionalProperties": False,
}

OFFICIAL_SCHEMAS: JsonObject = {
    "ServerList": _object(
        ("servers",),
        servers=_list(_ref("ServerResponse")),
        metadata=_object(
            (),
            nextCursor=_TEXT,
            count={"type": "integer"},
        ),
    ),
    "ServerResponse": _object(
        ("server",),
        server=_ref("ServerDetail"),
        _meta={
            "type": "object",
            "properties": {OFFICIAL_META: _OFFICIAL, OWN_META: _ref("ToolhiveMeta")},
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
            "groups": _list({"type": "object"}),
            "shadows": _list({"type": "object"}),
        },
        "required": ["namespace", "name", "trustLevel"],
    },
    "ServerDetail": _object(
        ("name", "description", "version"),
        **{
            "name": {
                **_TEXT,
                "minLength": 3,
                "maxLength": 200,
                "pattern": "^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+$",
            },
            "description": {**_TEXT, "minLength": 1, "maxLength": 100},
            "title": {**_TEXT, "minLength": 1, "maxLength": 100},
            "repository": _ref("Repository"),
            "version": {**_TEXT, "maxLength": 255},
            "websiteUrl": _URI,
            "icons": _list(_ref("Icon")),
            "$schema": _URI,
            "packages": _list(_ref("Package")),
            "remotes": _list(_ref("RemoteTransport")),
            "_meta": _object(
                (), **{PUBLISHER_META: {"type": "object", "additionalProperties": True}}
            ),
        },
    ),
    "Repository": _object(("url", "source"), url=_URI, source=_TEXT, id=_TEXT, subfolder=_TEXT),
    "Icon": _object(
        ("src",),
        src={**_URI, "maxLength": 255},
        mimeType={**_TEXT, "enum": _IMAGE_TYPES},
        sizes=_list({**_TEXT, "pattern": r"^(\d+x\d+|any)$"}),
        theme={"type": "string", "enum": ["light", "dark"]},
    ),
    "Package": _object(
        ("registryType", "identifier", "transport"),
        registryType=_TEXT,
        registryBaseUrl=_URI,
        identifier=_TEXT,
        version={**_TEXT, "minLength": 1, "not": {"const": "latest"}},
        fileSha256={**_TEXT, "pattern": "^[a-f0-9]{64}$"},
        runtimeHint=_TEXT,
        transport=_ref("LocalTransport"),
        runtimeArguments=_list(_ref("Argument")),
        packageArguments=_list(_ref("Argument")),
        environmentVariables=_list(_ref("KeyValueInput")),
    ),
    "Input": _object(
        (),
        description=_TEXT,
        isRequired={**_FLAG, "default": False},
        format={
            "type": "string",
            "enum": ["string", "number", "boolean", "filepath"],
            "default": "string",
        },
        value=_TEXT,
        isSecret={**_FLAG, "default": False},
        default=_TEXT,
        placeholder=_TEXT,
        choices=_list(_TEXT),
    ),
    "InputWithVariables": _both(_ref("Input"), _object((), variables=_map(_ref("Input")))),
    "KeyValueInput": _both(_ref("InputWithVariables"), _object(("name",), name=_TEXT)),
    "PositionalArgument": {
        **_both(
            _ref("InputWithVariables"),
            {
                **_object(
                    ("type",),
                    type={"type": "string", "enum": ["positional"]},
                    valueHint=_TEXT,
                    isRepeated={**_FLAG, "default": False},
                ),
                "anyOf": [{"required": ["valueHint"]}, {"required": ["value"]}],
            },
        ),
    },
    "NamedArgument": _both(
        _ref("InputWithVariables"),
        _object(
            ("type", "name"),
            type={"type": "string", "enum": ["named"]},
            name=_TEXT,
            isRepeated={**_FLAG, "default": False},
        ),
    ),
    "Argument": {"anyOf": [_ref("PositionalArgument"), _ref("NamedArgument")]},
    "StdioTransport": _object(("type",), type={"type": "string", "enum": ["stdio"]}),
    "StreamableHttpTransport": _transport("streamable-http"),
    "SseTransport": _transport("sse"),
    "LocalTransport": {
        "anyOf": [_ref("StdioTransport"), _ref("StreamableHttpTransport"), _ref("SseTransport")]
    },
    "RemoteTransport": _both(
        {"anyOf": [_ref("StreamableHttpTransport"), _ref("SseTransport")]},
        _object((), variables=_map(_ref("Input"))),
    ),
}

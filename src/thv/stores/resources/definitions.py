"""The kinds that an embedded store keeps: schema, checks and what is special about each.

In the flow: the store looks up the kind of an object here before every write. To add a kind, add it to
`thv.domain.resources.KINDS` and the maker of its definition to `_MAKERS`.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

import msgspec

from thv.domain.canonical import JsonObject
from thv.domain.errors import FieldError
from thv.domain.mcpserver import SERVER_RULES
from thv.domain.patterns import re2
from thv.domain.resources import (
    CONFIG_MAP,
    MCP_REGISTRY,
    MCP_SERVER,
    SECRET,
    TOOL_CONFIG,
    Kind,
    metadata_of,
)
from thv.domain.rules import check_rules
from thv.domain.toolconfig import TOOL_CONFIG_RULES
from thv.formats.crd import registry_schema
from thv.formats.server_crd import server_schema, tool_config_schema
from thv.stores.resources.metadata import OBJECT_META
from thv.stores.resources.schema import Schema

DATA_LIMIT = 1024 * 1024
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

Check = Callable[[JsonObject], list[FieldError]]
UpdateCheck = Callable[[JsonObject, JsonObject], list[FieldError]]


def _nothing(*_: JsonObject) -> list[FieldError]:
    return []


def _as_it_is(obj: JsonObject) -> JsonObject:
    return obj


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """All that the store must know of a kind."""

    kind: Kind
    schema: Schema
    """Of the whole object, metadata included."""
    has_status: bool = False
    """Status is written apart from the rest, and `metadata.generation` counts changes of the rest."""
    kept_if_filled: frozenset[str] = frozenset()
    """Fields that are dropped when they are empty."""
    check: Check = _nothing
    """What no schema can say, of an object whose defaults are written."""
    check_update: UpdateCheck = _nothing
    """The same of an old and a new object."""
    prepared: Callable[[JsonObject], JsonObject] = _as_it_is
    """The object as it is kept, of one that a client sent."""


def _with_metadata(schema: Schema) -> Schema:
    named = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}}
    properties = {**schema["properties"], **named, "metadata": OBJECT_META}
    return {**schema, "properties": properties}


# ---------------------------------------------------------------- ConfigMap and Secret

_DATA_KEY = re2("^[-._a-zA-Z0-9]{1,253}$")
_TEXTS: Schema = {"type": "object", "additionalProperties": {"type": "string"}}
_BYTES: Schema = {"type": "object", "additionalProperties": {"type": "string", "format": "byte"}}
_IMMUTABLE: Schema = {"type": "boolean"}

_CONFIG_MAP_SCHEMA: Schema = {
    "type": "object",
    "properties": {"data": _TEXTS, "binaryData": _BYTES, "immutable": _IMMUTABLE},
}
_SECRET_SCHEMA: Schema = {
    "type": "object",
    "properties": {
        "data": {
            "type": "object",
            "additionalProperties": {"type": "string", "format": "byte", "x-secret": True},
            "x-secret": True,
        },
        "stringData": {
            "type": "object",
            "additionalProperties": {"type": "string", "x-secret": True},
            "x-secret": True,
        },
        "type": {"type": "string", "default": "Opaque"},
        "immutable": _IMMUTABLE,
    },
}

# The keys that a Secret of a well-known type must have.
_REQUIRED_KEYS = {
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
}


def _check_config_map(obj: JsonObject) -> list[FieldError]:
    data, binary = _entries(obj, "data"), _entries(obj, "binaryData")
    size = sum(len(value.encode()) for value in data.values()) + _decoded_size(binary)
    twice = sorted(data.keys() & binary.keys())
    return [
        *_key_errors("data", data),
        *_key_errors("binaryData", binary),
        *(
            FieldError(f"data[{key}]", "Invalid value: binaryData has this key too")
            for key in twice
        ),
        *_size_errors("data", size),
    ]


def _check_secret(obj: JsonObject) -> list[FieldError]:
    data = _entries(obj, "data")
    required = _REQUIRED_KEYS.get(str(obj.get("type")), ())
    return [
        *_key_errors("data", data),
        *_size_errors("data", _decoded_size(data)),
        *(FieldError(f"data[{key}]", "Required value") for key in required if key not in data),
        *_user_or_password_errors(obj.get("type"), data),
    ]


def _user_or_password_errors(kind: Any, data: dict[str, str]) -> Iterator[FieldError]:
    if kind == "kubernetes.io/basic-auth" and not {"username", "password"} & data.keys():
        yield FieldError("data", "Required value: username or password")


def _key_errors(path: str, entries: dict[str, str]) -> Iterator[FieldError]:
    problem = (
        "a key has at most 253 letters, digits, '-', '_' and '.', and does not start with '..'"
    )
    for key in entries:
        if not _DATA_KEY.search(key) or key == "." or key.startswith(".."):
            yield FieldError(f"{path}[{key}]", f'Invalid value: "{key}": {problem}')


def _size_errors(path: str, size: int) -> Iterator[FieldError]:
    if size > DATA_LIMIT:
        problem = f"Too long: all values have {size} bytes, may have at most {DATA_LIMIT}"
        yield FieldError(path, problem)


def _decoded_size(entries: dict[str, str]) -> int:
    return sum(len(value) * 3 // 4 - value[-2:].count("=") for value in entries.values())


def _entries(obj: JsonObject, field: str) -> dict[str, str]:
    entries = obj.get(field)
    if not isinstance(entries, dict):
        return {}
    return {key: value for key, value in entries.items() if isinstance(value, str)}


def _check_immutable(old: JsonObject, new: JsonObject) -> list[FieldError]:
    if not old.get("immutable"):
        return []
    fields = ("immutable", "data", "binaryData")
    problem = "Forbidden: the object is immutable; delete it and create it again"
    return [FieldError(field, problem) for field in fields if new.get(field) != old.get(field)]


def _check_secret_update(old: JsonObject, new: JsonObject) -> list[FieldError]:
    errors = _check_immutable(old, new)
    if new.get("type") != old.get("type"):
        problem = f'Invalid value: "{new.get("type")}": field is immutable'
        errors.append(FieldError("type", problem, new.get("type")))
    return errors


def _with_empty_texts(obj: JsonObject) -> JsonObject:
    """A key without a value, as YAML may have it, holds the empty text."""
    return {
        field: {key: "" if text is None else text for key, text in value.items()}
        if field in _TEXT_FIELDS and isinstance(value, dict)
        else value
        for field, value in obj.items()
    }


_TEXT_FIELDS = frozenset({"data", "binaryData", "stringData"})


def _without_plain_text(obj: JsonObject) -> JsonObject:
    """The Secret with `stringData` in `data`, and without the annotation that may repeat its values."""
    return _without_last_applied(_with_encoded_texts(_with_empty_texts(obj)))


def _with_encoded_texts(obj: JsonObject) -> JsonObject:
    if "stringData" not in obj:
        return obj
    given, data = obj["stringData"] or {}, obj.get("data") or {}
    texts = _entries(obj, "stringData")
    if len(texts) != len(given) or not isinstance(data, dict):
        return obj  # the schema says what is wrong
    encoded = {key: base64.b64encode(text.encode()).decode() for key, text in texts.items()}
    rest = {key: value for key, value in obj.items() if key not in {"stringData", "data"}}
    merged = {**data, **encoded}
    return {**rest, "data": merged} if merged else rest


def _without_last_applied(obj: JsonObject) -> JsonObject:
    annotations = metadata_of(obj).get("annotations")
    if not isinstance(annotations, dict) or LAST_APPLIED not in annotations:
        return obj
    kept = {key: value for key, value in annotations.items() if key != LAST_APPLIED}
    return {**obj, "metadata": {**obj["metadata"], "annotations": kept}}


# ---------------------------------------------------------------- the table


@cache
def definition_of(kind: Kind) -> Definition:
    """All about a kind; made when it is first asked for, as what only reads never needs the large schemas."""
    return _MAKERS[kind](kind)


def _registry(kind: Kind) -> Definition:
    return Definition(
        kind=kind,
        schema=_with_metadata(registry_schema()),
        has_status=True,
        check=check_rules,
    )


def _server(kind: Kind) -> Definition:
    return Definition(
        kind=kind,
        schema=_with_metadata(server_schema()),
        has_status=True,
        check=partial(check_rules, rules=SERVER_RULES),
    )


def _tool_config(kind: Kind) -> Definition:
    return Definition(
        kind=kind,
        schema=_with_metadata(tool_config_schema()),
        has_status=True,
        check=partial(check_rules, rules=TOOL_CONFIG_RULES),
    )


def _config_map(kind: Kind) -> Definition:
    return Definition(
        kind=kind,
        schema=_with_metadata(_CONFIG_MAP_SCHEMA),
        kept_if_filled=frozenset({"data", "binaryData"}),
        prepared=_with_empty_texts,
        check=_check_config_map,
        check_update=_check_immutable,
    )


def _secret(kind: Kind) -> Definition:
    return Definition(
        kind=kind,
        schema=_with_metadata(_SECRET_SCHEMA),
        kept_if_filled=frozenset({"data"}),
        check=_check_secret,
        check_update=_check_secret_update,
        prepared=_without_plain_text,
    )


_MAKERS: dict[Kind, Callable[[Kind], Definition]] = {
    MCP_REGISTRY: _registry,
    CONFIG_MAP: _config_map,
    SECRET: _secret,
    MCP_SERVER: _server,
    TOOL_CONFIG: _tool_config,
}

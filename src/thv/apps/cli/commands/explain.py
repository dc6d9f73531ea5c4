"""`thv explain`: what the fields of a resource mean, from the schema that every write is checked with."""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

import click
import msgspec

from thv.apps.cli.command import command
from thv.apps.cli.completion import kind_words
from thv.apps.cli.console import UNBOUNDED
from thv.apps.cli.exits import CommandError
from thv.apps.cli.options import option
from thv.apps.cli.output import print_value
from thv.apps.cli.session import Session
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code
from thv.domain.resources import (
    CONFIG_MAP,
    KINDS,
    MCP_REGISTRY,
    MCP_SERVER,
    SECRET,
    TOOL_CONFIG,
    Kind,
    kind_named,
)
from thv.formats.crd import registry_schema
from thv.formats.server_crd import server_schema, tool_config_schema

_WIDTH = 80
_TYPES = {"object": "Object", "array": "[]"}

_META: JsonObject = {
    "description": "Name, namespace, labels and annotations of the object.",
    "type": "object",
    "properties": {
        "name": {"description": "Name, unique for its kind in the namespace.", "type": "string"},
        "namespace": {"description": "Namespace; default where none is given.", "type": "string"},
        "labels": {
            "description": "Short texts to select by.",
            "type": "object",
            "additionalProperties": {"type": "string"},
        },
        "annotations": {
            "description": "Further texts, of any length.",
            "type": "object",
            "additionalProperties": {"type": "string"},
        },
    },
}
_TEXT_MAP: JsonObject = {"type": "object", "additionalProperties": {"type": "string"}}


def _core(description: str, fields: JsonObject) -> JsonObject:
    names = {
        "apiVersion": {"description": "Always v1.", "type": "string"},
        "kind": {"description": "Kind of this object.", "type": "string"},
    }
    return {
        "description": description,
        "type": "object",
        "properties": {**names, "metadata": _META, **fields},
    }


_CORE = {
    CONFIG_MAP: _core(
        "ConfigMap holds texts by key, such as the file of a registry; 1 MiB together.",
        {
            "data": {"description": "Texts by key.", **_TEXT_MAP},
            "binaryData": {"description": "Bytes by key, in base64.", **_TEXT_MAP},
            "immutable": {"description": "True: data cannot be changed any more.", "type": "boolean"},
        },
    ),
    SECRET: _core(
        "Secret holds the credentials of a source by key; its values are never printed.",
        {
            "data": {"description": "Values by key, in base64.", **_TEXT_MAP},
            "stringData": {"description": "Values by key as they are; kept as data.", **_TEXT_MAP},
            "type": {"description": "What it is for, such as kubernetes.io/ssh-auth.", "type": "string", "default": "Opaque"},
            "immutable": {"description": "True: data cannot be changed any more.", "type": "boolean"},
        },
    ),
}  # fmt: skip


_SCHEMAS: dict[Kind, Callable[[], JsonObject]] = {
    MCP_REGISTRY: registry_schema,
    MCP_SERVER: server_schema,
    TOOL_CONFIG: tool_config_schema,
}


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A field, or the kind itself."""

    kind: Kind
    path: tuple[str, ...]
    schema: JsonObject
    required: bool = False


@command(
    "explain",
    examples=(
        "thv explain mcpregistry",
        "thv explain mcpregistry.spec.source.git",
        "thv explain mcpreg.spec.syncPolicy --recursive",
    ),
    outputs=("text", "json", "yaml"),
)
@click.argument("field", metavar="KIND[.FIELD...]", required=False, shell_complete=kind_words)
@option("--recursive", is_flag=True, help="All fields below, without their descriptions.")
async def explain(session: Session, *, field: str | None, recursive: bool) -> None:
    """Say what the fields of a resource mean, without any server."""
    if not field:
        _print_kinds(session)
        return
    place = _find(field)
    if session.output != "text":
        print_value(place.schema, session.output, session.console)
        return
    width = min(session.console.columns, _WIDTH) if session.console.columns < UNBOUNDED else _WIDTH
    lines = _explained(place, width, recursive=recursive)
    session.console.data("".join(f"{line}\n" for line in lines))


def _print_kinds(session: Session) -> None:
    for kind in KINDS:
        schema = _schema_of(kind)
        session.console.data(
            f"{kind.singular:<13} {kind.api_version:<30} {schema['description']}\n"
        )


def _find(text: str) -> Place:
    word, *path = text.split(".")
    kind = kind_named(word)
    if kind is None:
        words = [word for each in KINDS for word in each.words if "." not in word]
        raise CommandError(
            Code.NOT_FOUND,
            f'there is no kind "{word}"',
            suggestions=difflib.get_close_matches(word.lower(), words, n=2, cutoff=0.5),
            tries=["thv explain   (lists the kinds)"],
        )
    place = Place(kind=kind, path=(), schema=_schema_of(kind))
    for key in path:
        place = _below(place, key.removesuffix("[]"))
    return place


def _schema_of(kind: Kind) -> JsonObject:
    if kind in _CORE:
        return _CORE[kind]
    schema = _SCHEMAS[kind]()
    return {**schema, "properties": {**schema["properties"], "metadata": _META}}


def _below(place: Place, key: str) -> Place:
    fields = _fields(place.schema)
    if key not in fields:
        above = ".".join([place.kind.singular, *place.path])
        lower = {name.lower(): name for name in fields}
        near = difflib.get_close_matches(key.lower(), lower, n=2, cutoff=0.5)
        raise CommandError(
            Code.NOT_FOUND,
            f'{above} has no field "{key}"',
            suggestions=[f"{above}.{lower[name]}" for name in near],
            tries=[f"thv explain {above}"],
        )
    required = key in _inner(place.schema).get("required", ())
    return Place(kind=place.kind, path=(*place.path, key), schema=fields[key], required=required)


def _inner(schema: JsonObject) -> JsonObject:
    """The object that a list or a map is made of, or the schema itself."""
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            return _inner(schema[key])
    return schema


def _fields(schema: JsonObject) -> JsonObject:
    fields: JsonObject = _inner(schema).get("properties", {})
    return fields


def _explained(place: Place, width: int, *, recursive: bool) -> Iterator[str]:
    kind = place.kind
    if kind.group:
        yield f"GROUP:      {kind.group}"
    yield f"KIND:       {kind.kind}"
    yield f"VERSION:    {kind.version}"
    yield ""
    if place.path:
        mark = " -required-" if place.required else ""
        yield f"FIELD: {place.path[-1]} <{type_of(place.schema)}>{mark}"
        yield ""
    yield from _values(place.schema, "")
    yield "DESCRIPTION:"
    yield from _wrapped(place.schema.get("description", "(none)"), width, "    ")
    yield from _rules(place.schema, width)
    fields = _fields(place.schema)
    if fields:
        yield ""
        yield "FIELDS:"
        yield from _tree(place.schema, "  ") if recursive else _list(place.schema, width)


def _list(schema: JsonObject, width: int) -> Iterator[str]:
    required = _inner(schema).get("required", ())
    for name, field in _fields(schema).items():
        mark = " -required-" if name in required else ""
        yield f"  {name}\t<{type_of(field)}>{mark}"
        yield from _values(field, "    ")
        yield from _wrapped(field.get("description", ""), width, "    ")
        yield ""


def _tree(schema: JsonObject, indent: str) -> Iterator[str]:
    required = _inner(schema).get("required", ())
    for name, field in _fields(schema).items():
        mark = " -required-" if name in required else ""
        yield f"{indent}{name}\t<{type_of(field)}>{mark}"
        yield from _values(field, indent + "  ")
        yield from _tree(field, indent + "  ")


def _values(schema: JsonObject, indent: str) -> Iterator[str]:
    """What the schema allows and what it writes by itself."""
    leaf = _inner(schema)
    if leaf.get("enum"):
        yield f"{indent}enum: {', '.join(map(str, leaf['enum']))}"
    if schema.get("default") not in (None, {}):
        yield f"{indent}default: {_shown(schema['default'])}"
    bounds = list(_bounds(schema))
    if bounds:
        yield f"{indent}bounds: {', '.join(bounds)}"
    if indent == "" and (leaf.get("enum") or bounds or schema.get("default") not in (None, {})):
        yield ""


def _bounds(schema: JsonObject) -> Iterator[str]:
    for low, high, what in (
        ("minimum", "maximum", ""),
        ("minLength", "maxLength", " characters"),
        ("minItems", "maxItems", " items"),
        ("minProperties", "maxProperties", " members"),
    ):
        if low in schema and high in schema:
            yield f"{schema[low]} to {schema[high]}{what}"
        elif high in schema:
            yield f"at most {schema[high]}{what}"
        elif low in schema:
            yield f"at least {schema[low]}{what}"


def _rules(schema: JsonObject, width: int) -> Iterator[str]:
    rules = schema.get("x-kubernetes-validations") or ()
    if rules:
        yield ""
        yield "RULES:"
    for rule in rules:
        yield from _wrapped(f"- {rule['message']}", width, "    ", more="  ")


def _wrapped(text: str, width: int, indent: str, more: str = "") -> list[str]:
    return textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=indent + more)


def type_of(schema: JsonObject) -> str:
    """As `kubectl explain` spells it: `[]string`, `map[string]string`, `Object`."""
    if schema.get("x-kubernetes-int-or-string"):
        return "IntOrString"
    if schema.get("type") == "array":
        return f"[]{type_of(schema.get('items', {}))}"
    if isinstance(schema.get("additionalProperties"), dict):
        return f"map[string]{type_of(schema['additionalProperties'])}"
    return _TYPES.get(str(schema.get("type")), str(schema.get("type", "Object")))


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)

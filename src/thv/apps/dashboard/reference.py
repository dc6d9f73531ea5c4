"""An OpenAPI document as people read it: what can be asked, by what it is about, and what is sent and answered.

In the flow: `pages.api_docs` shows it; pure, and made of the same document that programs get.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import msgspec

Json: TypeAlias = Mapping[str, Any]
_METHODS = ("get", "post", "put", "patch", "delete")
_PLACEHOLDER = re.compile(r"\{([^}]*)\}")
_CHOICES = 12
"""Values that are listed; there is a sentence for what each means elsewhere."""
_SECTIONS: tuple[tuple[str, frozenset[str]], ...] = (
    ("Servers and tools", frozenset({"mcp_servers", "servers", "categories", "tools", "groups", "changes", "stats"})),
    ("Registries", frozenset({"registries"})),
    ("What runs", frozenset({"deployments"})),
    ("Who asks", frozenset({"me", ".well-known"})),
    ("The official MCP registry API", frozenset({"v0", "v0.1"})),
)  # fmt: skip
_ELSE = "Everything else"


class Piece(msgspec.Struct, frozen=True):
    """A bit of text about a kind of value."""

    text: str
    shape: str = ""
    """The shape that it names."""


Kind: TypeAlias = tuple[Piece, ...]


class Field(msgspec.Struct, frozen=True):
    """A parameter, or a member of a shape."""

    name: str
    kind: Kind
    is_required: bool
    about: str = ""
    default: str = ""


class Operation(msgspec.Struct, frozen=True):
    """One request."""

    method: str
    path: str
    also: tuple[str, ...]
    """Other paths of the same."""
    summary: str
    fields: tuple[Field, ...]
    takes: Kind
    gives: Kind
    statuses: tuple[str, ...]
    """What it answers with where something is wrong."""
    needs: tuple[str, ...]
    """What the caller must be allowed."""

    @property
    def example(self) -> str:
        """Its path with names to put something in."""
        return _PLACEHOLDER.sub(lambda found: found[1].upper(), self.path)


class Section(msgspec.Struct, frozen=True):
    """Requests about one thing."""

    title: str
    operations: tuple[Operation, ...]


class Shape(msgspec.Struct, frozen=True):
    """What is sent or answered."""

    name: str
    about: str
    fields: tuple[Field, ...]


def sections_of(document: Json) -> list[Section]:
    """What can be asked; what is only there to say that it is not supported is left out."""
    found: dict[str, list[Operation]] = {}
    for operation in _operations(document):
        found.setdefault(_section(operation.path), []).append(operation)
    titles = [*(title for title, _ in _SECTIONS), _ELSE]
    return [Section(title, tuple(found[title])) for title in titles if title in found]


def shapes_of(document: Json) -> list[Shape]:
    """All that requests and answers are made of, by name."""
    schemas = document["components"]["schemas"]
    return [
        Shape(name, schemas[name].get("description", ""), tuple(_members(schemas[name])))
        for name in sorted(schemas)
    ]


def _section(path: str) -> str:
    """What the first word of the path that says anything is about; a namespace is only where."""
    words = path.split("/")
    titles = (title for word in words for title, known in _SECTIONS if word in known)
    return next(titles, _ELSE)


def _operations(document: Json) -> Iterator[Operation]:
    """Those that are the same at several paths are one."""
    together: dict[bytes, list[tuple[str, str, Json]]] = {}
    for path, methods in document["paths"].items():
        for method in _METHODS:
            operation = methods.get(method)
            if operation is None or "publish" in operation["tags"]:
                continue
            same = {key: value for key, value in operation.items() if key != "operationId"}
            key = msgspec.json.encode((method, same))
            together.setdefault(key, []).append((path, method, operation))
    for (path, method, operation), *others in together.values():
        yield _operation(path, method, operation, tuple(each for each, _, _ in others))


def _operation(path: str, method: str, operation: Json, also: tuple[str, ...]) -> Operation:
    responses = operation["responses"]
    good = [each for status, each in responses.items() if status[0] == "2"]
    return Operation(
        method=method.upper(),
        path=path,
        also=also,
        summary=operation["summary"],
        fields=tuple(_parameter(each) for each in operation.get("parameters", ())),
        takes=_content(operation.get("requestBody", {})),
        gives=_content(good[0]) if good else (),
        statuses=tuple(sorted(each for each in responses if each[0] in "45")),
        needs=tuple(operation.get("x-required-permissions", ())),
    )


def _parameter(parameter: Json) -> Field:
    schema = parameter["schema"]
    default = schema.get("default")
    return Field(
        parameter["name"],
        kind_of(schema),
        bool(parameter["required"]),
        parameter.get("description", ""),
        "" if default is None else _shown(default),
    )


def _members(schema: Json) -> Iterator[Field]:
    required = schema.get("required", ())
    for name, each in schema.get("properties", {}).items():
        yield Field(name, kind_of(each), name in required, each.get("description", ""))


def _content(body: Json) -> Kind:
    schemas = [each["schema"] for each in body.get("content", {}).values() if "schema" in each]
    return kind_of(schemas[0]) if schemas else ()


def kind_of(schema: Json) -> Kind:
    """What a value may be, in words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return (Piece(name, name),)
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return _joined(map(kind_of, schema[several]))
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        more = [(Piece("..."),)] if len(values) > _CHOICES else []
        return _joined([*((Piece(_shown(each)),) for each in values[:_CHOICES]), *more])
    match schema.get("type"):
        case "array":
            return (Piece("list of "), *kind_of(schema.get("items", {})))
        case "object" if isinstance(schema.get("additionalProperties"), dict):
            return (Piece("object of "), *kind_of(schema["additionalProperties"]))
        case list() as types:
            return _joined((Piece(each),) for each in types)
        case str() as named:
            return (Piece(named + _bounds(schema)),)
        case _:
            return (Piece("anything"),)


def _joined(kinds: Iterable[Kind]) -> Kind:
    pieces: list[Piece] = []
    for kind in kinds:
        pieces += [Piece(" or "), *kind] if pieces else kind
    return tuple(pieces)


def _bounds(schema: Json) -> str:
    if "format" in schema:
        return f" ({schema['format']})"
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and most is not None:
        return f" from {least} to {most}"
    return f" of at most {schema['maxLength']} characters" if "maxLength" in schema else ""


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()

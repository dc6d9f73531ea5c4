"""Structural schemas: what an object may hold, what is written where it is silent, what is dropped.

In the flow: the first step of every write. An object is pruned (or refused, when the client asked for strict
checks), filled with defaults, and validated; all errors are found at once and each names its field. Pure: no
function here changes what it is given.

A schema is the JSON of a CustomResourceDefinition. Two words are ours: `x-secret: true` marks values that no
message may show, `x-shape` says in words what a pattern means.
"""

from __future__ import annotations

import base64
import binascii
import copy
import difflib
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from thv.domain.canonical import JsonObject
from thv.domain.errors import FieldError
from thv.domain.patterns import re2

Schema = JsonObject

ANY: Schema = {}
"""The schema of a value that no schema describes."""


def child_schema(schema: Schema, key: str) -> Schema | None:
    """The schema of a member of an object; None when there may be no such member."""
    known: Schema | None = schema.get("properties", {}).get(key)
    if known is not None:
        return known
    if isinstance(schema.get("additionalProperties"), dict):
        further: Schema = schema["additionalProperties"]
        return further
    open_ended = schema.get("x-kubernetes-preserve-unknown-fields") or "type" not in schema
    return ANY if open_ended else None


def item_schema(schema: Schema) -> Schema:
    """The schema of the items of a list."""
    items: Schema = schema.get("items", ANY)
    return items


def joined(path: str, key: str) -> str:
    """The path of a member as messages spell it; a key that is no word stands in brackets."""
    if not path:
        return key
    return f"{path}.{key}" if "." not in key and "/" not in key else f"{path}[{key}]"


# ---------------------------------------------------------------- unknown fields


def unknown_fields(schema: Schema, value: Any) -> list[FieldError]:
    """The fields that no schema describes, each with the field that was probably meant."""
    return list(_unknown(schema, value, "", ()))


def _unknown(
    schema: Schema, value: Any, path: str, outer: tuple[tuple[str, Schema], ...]
) -> Iterator[FieldError]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _unknown(item_schema(schema), item, f"{path}[{index}]", outer)
    if not isinstance(value, dict):
        return
    levels = ((path, schema), *outer)
    for key, member in value.items():
        where = joined(path, key)
        inner = child_schema(schema, key)
        if inner is None:
            yield FieldError(where, f'unknown field "{where}"{_meant(key, levels)}')
        else:
            yield from _unknown(inner, member, where, levels)


def _meant(key: str, levels: tuple[tuple[str, Schema], ...]) -> str:
    (path, schema), *outer = levels
    names = {name.lower(): name for name in schema.get("properties", {})}
    near = difflib.get_close_matches(key.lower().replace("_", ""), names, n=1, cutoff=0.75)
    if near:
        return f', did you mean "{joined(path, names[near[0]])}"?'
    for level, described in outer:
        if key in described.get("properties", {}):
            return f', did you mean "{joined(level, key)}"?'
    return ""


def pruned(schema: Schema, value: Any) -> Any:
    """A copy without unknown fields, and without nulls where a null says nothing."""
    if isinstance(value, list):
        return [pruned(item_schema(schema), item) for item in value]
    if not isinstance(value, dict):
        return value
    described = ((key, item, child_schema(schema, key)) for key, item in value.items())
    return {
        key: pruned(inner, item)
        for key, item, inner in described
        if inner is not None and not (item is None and inner and not inner.get("nullable"))
    }


def defaulted(schema: Schema, value: Any) -> Any:
    """A copy with the default of each absent field."""
    if isinstance(value, list):
        return [defaulted(item_schema(schema), item) for item in value]
    if not isinstance(value, dict):
        return value
    filled = dict(value)
    for key, inner in schema.get("properties", {}).items():
        if "default" in inner and filled.get(key) is None:
            filled[key] = copy.deepcopy(inner["default"])
    return {key: defaulted(child_schema(schema, key) or ANY, item) for key, item in filled.items()}


# ---------------------------------------------------------------- validation


def validate(schema: Schema, value: Any, path: str = "") -> list[FieldError]:
    """Everything that the schema refuses of a value."""
    return list(_errors(schema, value, path))


def _errors(schema: Schema, value: Any, path: str) -> Iterator[FieldError]:
    if schema.get("x-kubernetes-int-or-string"):
        yield from _quantity_errors(schema, value, path)
        return
    expected = schema.get("type")
    if expected is not None and not _has_type(value, expected):
        yield _wrong_type(schema, value, path, expected)
    elif isinstance(value, dict):
        yield from _object_errors(schema, value, path)
    elif isinstance(value, list):
        yield from _list_errors(schema, value, path)
    elif isinstance(value, str):
        yield from _text_errors(schema, value, path)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _number_errors(schema, value, path)


_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
}
_ARTICLES = {"object": "an object", "array": "a list", "integer": "an integer"}


def _has_type(value: Any, expected: str) -> bool:
    if isinstance(value, bool):
        return expected == "boolean"
    return isinstance(value, _TYPES[expected])


def _wrong_type(schema: Schema, value: Any, path: str, expected: str) -> FieldError:
    wanted = _ARTICLES.get(expected, f"a {expected}")
    if value is None:
        return FieldError(path, f"Invalid value: null: must be {wanted}")
    return _invalid(schema, value, path, f"must be {wanted}")


def _object_errors(schema: Schema, value: JsonObject, path: str) -> Iterator[FieldError]:
    for key in schema.get("required", ()):
        if value.get(key) is None:
            yield FieldError(joined(path, key), "Required value")
    limit = schema.get("maxProperties")
    if limit is not None and len(value) > limit:
        yield FieldError(path, f"Too many: {len(value)}: must have at most {limit} entries")
    required = schema.get("required", ())
    for key, item in value.items():
        inner = child_schema(schema, key)
        if inner is not None and not (item is None and key in required):
            yield from _errors(inner, item, joined(path, key))


def _list_errors(schema: Schema, value: list[Any], path: str) -> Iterator[FieldError]:
    limit = schema.get("maxItems")
    if limit is not None and len(value) > limit:
        yield FieldError(path, f"Too many: {len(value)}: must have at most {limit} items")
    for index, item in enumerate(value):
        yield from _errors(item_schema(schema), item, f"{path}[{index}]")
    yield from _duplicates(schema, value, path)


def _duplicates(schema: Schema, value: list[Any], path: str) -> Iterator[FieldError]:
    kind = schema.get("x-kubernetes-list-type", "atomic")
    if kind == "atomic":
        return
    keys = schema.get("x-kubernetes-list-map-keys", ())
    seen: set[bytes] = set()
    for index, item in enumerate(value):
        identity = _identity(item, keys) if kind == "map" else item
        spelled = msgspec.json.encode(identity)
        if spelled in seen:
            yield FieldError(f"{path}[{index}]", f"Duplicate value: {spelled.decode()}")
        seen.add(spelled)


def _identity(item: Any, keys: list[str]) -> Any:
    return {key: item[key] for key in keys if key in item} if isinstance(item, dict) else item


def _text_errors(schema: Schema, value: str, path: str) -> Iterator[FieldError]:
    allowed = schema.get("enum")
    if allowed is not None and value not in allowed:
        names = ", ".join(f'"{name}"' for name in allowed)
        yield FieldError(path, f'Unsupported value: "{value}": supported values: {names}', value)
        return
    longest, shortest = schema.get("maxLength"), schema.get("minLength")
    if longest is not None and len(value) > longest:
        problem = f"Too long: has {len(value)} characters, may have at most {longest}"
        yield FieldError(path, problem)
    elif shortest is not None and len(value) < shortest:
        plural = "character" if shortest == 1 else "characters"
        yield _invalid(schema, value, path, f"must have at least {shortest} {plural}")
    elif "pattern" in schema and not re2(schema["pattern"]).search(value):
        yield _invalid(schema, value, path, _meant_by(schema))
    elif "format" in schema and not _has_format(value, schema["format"]):
        yield _invalid(schema, value, path, f"must be {_FORMATS[schema['format']]}")


def _meant_by(schema: Schema) -> str:
    shape = schema.get("x-shape")
    return f"must be {shape}" if shape else f"must match '{schema['pattern']}'"


_FORMATS = {
    "date-time": "a time such as 2027-03-01T00:00:00Z",
    "byte": "base64",
}
_DATE_TIME = re2(
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})$"
)


def _has_format(value: str, name: str) -> bool:
    if name == "date-time":
        return _DATE_TIME.search(value) is not None and _is_time(value)
    if name == "byte":
        return _is_base64(value)
    return True


def _is_time(value: str) -> bool:
    try:
        datetime.fromisoformat(value.upper())
    except ValueError:
        return False
    return True


def _is_base64(value: str) -> bool:
    try:
        base64.b64decode(value.replace("\n", "").replace("\r", ""), validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _number_errors(schema: Schema, value: float, path: str) -> Iterator[FieldError]:
    least, most = schema.get("minimum"), schema.get("maximum")
    if schema.get("format") == "int64" and not -(2**63) <= value < 2**63:
        yield _invalid(schema, value, path, "must fit into 64 bits")
    elif least is not None and value < least:
        yield _invalid(schema, value, path, f"must be at least {least}")
    elif most is not None and value > most:
        yield _invalid(schema, value, path, f"must be at most {most}")


def _quantity_errors(schema: Schema, value: Any, path: str) -> Iterator[FieldError]:
    if isinstance(value, str):
        yield from _text_errors(schema, value, path)
    elif not isinstance(value, int) or isinstance(value, bool):
        yield _invalid(schema, value, path, "must be an integer or a string")


def _invalid(schema: Schema, value: Any, path: str, problem: str) -> FieldError:
    if schema.get("x-secret"):
        return FieldError(path, f"Invalid value: {problem}")
    return FieldError(path, f"Invalid value: {_shown(value)}: {problem}", _plain(value))


def _shown(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 200 else text[:197] + "..."


def _plain(value: Any) -> Any:
    return None if isinstance(value, dict | list) else value

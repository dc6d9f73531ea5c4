"""Structural schemas of structs: what a CustomResourceDefinition says of a kind.

In the flow: under the definitions of the kinds. The schema keeps patterns beside a text that says what they mean
(`x-shape`); `published` turns both into a rule, since an API server answers a bare pattern with the pattern.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Any

import msgspec
import msgspec.inspect as mi

from thv.domain.canonical import JsonObject
from thv.domain.rules import Rule

SHAPE = "x-shape"
RULES = "x-kubernetes-validations"
OPEN = "x-kubernetes-preserve-unknown-fields"


# ---------------------------------------------------------------- structs


def struct_schema(info: mi.Type, *, defaults: bool) -> JsonObject:
    """The schema of a struct; a status has no defaults, as nobody but the operator writes it."""
    assert isinstance(info, mi.StructType)  # noqa: S101 # tells the type checker what the caller knows
    required = [field.encode_name for field in info.fields if field.required]
    return {
        "type": "object",
        **({"required": required} if required else {}),
        "properties": {f.encode_name: _property(f, defaults=defaults) for f in info.fields},
    }


def _property(field: mi.Field, *, defaults: bool) -> JsonObject:
    schema = _schema(field.type, defaults=defaults)
    description = {"description": schema.pop("description")} if "description" in schema else {}
    default = _default(field) if defaults else None
    return {**description, **schema, **({} if default is None else {"default": default})}


def _default(field: mi.Field) -> Any:
    """What the schema writes for an absent field: nothing where absence itself is the default."""
    value = field.default
    if isinstance(value, msgspec.Struct):
        return {}
    if isinstance(value, bool | int):
        return value
    if isinstance(value, str | tuple) and value:
        return list(value) if isinstance(value, tuple) else str(value)
    return None


def _schema(info: mi.Type, *, defaults: bool) -> JsonObject:
    match info:
        case mi.Metadata(type=inner, extra_json_schema=extra):
            return {**_schema(inner, defaults=defaults), **(extra or {})}
        case mi.StructType():
            return struct_schema(info, defaults=defaults)
        case mi.UnionType(types=types):
            return _union(types, defaults=defaults)
        case mi.VarTupleType(item_type=item, min_length=low, max_length=high):
            items = _schema(item, defaults=defaults)
            return {"type": "array", **_given(minItems=low, maxItems=high), "items": items}
        case mi.DictType(value_type=item, min_length=low, max_length=high):
            values = _schema(item, defaults=defaults)
            bounds = _given(minProperties=low, maxProperties=high)
            return {"type": "object", **bounds, "additionalProperties": values}
        case _:
            return _scalar(info)


def _union(types: tuple[mi.Type, ...], *, defaults: bool) -> JsonObject:
    """An optional value is one that may be absent; an integer or text is a quantity."""
    members = [member for member in types if not isinstance(member, mi.NoneType)]
    if len(members) == 1:
        return _schema(members[0], defaults=defaults)
    (text,) = (_schema(m, defaults=defaults) for m in members if not isinstance(m, mi.IntType))
    bounds = {key: value for key, value in text.items() if key != "type"}
    any_of = [{"type": "integer"}, {"type": "string"}]
    return {"anyOf": any_of, **bounds, "x-kubernetes-int-or-string": True}


def _scalar(info: mi.Type) -> JsonObject:
    match info:
        case mi.BoolType():
            return {"type": "boolean"}
        case mi.IntType(ge=low, le=high):
            return {"type": "integer", "format": "int64", **_given(minimum=low, maximum=high)}
        case mi.StrType(min_length=low, max_length=high, pattern=pattern):
            return {"type": "string", **_given(minLength=low, maxLength=high, pattern=pattern)}
        case mi.EnumType(cls=enum):
            return {"type": "string", "enum": _values(enum)}
        case mi.LiteralType(values=values):
            return {"type": "string", "enum": list(values)}
        case mi.AnyType():
            return {"type": "object", OPEN: True}
        case _:
            raise TypeError(f"no schema for {info}")


def _values(enum: type[Enum]) -> list[str]:
    return [str(member.value) for member in enum]


def _given(**bounds: Any) -> JsonObject:
    return {key: value for key, value in bounds.items() if value is not None}


# ---------------------------------------------------------------- rules


def attach(schema: JsonObject, rules: Iterable[Rule]) -> None:
    """Puts each rule where its path says."""
    for rule in rules:
        _node_at(schema, rule.path).setdefault(RULES, []).append(_validation(rule))


def _node_at(schema: JsonObject, path: str) -> JsonObject:
    node = schema
    for part in path.split(".") if path else ():
        name = part.removesuffix("[]").removesuffix("{}")
        node = node["properties"][name]
        node = node["items"] if part.endswith("[]") else node
        node = node["additionalProperties"] if part.endswith("{}") else node
    return node


def _validation(rule: Rule) -> JsonObject:
    where = {"fieldPath": f".{rule.field}"} if rule.field else {}
    why = {"reason": "FieldValueRequired"} if rule.required else {}
    return {"rule": rule.cel, "message": rule.message, **where, **why}


# ---------------------------------------------------------------- publishing


def published(schema: JsonObject) -> JsonObject:
    """The schema as a cluster gets it: each pattern that has words for it is a rule with these words.

    Status keeps its patterns: only the operator writes it, and often.
    """
    properties = dict(schema["properties"])
    properties["spec"] = _spoken(properties["spec"])
    return _plain({**schema, "properties": properties})


def _spoken(schema: JsonObject) -> JsonObject:
    inner = _inside(schema, _spoken)
    if SHAPE not in inner:
        return inner
    rest = {key: value for key, value in inner.items() if key not in {SHAPE, "pattern", RULES}}
    return {**rest, RULES: [_shape_rule(inner), *inner.get(RULES, ())]}


def _shape_rule(schema: JsonObject) -> JsonObject:
    guard = "type(self) == int || " if schema.get("x-kubernetes-int-or-string") else ""
    rule = f"{guard}self.matches(r'{schema['pattern']}')"
    return {"rule": rule, "message": f"must be {schema[SHAPE]}"}


def _plain(schema: JsonObject) -> JsonObject:
    """Without the words that only we know."""
    inner = _inside(schema, _plain)
    return {key: value for key, value in inner.items() if key != SHAPE}


def _inside(schema: JsonObject, change: Any) -> JsonObject:
    changed = dict(schema)
    if "properties" in schema:
        changed["properties"] = {k: change(v) for k, v in schema["properties"].items()}
    for key in ("items", "additionalProperties"):
        if key in schema:
            changed[key] = change(schema[key])
    return changed

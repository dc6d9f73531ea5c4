"""CustomResourceDefinitions, generated from the structs and rules of the domain.

In the flow: before everything; `make gen` writes them into the charts, and the embedded store validates with the
very same schema, so that an object means the same on one machine and on a cluster.
"""

from __future__ import annotations

from enum import Enum
from functools import cache
from typing import Any

import msgspec
import msgspec.inspect as mi

from thv.domain.canonical import JsonObject
from thv.domain.registry import RegistrySpec
from thv.domain.registry_status import RegistryStatus
from thv.domain.resources import MCP_REGISTRY
from thv.domain.rules import RULES, Rule

_API_VERSION = "Version of the schema of this object, such as toolhive.stacklok.io/v1alpha1."
_KIND = "Kind of this object."

_READY = '.status.conditions[?(@.type=="Ready")]'


# ---------------------------------------------------------------- MCPRegistry


@cache
def registry_crd() -> JsonObject:
    """The definition of MCPRegistry. The caller must not change it."""
    kind = MCP_REGISTRY
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": kind.resource},
        "spec": {
            "group": kind.group,
            "names": {
                "kind": kind.kind,
                "listKind": f"{kind.kind}List",
                "plural": kind.plural,
                "singular": kind.singular,
                "shortNames": list(kind.short_names),
                "categories": ["toolhive", "toolhive-registry"],
            },
            "scope": "Namespaced",
            "versions": [
                {
                    "name": kind.version,
                    "served": True,
                    "storage": True,
                    "additionalPrinterColumns": _registry_columns(),
                    "selectableFields": [
                        {"jsonPath": ".spec.trustLevel"},
                        {"jsonPath": ".spec.source.type"},
                        {"jsonPath": ".status.phase"},
                    ],
                    "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": registry_schema()},
                }
            ],
        },
    }


@cache
def registry_schema() -> JsonObject:
    """The structural schema of MCPRegistry with its rules. The caller must not change it."""
    schema = {
        "description": "MCPRegistry is a source of MCP servers, its policy, and what is served of it.",
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"description": _API_VERSION, "type": "string"},
            "kind": {"description": _KIND, "type": "string"},
            "metadata": {"type": "object"},
            "spec": {
                "description": "What a user wants of the registry.",
                **_struct(mi.type_info(RegistrySpec), defaults=True),
            },
            "status": {
                "description": "What the operator observed; nobody else writes it.",
                **_struct(mi.type_info(RegistryStatus), defaults=False),
            },
        },
    }
    for rule in RULES:
        _attach(schema, rule)
    return schema


def _registry_columns() -> list[JsonObject]:
    sync = ".status.syncStatus"
    return [
        _column("Ready", f"{_READY}.status"),
        _column("Servers", ".status.serverCount", "integer"),
        _column("Trust", ".spec.trustLevel"),
        _column("Last-Sync", f"{sync}.lastSyncTime", "date"),
        _column("Reason", f"{_READY}.reason"),
        _column("Age", ".metadata.creationTimestamp", "date"),
        _column("Message", f"{_READY}.message", wide=True),
        _column("Source", ".spec.source.type", wide=True),
        _column("Format", f"{sync}.format", wide=True),
        _column("Interval", ".spec.syncPolicy.interval", wide=True),
        _column("Revision", f"{sync}.revision", wide=True),
        _column("URL", ".status.apiStatus.endpoint", wide=True),
    ]


def _column(name: str, path: str, kind: str = "string", *, wide: bool = False) -> JsonObject:
    priority = {"priority": 1} if wide else {}
    return {"name": name, "type": kind, "jsonPath": path, **priority}


def _attach(schema: JsonObject, rule: Rule) -> None:
    node = schema
    for part in rule.path.split(".") if rule.path else ():
        node = node["properties"][part.removesuffix("[]")]
        node = node["items"] if part.endswith("[]") else node
    validation = {"rule": rule.cel, "message": rule.message}
    node.setdefault("x-kubernetes-validations", []).append(validation)


# ---------------------------------------------------------------- structs to structural schemas


def _struct(info: mi.Type, *, defaults: bool) -> JsonObject:
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
            return _struct(info, defaults=defaults)
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
        case _:
            raise TypeError(f"no schema for {info}")


def _values(enum: type[Enum]) -> list[str]:
    return [str(member.value) for member in enum]


def _given(**bounds: Any) -> JsonObject:
    return {key: value for key, value in bounds.items() if value is not None}

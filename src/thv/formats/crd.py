"""CustomResourceDefinitions, generated from the structs and rules of the domain.

In the flow: before everything; `make gen` writes them into the charts, and the embedded store validates with the
very same schema, so that an object means the same on one machine and on a cluster.
"""

from __future__ import annotations

from functools import cache

import msgspec
import msgspec.inspect as mi

from thv.domain.canonical import JsonObject
from thv.domain.registry import RegistrySpec
from thv.domain.registry_status import RegistryStatus
from thv.domain.resources import MCP_REGISTRY, Kind
from thv.domain.rules import RULES, Rule
from thv.formats.structural import attach, published, struct_schema

_API_VERSION = "Version of the schema of this object, such as toolhive.stacklok.io/v1alpha1."
_KIND = "Kind of this object."

READY = '.status.conditions[?(@.type=="Ready")]'


# ---------------------------------------------------------------- MCPRegistry


@cache
def registry_crd() -> JsonObject:
    """The definition of MCPRegistry. The caller must not change it."""
    return definition(
        MCP_REGISTRY,
        registry_schema(),
        categories=("toolhive", "toolhive-registry"),
        columns=_registry_columns(),
        selectable=(".spec.trustLevel", ".spec.source.type", ".status.phase"),
    )


@cache
def registry_schema() -> JsonObject:
    """The structural schema of MCPRegistry with its rules. The caller must not change it."""
    return object_schema(
        "MCPRegistry is a source of MCP servers, its policy, and what is served of it.",
        spec=("What a user wants of the registry.", RegistrySpec),
        status=("What the operator observed; nobody else writes it.", RegistryStatus),
        rules=RULES,
    )


def _registry_columns() -> list[JsonObject]:
    sync = ".status.syncStatus"
    return [
        column("Ready", f"{READY}.status"),
        column("Servers", ".status.serverCount", "integer"),
        column("Trust", ".spec.trustLevel"),
        column("Last-Sync", f"{sync}.lastSyncTime", "date"),
        column("Reason", f"{READY}.reason"),
        column("Age", ".metadata.creationTimestamp", "date"),
        column("Message", f"{READY}.message", wide=True),
        column("Source", ".spec.source.type", wide=True),
        column("Format", f"{sync}.format", wide=True),
        column("Interval", ".spec.syncPolicy.interval", wide=True),
        column("Revision", f"{sync}.revision", wide=True),
        column("URL", ".status.apiStatus.endpoint", wide=True),
    ]


# ---------------------------------------------------------------- any kind


def definition(
    kind: Kind,
    schema: JsonObject,
    *,
    categories: tuple[str, ...],
    columns: list[JsonObject],
    selectable: tuple[str, ...] = (),
) -> JsonObject:
    """The definition of a kind of ours."""
    fields = [{"jsonPath": path} for path in selectable]
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
                "categories": list(categories),
            },
            "scope": "Namespaced",
            "versions": [
                {
                    "name": kind.version,
                    "served": True,
                    "storage": True,
                    "additionalPrinterColumns": columns,
                    **({"selectableFields": fields} if fields else {}),
                    "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": published(schema)},
                }
            ],
        },
    }


def object_schema(
    description: str,
    *,
    spec: tuple[str, type[msgspec.Struct]],
    status: tuple[str, type[msgspec.Struct]],
    rules: tuple[Rule, ...],
) -> JsonObject:
    """The schema of an object, of its parts with a sentence for each."""
    schema: JsonObject = {
        "description": description,
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"description": _API_VERSION, "type": "string"},
            "kind": {"description": _KIND, "type": "string"},
            # The name is named, so that a rule can point to it.
            "metadata": {"type": "object", "properties": {"name": {"type": "string"}}},
            "spec": _part(spec, defaults=True),
            "status": _part(status, defaults=False),
        },
    }
    attach(schema, rules)
    return schema


def _part(part: tuple[str, type[msgspec.Struct]], *, defaults: bool) -> JsonObject:
    description, struct = part
    return {
        "description": description,
        **struct_schema(mi.type_info(struct), defaults=defaults),
    }


def column(name: str, path: str, kind: str = "string", *, wide: bool = False) -> JsonObject:
    """A column of `kubectl get`; a wide one is shown with `-o wide` only."""
    priority = {"priority": 1} if wide else {}
    return {"name": name, "type": kind, "jsonPath": path, **priority}

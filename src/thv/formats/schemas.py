"""The verdict of the published JSON Schemas, for every released version of server.json and for ToolHive's.

In the flow: `thv validate` only; everything else asks `validation`, which is faster and knows more. The schemas
are restated in `thv/data/schemas`: constraints alone, the newest release whole, each older one as a merge patch
of its successor.
"""

from __future__ import annotations

from functools import cache
from itertools import islice
from typing import Any

import jsonschema_rs
import msgspec

from thv.data import read
from thv.domain.canonical import JsonObject
from thv.domain.patches import merge_patch
from thv.formats.validation import Finding, Severity, rendered

CURRENT = "2025-12-11"

_FINDING_LIMIT = 100
_MESSAGE_LIMIT = 300


def schema_findings(server: Any, release: str = CURRENT) -> list[Finding]:
    """Where a server.json breaks the schema of a release, which must be one of `releases()`."""
    return _findings(_server_validator(release), server)


def toolhive_findings(document: Any) -> list[Finding]:
    """Where a whole ToolHive registry breaks its schema."""
    return _findings(_toolhive_validator(), document)


def releases() -> tuple[str, ...]:
    """The released versions of the schema of server.json, newest first."""
    return tuple(_server_schemas())


def _findings(validator: jsonschema_rs.Validator, value: Any) -> list[Finding]:
    errors = islice(validator.iter_errors(value), _FINDING_LIMIT)
    return [
        Finding(
            rendered(error.instance_path),
            error.message[:_MESSAGE_LIMIT],
            Severity.ERROR,
            str(error.schema_path[-1]),
        )
        for error in errors
    ]


@cache
def _server_schemas() -> dict[str, JsonObject]:
    schema: JsonObject = msgspec.json.decode(read("schemas/server.json"))
    schemas = {CURRENT: schema}
    for older in msgspec.json.decode(read("schemas/server.older.json")):
        schema = merge_patch(schema, older["patch"])
        schemas[older["release"]] = schema
    return schemas


@cache
def _server_validator(release: str) -> jsonschema_rs.Validator:
    return jsonschema_rs.Draft7Validator(_server_schemas()[release], validate_formats=True)


@cache
def _toolhive_validator() -> jsonschema_rs.Validator:
    schema = msgspec.json.decode(read("schemas/toolhive.json"))
    return jsonschema_rs.Draft7Validator(schema, validate_formats=True)

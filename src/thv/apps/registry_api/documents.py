"""The OpenAPI documents, made of the rows of the endpoints.

In the flow: at the base and beside each API, for clients, generators and whoever checks what this server is.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from functools import cache
from typing import Any

import msgspec

from thv import __version__
from thv.apps.kit.http.endpoints import Endpoint
from thv.apps.kit.http.negotiation import JSON_TYPE, PROBLEM_TYPE, YAML_TYPE
from thv.apps.kit.http.parameters import Parameter
from thv.apps.kit.http.problems import STATUS, Family, title_of
from thv.apps.registry_api.official_schemas import OFFICIAL_SCHEMAS
from thv.apps.registry_api.schemas import SHAPES, ToolhiveGroup
from thv.domain.canonical import JsonObject
from thv.domain.permissions import all_open

_API_VERSION = "1.0.0"
"""Of the official API; clients compare it exactly."""
_OFFICIAL_REPOSITORY = "https://github.com/modelcontextprotocol/registry"

_PLAIN = r"^[^\x00-\x1f\x7f-\x9f]+$"
"""Without control characters."""
_PATH_PARAMETERS = {
    "name": "Name of a server: ToolHive key or official name, a slash in it encoded as %2F.",
    "version": "Exact version, with + encoded as %2B, or latest.",
    "group": "Name of a group.",
    "tool": "Name of a tool.",
    "deployment": "Name of an installed server, an MCPServer.",
    "namespace": "Namespace of a registry, or of an installed server.",
    "registry": "Name of a registry.",
}


class Callers(StrEnum):
    """Who may call what is not public."""

    EVERYBODY = "everybody"
    """No credential is looked at."""
    KNOWN = "known"
    """Whoever has a token and the rights."""
    BOTH = "both"
    """Everybody may read; a token may open more."""


def document(
    endpoints: Iterable[Endpoint],
    *,
    base: str,
    attribution: JsonObject | None = None,
    callers: Callers = Callers.EVERYBODY,
    shapes: tuple[type, ...] = (),
) -> JsonObject:
    """The document about these endpoints below a base; `shapes` are those of their answers that are not ours."""
    paths: dict[str, JsonObject] = {}
    for endpoint in endpoints:
        place = paths.setdefault(_shown(endpoint), {})
        operation = {**_operation(endpoint), **_security(endpoint, callers)}
        place[endpoint.method.lower()] = operation
    guarded = {} if callers is Callers.EVERYBODY else {"securitySchemes": _SCHEMES}
    return {
        "openapi": "3.1.0",
        "info": _info(attribution),
        "servers": [{"url": base or "/"}],
        "paths": paths,
        "components": {
            "schemas": _schemas(shapes),
            "responses": _shared_responses(),
            "headers": _HEADERS,
            **guarded,
        },
    }


def _info(attribution: JsonObject | None) -> JsonObject:
    description = (
        "Read API of a registry of MCP servers: the official MCP registry API "
        f"({_OFFICIAL_REPOSITORY}) under /v0.1 and /v0, and the registry's own API under /api/v1."
    )
    if attribution:
        description += f" {attribution['text']} See {attribution['url']}."
    return {
        "title": "MCP registry",
        "version": _API_VERSION,
        "description": description,
        "x-product-version": __version__,
    }


def _shown(endpoint: Endpoint) -> str:
    """The official API calls the name of a server `serverName`."""
    if endpoint.family is Family.OFFICIAL:
        return endpoint.template.replace("{name}", "{serverName}")
    return endpoint.template


def _operation(endpoint: Endpoint) -> JsonObject:
    parameters = [
        *(_path_parameter(part, endpoint) for part in endpoint.template.split("/") if "{" in part),
        *(_query_parameter(parameter) for parameter in endpoint.parameters),
    ]
    operation: JsonObject = {
        "operationId": _operation_id(endpoint),
        "summary": endpoint.summary,
        "tags": ["servers" if not endpoint.refused else "publish"],
        "parameters": parameters,
        "responses": _responses(endpoint),
    }
    if endpoint.takes:
        written = {"schema": _ref(endpoint.takes)}
        content = dict.fromkeys((JSON_TYPE, YAML_TYPE), written)
        operation["requestBody"] = {"required": True, "content": content}
    return operation


_SCHEMES: JsonObject = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "A token that was made for this API.",
    }
}


def _security(endpoint: Endpoint, callers: Callers) -> JsonObject:
    """What a caller must show, and what that one must be allowed, as the table of permissions has it."""
    if callers is Callers.EVERYBODY:
        return {}
    token: JsonObject = {"bearer": []}
    if endpoint.public:
        return {"security": [{}, token] if endpoint.tells_more else []}
    open_too = callers is Callers.BOTH and endpoint.needs and all_open(endpoint.needs)
    return {
        "security": [{}, token] if open_too else [token],
        "x-required-permissions": [f"{each} ({each.group or 'core'})" for each in endpoint.needs],
    }


def _operation_id(endpoint: Endpoint) -> str:
    parts = [part.strip("{}") for part in endpoint.template.split("/") if part]
    return "-".join((endpoint.method.lower(), *parts)).replace(".", "_")


def _path_parameter(part: str, endpoint: Endpoint) -> JsonObject:
    name = part.strip("{}")
    is_server = name == "name" and endpoint.family is Family.OFFICIAL
    return {
        "name": "serverName" if is_server else name,
        "in": "path",
        "required": True,
        "description": _PATH_PARAMETERS[name],
        "schema": {"type": "string", "minLength": 1, "pattern": _PLAIN},
    }


def _query_parameter(parameter: Parameter) -> JsonObject:
    schema = parameter.schema
    if parameter.many:
        schema = {"type": "array", "items": schema, "maxItems": parameter.at_most}
    elif parameter.default not in (None, ()):
        schema = {**schema, "default": parameter.default}
    found: JsonObject = {
        "name": parameter.name,
        "in": "query",
        "required": parameter.required,
        "description": parameter.description,
        "schema": schema,
    }
    return {**found, "style": "form", "explode": False} if parameter.many else found


# ---------------------------------------------------------------- answers

_ANYBODY = (400, 408, 414, 421, 429, 431, 500, 503, 504)
"""What may happen to a request of any endpoint."""
_READERS = (401, 403)
"""What may happen where somebody is asked who they are."""
_WITHOUT_TAG = frozenset({"M1", "M2", "M3", "M4", "M7", "M7-can-i", "M8", "O6", "R13"})
_STATES = frozenset(
    {"C10", "C11", "C15", "C16", "C17", "C18", "C19", "C21", "C22", "C26", "C29", "C30", "C32"}
)
"""What the catalog says of registries, and not of what is in them."""
_MADE = frozenset({"C9", "C12", "C13", "C14", "C28"})
"""What it makes of servers for somebody."""


def _responses(endpoint: Endpoint) -> JsonObject:
    statuses = {*_ANYBODY, *endpoint.errors}
    if not endpoint.public:
        statuses |= {*_READERS, 404}
    if endpoint.family is not Family.OFFICIAL:
        statuses.add(406)
    shape = "OfficialError" if endpoint.family is Family.OFFICIAL else "Error"
    errors: JsonObject = {str(status): _answer_ref(shape, status) for status in sorted(statuses)}
    for status, name in endpoint.other_answers:
        errors[str(status)] = _other(name, shape, status)
    default = {"default": {"$ref": f"#/components/responses/{shape}"}}
    return {**_success(endpoint), **errors, **default}


def _success(endpoint: Endpoint) -> JsonObject:
    if endpoint.refused:
        return {}
    success: JsonObject = {"200": {"description": "OK", "content": _content(endpoint)}}
    if endpoint.id in _WITHOUT_TAG | _STATES | _MADE or endpoint.method != "GET":
        return success
    success["200"]["headers"] = {name: _header(name) for name in _headers(endpoint)}
    return {**success, "304": {"$ref": "#/components/responses/NotModified"}}


def _headers(endpoint: Endpoint) -> Iterable[str]:
    yield "ETag"
    if endpoint.id.startswith("R"):
        yield "X-Snapshot"


def _header(name: str) -> JsonObject:
    return {"$ref": f"#/components/headers/{name}"}


def _answer_ref(shape: str, status: int) -> JsonObject:
    return {"$ref": f"#/components/responses/{shape}{status}"}


def _other(name: str, error: str, status: int) -> JsonObject:
    """An answer of its own under a status that errors may have too."""
    problem = {PROBLEM_TYPE: {"schema": _ref(error)}}
    either = {"anyOf": [_ref(name), _ref(error)]}
    return {
        "description": title_of(status),
        "content": {JSON_TYPE: {"schema": either}, **problem},
    }


@cache
def _shared_responses() -> JsonObject:
    """Errors by shape and status, so that no operation repeats them."""
    responses: JsonObject = {
        "NotModified": {"description": title_of(304), "headers": {"ETag": _header("ETag")}},
    }
    for shape, types in (("Error", (JSON_TYPE, PROBLEM_TYPE)), ("OfficialError", (PROBLEM_TYPE,))):
        content = {kind: {"schema": _ref(shape)} for kind in types}
        responses[shape] = {"description": "An error.", "content": content}
        for status in sorted(set(STATUS.values()) | {422}):
            responses[f"{shape}{status}"] = {"description": title_of(status), "content": content}
    return responses


_HEADERS: JsonObject = {
    "ETag": {
        "description": "Changes with the content; weak, as encodings differ.",
        "required": True,
        "schema": {"type": "string", "pattern": '^W/"[0-9a-f]{16}-[0-9a-f]{12}"$'},
    },
    "X-Snapshot": {
        "description": "Digest of the snapshot that answered.",
        "required": True,
        "schema": {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"},
    },
}


def _content(endpoint: Endpoint) -> JsonObject:
    shapes = [_ref(name) for name in endpoint.answers] or [{"type": "object"}]
    schema = shapes[0] if len(shapes) == 1 else {"anyOf": shapes}
    types = dict.fromkeys(offer.type for offer in endpoint.offers)
    return {kind: {"schema": schema} for kind in types}


def _ref(name: str) -> JsonObject:
    return {"$ref": f"#/components/schemas/{name}"}


@cache
def _schemas(shapes: tuple[type, ...]) -> JsonObject:
    _, components = msgspec.json.schema_components(
        (*SHAPES, *shapes), ref_template="#/components/schemas/{name}"
    )
    return {**OFFICIAL_SCHEMAS, **components, "OfficialGroup": _official_group(components)}


def _official_group(components: dict[str, Any]) -> JsonObject:
    """A group whose members are in the official form."""
    group: JsonObject = components[ToolhiveGroup.__name__]
    members = {"type": "array", "items": _ref("ServerResponse")}
    properties = {**group["properties"], "servers": members, "remote_servers": members}
    return {**group, "title": "OfficialGroup", "properties": properties}

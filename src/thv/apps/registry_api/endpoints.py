"""Every endpoint of the registry API, one row each.

In the flow: the routes, the checks before a handler and the OpenAPI documents are made of these rows.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from thv.apps.kit.http.endpoints import Call, Endpoint, Handler
from thv.apps.kit.http.message import Answer
from thv.apps.kit.http.negotiation import JSON_TYPE, YAML_TYPE, Offer
from thv.apps.kit.http.parameters import Parameter
from thv.apps.kit.http.problems import Family
from thv.apps.registry_api import (
    changes,
    details,
    export,
    groups,
    info,
    official,
    servers,
    tools,
    words,
)
from thv.domain.permissions import LIST_SERVERS, READ
from thv.stores.models.query import Form

_BOTH = tuple(Offer(JSON_TYPE, form.value) for form in Form)
_DOCUMENTS = (*_BOTH, *(Offer(YAML_TYPE, form.value) for form in Form))
OFFICIAL_PREFIXES = ("/v0.1", "/v0")
"""The prefixes of the official API; one set of handlers."""


def _api(
    id_: str,
    path: str,
    handle: Handler,
    summary: str,
    parameters: tuple[Parameter, ...] = (),
    **more: Any,
) -> Endpoint:
    return Endpoint(
        id=id_,
        template=f"/api/v1{path}",
        family=Family.API,
        handle=handle,
        summary=summary,
        parameters=parameters,
        **more,
    )


_SERVER = "/servers/{name}"
_ONE_VERSION = f"{_SERVER}/versions/{{version}}"

OWN: tuple[Endpoint, ...] = (
    _api(
        "R1",
        "/servers",
        servers.list_servers,
        "List the servers of the registry",
        words.SERVER_LIST,
        offers=_BOTH,
        answers=(
            "ToolhiveServerList",
            "ServerList",
        ),
        errors=(410,),
    ),
    _api(
        "R2",
        _SERVER,
        servers.read_server,
        "Read one server",
        words.SERVER,
        offers=_BOTH,
        answers=(
            "ToolhiveServer",
            "ServerResponse",
        ),
        errors=(404,),
    ),
    _api(
        "R3",
        _SERVER + "/versions",
        servers.list_versions,
        "List the versions of a server, newest first",
        words.VERSIONS,
        offers=_BOTH,
        answers=(
            "VersionList",
            "ServerList",
        ),
        errors=(
            404,
            410,
        ),
    ),
    _api(
        "R4",
        _ONE_VERSION,
        servers.read_version,
        "Read one version of a server",
        words.SERVER_VERSION,
        offers=_BOTH,
        answers=(
            "ToolhiveServer",
            "ServerResponse",
        ),
        errors=(404,),
    ),
    _api(
        "R5",
        _ONE_VERSION + "/diff",
        details.compare_versions,
        "Compare two versions of a server",
        words.DIFFERENCE,
        answers=("Comparison",),
        errors=(404,),
    ),
    _api(
        "R6",
        _SERVER + "/tools",
        details.list_tools,
        "List the tools of a server",
        answers=("ServerTools",),
        errors=(404,),
    ),
    _api(
        "R7",
        "/groups",
        groups.list_groups,
        "List the groups of the registry",
        words.GROUPS,
        offers=_BOTH,
        answers=("GroupList",),
    ),
    _api(
        "R8",
        "/groups/{group}",
        groups.read_group,
        "Read one group with its servers",
        words.GROUPS,
        offers=_BOTH,
        answers=(
            "ToolhiveGroup",
            "OfficialGroup",
        ),
        errors=(404,),
    ),
    _api(
        "R9",
        "/tools",
        tools.list_tools,
        "List the tools of the registry",
        words.TOOLS,
        answers=("ToolList",),
        errors=(410,),
    ),
    _api(
        "R10",
        "/tools/{tool}",
        tools.read_tool,
        "Read one tool",
        answers=("OfferedTool",),
        errors=(404,),
    ),
    _api(
        "R11",
        "/info",
        info.read_info,
        "Read what the registry says of itself",
        answers=("Info",),
    ),
    _api(
        "R12",
        "/export",
        export.export_registry,
        "Export the registry as one document",
        words.EXPORT,
        offers=_DOCUMENTS,
    ),
    _api(
        "R12-losses",
        "/export/losses",
        export.list_losses,
        "List what an exported document leaves out",
        words.EXPORT,
        offers=_BOTH,
        answers=("Losses",),
    ),
    _api(
        "R13",
        "/changes",
        changes.list_changes,
        "List what changed since a token",
        words.CHANGES,
        answers=("ChangeList",),
        errors=(410,),
        seconds=words.LONGEST_WAIT + 15.0,
        follows=True,
    ),
)


def deployments(handle: Handler) -> Endpoint:
    """R14, which asks for a right on servers, too."""
    return _api(
        "R14",
        "/deployments",
        handle,
        "List the servers that are installed from the registry",
        words.DEPLOYMENTS,
        answers=("DeploymentList",),
        needs=(READ, LIST_SERVERS),
    )


def health(clock: Callable[[], float]) -> Endpoint:
    """M3, which tells the age of the content."""
    return _api(
        "M3",
        "/health",
        info.read_health(clock),
        "Whether content is served, and whether it is fresh",
        answers=("Health",),
        other_answers=((503, "Health"),),
        errors=(401, 403, 404),
        public=True,
        tells_more=True,
    )


# ---------------------------------------------------------------- the official API


class Reads(Protocol):
    """Who answers the reads of the official API: one registry, or the aggregate of many."""

    def list_servers(self, call: Call, /) -> Answer | Awaitable[Answer]: ...
    def list_versions(self, call: Call, /) -> Answer | Awaitable[Answer]: ...
    def read_version(self, call: Call, /) -> Answer | Awaitable[Answer]: ...
    def read_latest(self, call: Call, /) -> Answer | Awaitable[Answer]: ...


def official_rows(reads: Reads) -> tuple[Endpoint, ...]:
    """O1 to O6, under every prefix."""
    return tuple(row for prefix in OFFICIAL_PREFIXES for row in _official(prefix, reads))


def _official(prefix: str, reads: Reads) -> tuple[Endpoint, ...]:
    server = f"{prefix}/servers/{{name}}"
    version = server + "/versions/{version}"

    def row(id_: str, template: str, handle: Handler, summary: str, **more: Any) -> Endpoint:
        return Endpoint(
            id=id_,
            template=template,
            family=Family.OFFICIAL,
            handle=handle,
            summary=summary,
            **more,
        )

    def refused(template: str, method: str) -> Endpoint:
        return row(
            "O5",
            template,
            official.refuse_publishing,
            "Not supported: servers come in by a source",
            method=method,
            refused=True,
            public=True,
            errors=(501,),
        )

    return (
        row(
            "O1",
            f"{prefix}/servers",
            reads.list_servers,
            "List MCP servers",
            parameters=words.OFFICIAL_LIST,
            answers=("ServerList",),
            errors=(422,),
        ),
        row(
            "O2",
            f"{server}/versions",
            reads.list_versions,
            "List all versions of an MCP server",
            parameters=words.OFFICIAL_READ,
            answers=("ServerList",),
            errors=(404, 422),
        ),
        row(
            "O3",
            version,
            reads.read_version,
            "Get specific MCP server version",
            parameters=words.OFFICIAL_READ,
            answers=("ServerResponse",),
            errors=(404, 422),
        ),
        row(
            "O4",
            server,
            reads.read_latest,
            "Get the latest version of an MCP server",
            parameters=words.OFFICIAL_READ,
            answers=("ServerResponse",),
            errors=(404, 422),
        ),
        row("O6", f"{prefix}/health", info.live, "Health check", answers=("Status",), public=True),
        row("O6", f"{prefix}/ping", info.ping, "Ping", answers=("Pong",), public=True),
        row(
            "O6",
            f"{prefix}/version",
            info.official_version,
            "Version of this server",
            answers=("OfficialVersion",),
            public=True,
        ),
        refused(f"{prefix}/publish", "POST"),
        refused(version, "PUT"),
        refused(version, "DELETE"),
        refused(f"{version}/status", "PATCH"),
        refused(f"{server}/status", "PATCH"),
    )


# ---------------------------------------------------------------- documents and operations


def documents(handle: Callable[[bool, bool], Handler]) -> tuple[Endpoint, ...]:
    """O7 and M6; `handle` makes the handler of (our own API alone, as YAML)."""

    def row(id_: str, template: str, *, own: bool, as_yaml: bool) -> Endpoint:
        return Endpoint(
            id=id_,
            template=template,
            family=Family.OPEN,
            handle=handle(own, as_yaml),
            summary="This document",
            offers=(Offer(YAML_TYPE if as_yaml else JSON_TYPE),),
            public=True,
            tells_more=True,
        )

    return (
        row("O7", "/openapi.json", own=False, as_yaml=False),
        row("O7", "/openapi.yaml", own=False, as_yaml=True),
        *(
            row("O7", f"{prefix}/openapi.yaml", own=False, as_yaml=True)
            for prefix in OFFICIAL_PREFIXES
        ),
        row("M6", "/api/v1/openapi.json", own=True, as_yaml=False),
    )


def identity(handle: Handler) -> Endpoint:
    """M7, at the root of a door."""
    return _api(
        "M7",
        "/me",
        handle,
        "Who the caller is, and what that one may do to registries",
        answers=("Me",),
        needs=(),
    )


def right(handle: Handler) -> Endpoint:
    """M7's other question, at the root of a door that no cluster judges for."""
    return _api(
        "M7-can-i",
        "/me/can-i",
        handle,
        "Whether the caller may do something",
        words.CAN_I,
        answers=("Right",),
        needs=(),
    )


def protected(handle: Handler) -> Endpoint:
    """M8, at the root of a door."""
    return Endpoint(
        id="M8",
        template="/.well-known/oauth-protected-resource",
        family=Family.OPEN,
        handle=handle,
        summary="Where a client gets a token, as RFC 9728 has it",
        answers=("ProtectedResource",),
        errors=(404,),
        public=True,
    )


def operations(ready: Callable[[], bool]) -> tuple[Endpoint, ...]:
    """M1, M2 and M4, at the root of a door."""

    def row(id_: str, template: str, handle: Handler, summary: str, *answers: str) -> Endpoint:
        return Endpoint(
            id=id_,
            template=template,
            family=Family.OPERATIONS,
            handle=handle,
            summary=summary,
            answers=answers[:1],
            other_answers=tuple((503, name) for name in answers[1:]),
            public=True,
        )

    def readiness(_: Call) -> Answer:
        return info.readiness(is_ready=ready())

    return (
        *(
            row("M1", path, info.live, "Liveness", "Status")
            for path in ("/healthz", "/livez", "/health")
        ),
        *(
            row("M2", path, readiness, "Readiness", "Ready", "Ready")
            for path in ("/readyz", "/readiness")
        ),
        row("M4", "/version", info.build_info, "Version of this server", "Version"),
    )

"""Every endpoint of the catalog, one row each.

In the flow: they stand at the root of a door that serves many registries; routes, checks and the OpenAPI document are
made of these rows.
"""

from __future__ import annotations

from typing import Any

from thv.apps.catalog_api import (
    categories,
    changes,
    deployments,
    groups,
    listing,
    registries,
    servers,
    states,
    statistics,
    tools,
    words,
)
from thv.apps.kit.http.endpoints import Endpoint, Handler
from thv.apps.kit.http.negotiation import JSON_TYPE, Offer
from thv.apps.kit.http.parameters import Parameter
from thv.apps.kit.http.problems import Family
from thv.apps.registry_api.words import LONGEST_WAIT as LONGEST_CHANGE_WAIT
from thv.domain.permissions import LIST, LIST_SERVERS, READ, SYNC

_FORMS = tuple(Offer(JSON_TYPE, form) for form in words.FORMATS)
_OF_REGISTRIES = tuple(Offer(JSON_TYPE, form) for form in words.FORMATS[1:])
SPELLINGS = ("/mcp_servers", "/servers")
"""The collection under both of its names; the same answers under the same tags."""


def api(
    id_: str,
    path: str,
    handle: Handler,
    summary: str,
    parameters: tuple[Parameter, ...] = (),
    **more: Any,
) -> Endpoint:
    """A row of the catalog; unless it says otherwise it shows what the caller may list, which its handler asks."""
    return Endpoint(
        id=id_,
        template=f"/api/v1{path}",
        family=Family.API,
        handle=handle,
        summary=summary,
        parameters=parameters,
        **{"needs": (LIST,), **more},
    )


def _servers(path: str) -> tuple[Endpoint, ...]:
    server = f"{path}/{{name}}"
    version = f"{server}/versions/{{version}}"
    return (
        api(
            "C1",
            path,
            listing.list_servers,
            "List the servers of all registries",
            words.SERVERS,
            offers=_FORMS,
            answers=("CatalogServerList", "ToolhiveServerList", "ServerList"),
        ),
        api(
            "C2",
            server,
            servers.read_server,
            "Read one server",
            words.SERVER,
            offers=_FORMS,
            answers=("CatalogServer", "ToolhiveServer", "ServerResponse"),
            errors=(404,),
        ),
        api(
            "C3",
            f"{server}/versions",
            servers.list_versions,
            "List the versions of a server, newest first",
            words.SERVER_VERSIONS,
            offers=_OF_REGISTRIES,
            answers=("VersionList", "ServerList"),
            errors=(404, 410),
        ),
        api(
            "C4",
            version,
            servers.read_version,
            "Read one version of a server",
            words.SERVER_VERSION,
            offers=_FORMS,
            answers=("CatalogServer", "ToolhiveServer", "ServerResponse"),
            errors=(404,),
        ),
        api(
            "C5",
            f"{version}/diff",
            servers.compare_versions,
            "Compare two versions of a server, also of two registries",
            words.DIFFERENCE,
            answers=("Comparison",),
            errors=(404,),
        ),
    )


_NAMESPACE = "/registries/{namespace}"
_REGISTRY = "/namespaces/{namespace}/registries/{registry}"

ROWS: tuple[Endpoint, ...] = (
    *(row for path in SPELLINGS for row in _servers(path)),
    api(
        "C6",
        "/categories",
        categories.list_categories,
        "List the classes of servers and what they mean",
        answers=("CategoryList",),
    ),
    api(
        "C7",
        "/tools",
        tools.list_tools,
        "List the tools of all servers",
        words.TOOLS,
        answers=("CatalogToolList",),
    ),
    api(
        "C8",
        "/tools/{tool}",
        tools.read_tool,
        "Read one tool and who offers it",
        answers=("CatalogTool",),
        errors=(404,),
    ),
    api(
        "C10",
        _NAMESPACE,
        registries.list_namespace,
        "List the registries of a namespace",
        answers=("RegistryList",),
        scoped=True,
    ),
    api(
        "C11",
        _REGISTRY,
        registries.read_registry,
        "Read one registry",
        answers=("DescribedRegistry",),
        errors=(404,),
        needs=(READ,),
        scoped=True,
    ),
    api(
        "C15",
        f"{_NAMESPACE}/sync",
        states.request_syncs,
        "Ask for a sync of a registry of a namespace",
        (*words.WHICH, *words.WAIT),
        method="POST",
        answers=("RequestedSync",),
        other_answers=((202, "RequestedSync"),),
        errors=(404, 413, 415),
        needs=(SYNC,),
        scoped=True,
        seconds=states.LONGEST_WAIT + 15.0,
    ),
    api(
        "C15",
        f"{_REGISTRY}/sync",
        states.request_sync,
        "Ask for a sync of a registry",
        words.WAIT,
        method="POST",
        answers=("RequestedSync",),
        other_answers=((202, "RequestedSync"),),
        errors=(404, 413, 415),
        needs=(SYNC,),
        scoped=True,
        seconds=states.LONGEST_WAIT + 15.0,
    ),
    api(
        "C16",
        f"{_NAMESPACE}/status",
        states.read_states,
        "Read the state of the registries of a namespace",
        words.WHICH,
        answers=("RegistryState", "RegistryStateList"),
        errors=(404,),
        needs=(READ,),
        scoped=True,
    ),
    api(
        "C16",
        f"{_REGISTRY}/status",
        states.read_state,
        "Read the state of a registry",
        answers=("RegistryState",),
        errors=(404,),
        needs=(READ,),
        scoped=True,
    ),
    api(
        "C17",
        "/registries",
        registries.list_registries,
        "List the registries that the caller may see",
        words.REGISTRIES,
        answers=("RegistryList",),
        known=True,
    ),
    api(
        "C18",
        "/stats",
        statistics.read_statistics,
        "Count what the caller may see",
        words.STATISTICS,
        answers=("Statistics",),
        known=True,
    ),
    api(
        "C19",
        "/changes",
        changes.list_changes,
        "List what changed in all registries since a token",
        words.CHANGES,
        answers=("CatalogChangeList",),
        errors=(410,),
        known=True,
        seconds=LONGEST_CHANGE_WAIT + 15.0,
        follows=True,
    ),
    api(
        "C20",
        "/groups",
        groups.list_groups,
        "List the groups of all registries",
        answers=("CatalogGroupList",),
        known=True,
    ),
    api(
        "C21",
        "/deployments",
        deployments.list_deployments,
        "List the servers that are installed from registries",
        words.DEPLOYMENTS,
        answers=("CatalogDeploymentList",),
        needs=(LIST_SERVERS,),
        known=True,
    ),
    api(
        "C22",
        f"{_REGISTRY}/history",
        states.list_history,
        "List the last syncs of a registry",
        answers=("SyncHistory",),
        errors=(404,),
        needs=(READ,),
        scoped=True,
    ),
)

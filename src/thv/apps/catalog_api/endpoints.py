"""Every endpoint of the catalog, one row each.

In the flow: they stand at the root of a door that serves many registries; routes, checks and the OpenAPI document are
made of these rows.
"""

from __future__ import annotations

from typing import Any

from thv.apps.catalog_api import registries, words
from thv.apps.kit.http.endpoints import Endpoint, Handler
from thv.apps.kit.http.parameters import Parameter
from thv.apps.kit.http.problems import Family
from thv.domain.permissions import LIST, READ


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


_ONE_REGISTRY = "/namespaces/{namespace}/registries/{registry}"

ROWS: tuple[Endpoint, ...] = (
    api(
        "C10",
        "/registries/{namespace}",
        registries.list_namespace,
        "List the registries of a namespace",
        answers=("RegistryList",),
        scoped=True,
    ),
    api(
        "C11",
        _ONE_REGISTRY,
        registries.read_registry,
        "Read one registry",
        answers=("DescribedRegistry",),
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
    ),
)

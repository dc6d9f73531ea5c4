"""C9: everything that makes a registry of one server.

In the flow: the server is chosen as its detail is; what comes back is a request that C12 and C13 take.
"""

from __future__ import annotations

from thv.apps.catalog_api import generation_words as words
from thv.apps.catalog_api.catalog import Catalog, catalog_of
from thv.apps.catalog_api.endpoints import api
from thv.apps.catalog_api.generation_candidates import candidate_of
from thv.apps.catalog_api.generation_problems import told
from thv.apps.catalog_api.servers import Choice, choose, definition
from thv.apps.kit.http.endpoints import Call, Endpoint
from thv.apps.kit.http.message import NO_STORE, Answer, json_answer
from thv.apps.kit.http.negotiation import JSON_TYPE, YAML_TYPE, Offer
from thv.apps.registry_api.servers import server_not_found
from thv.catalog.export import Asked, exported
from thv.catalog.generate.files import documents
from thv.catalog.generate.request import parse_request
from thv.catalog.generate.resolve import Candidate
from thv.domain.canonical import JsonObject
from thv.stores.models.query import LATEST


async def export_server(call: Call) -> Answer:
    """The request, the definition of the server, and the document that its registry would have."""
    catalog, version = catalog_of(call), call.values["version"] or LATEST
    choice = await choose(call, version)
    candidate = _candidate(call, catalog, choice, version)
    with told(call.values["namespace"], where="query"):
        made = exported(candidate, _asked(call))
        parse_request(made.request, call.values["namespace"])
    body: JsonObject = {
        **made.request,
        "definitions": {made.request["servers"][0]["name"]: definition(catalog, choice, version)},
        "registry_data": made.registry_data,
    }
    if call.offer.type == YAML_TYPE:
        return _yaml(body)
    return json_answer(body)


def _candidate(call: Call, catalog: Catalog, choice: Choice, version: str) -> Candidate:
    found = candidate_of(catalog, catalog.served(choice.registry), choice.name, version)
    if found is None:
        raise server_not_found(call)
    return found


def _asked(call: Call) -> Asked:
    values = call.values
    return Asked(
        namespace=values["namespace"],
        registry_name=values["registry_name"],
        display_name=values["display_name"],
        image_registry=values["image_registry"] or "",
        enforce_servers=values["enforce_servers"],
        enforce_tools=values["enforce_tools"],
        auto_sync=values["auto_sync"],
        tools_filter=values["tools_filter"],
    )


def _yaml(body: JsonObject) -> Answer:
    return Answer(
        200, ((b"content-type", YAML_TYPE.encode()), NO_STORE), documents([body]).encode()
    )


EXPORT_ROWS: tuple[Endpoint, ...] = tuple(
    api(
        "C9",
        f"/{collection}/{{name}}/export",
        export_server,
        "Export a server as a request for a registry of it",
        words.EXPORT,
        offers=(Offer(JSON_TYPE), Offer(YAML_TYPE)),
        answers=("Export",),
        errors=(404, 422),
    )
    for collection in ("mcp_servers", "servers")
)

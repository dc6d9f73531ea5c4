"""C28: how one gets a server: commands, manifest, and what a client is told.

In the flow: the server is chosen as its detail is; what it becomes is decided as `thv install` decides it.
"""

from __future__ import annotations

import msgspec

from thv.apps.catalog_api import words
from thv.apps.catalog_api.catalog import catalog_of
from thv.apps.catalog_api.endpoints import api
from thv.apps.catalog_api.generation_candidates import candidate_of
from thv.apps.catalog_api.servers import choose, definition
from thv.apps.kit.http.endpoints import Call, Endpoint
from thv.apps.kit.http.message import NO_STORE, Answer, json_answer
from thv.apps.kit.http.negotiation import JSON_TYPE, YAML_TYPE, Offer
from thv.apps.kit.http.problems import ProblemError, Word
from thv.apps.registry_api.servers import server_not_found
from thv.catalog import offer as offers
from thv.catalog.generate.files import documents
from thv.catalog.install import Ground, Origin
from thv.domain.canonical import JsonObject
from thv.domain.facts import facts_of
from thv.domain.resources import SERVER_KINDS, TOOL_CONFIG_KINDS


async def offer_server(call: Call) -> Answer:
    """C28: one version of a server, with `VALUE` for what only the user knows."""
    catalog, version = catalog_of(call), call.values["version"]
    choice = await choose(call, version)
    candidate = candidate_of(catalog, catalog.served(choice.registry), choice.name, version)
    if candidate is None:
        raise server_not_found(call)
    # What it is for may be what its registry makes of its tags, not what it says itself.
    category = definition(catalog, choice, version).get("functional_category", "")
    made = offers.offer_of(
        candidate.entry,
        msgspec.structs.replace(facts_of(candidate.entry), category=category),
        Origin(candidate.origin.namespace, candidate.origin.name),
        call.values["namespace"] or candidate.origin.namespace,
        _ground(call.values["api_version"]),
    )
    if call.offer.type == YAML_TYPE:
        return _yaml(made)
    return json_answer(_told(call, candidate.entry.version, made))


def _ground(api_version: str) -> Ground:
    """A cluster that has servers in this version of a group."""
    server = next(each for each in SERVER_KINDS if each.api_version == api_version)
    config = next(each for each in TOOL_CONFIG_KINDS if each.api_version == api_version)
    return Ground(server=server, tool_config=config, packages=False)


def _told(call: Call, version: str, made: offers.Offer) -> JsonObject:
    return {
        "name": call.names["name"],
        "version": version,
        "commands": msgspec.to_builtins(made.commands),
        "manifest": documents(made.objects) if made.objects else None,
        "obstacle": msgspec.to_builtins(made.obstacle),
        "client": {"mcpServers": made.told.client} if made.told else None,
        "vscode": msgspec.to_builtins(made.told.vscode) if made.told else None,
        "notes": made.notes,
    }


def _yaml(made: offers.Offer) -> Answer:
    if made.obstacle is not None:
        raise ProblemError(
            Word.POLICY_REFUSED,
            f"{made.obstacle.message[:1].upper()}{made.obstacle.message[1:]}",
            hint=made.obstacle.hint,
        )
    kind = (b"content-type", YAML_TYPE.encode())
    return Answer(200, (kind, NO_STORE), documents(made.objects).encode())


OFFER_ROWS: tuple[Endpoint, ...] = tuple(
    api(
        "C28",
        f"/{collection}/{{name}}/install",
        offer_server,
        "Tell how a server is installed",
        words.INSTALL,
        offers=(Offer(JSON_TYPE), Offer(YAML_TYPE)),
        answers=("InstallOffer",),
        errors=(404, 422),
    )
    for collection in ("mcp_servers", "servers")
)

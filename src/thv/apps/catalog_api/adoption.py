"""C31 and C32: which server of which registry an installed one is, and what it may be.

In the flow: a server that was there before becomes one of the list of a registry. Its labels and annotations are written
with the rights of the caller; its spec is not ours to change.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress

from thv.apps.catalog_api.adoption_candidates import candidates
from thv.apps.catalog_api.adoption_wish import Meant, meant_by, wanted_by
from thv.apps.catalog_api.catalog import Catalog, catalog_of
from thv.apps.catalog_api.deployments import Deployed, spelled
from thv.apps.catalog_api.endpoints import api
from thv.apps.catalog_api.generation_problems import told
from thv.apps.catalog_api.generation_writers import (
    Writers,
    access_of,
    require_known,
    require_writable,
)
from thv.apps.kit.authorization import Authorization
from thv.apps.kit.http.endpoints import Call, Endpoint
from thv.apps.kit.http.message import Answer, json_answer
from thv.apps.kit.http.problems import Culprit, ProblemError, Word
from thv.apps.registry_api.fleet import GROUPS, Fleet, Place, claim_of
from thv.apps.registry_api.served import Served
from thv.catalog.adopt import adoption_patch
from thv.catalog.installed import Installed, installed_of
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, FieldError, InvalidError, ThvError
from thv.domain.pending import MANAGER
from thv.domain.permissions import ADOPT_SERVER, LIST_SERVERS
from thv.domain.resources import Kind
from thv.stores.resources.base import ResourceStore

_TRIES = 8
_PATIENCE = 2.0
"""Seconds that an answer waits until the list tells what was written."""
_EVERY = 0.05


class Adoptions:
    """Answers requests about servers that were there before."""

    def __init__(
        self, authorization: Authorization | None, writers: Writers, *, read_only: bool = False
    ) -> None:
        self._authorization = authorization
        self._writers = writers
        self._read_only = read_only

    async def look(self, call: Call) -> Answer:
        """C32: the server as the list has it, and the entries that are like it."""
        catalog = catalog_of(call)
        catalog.fleet.require()
        installed = _known(catalog.fleet, call)
        found = candidates(catalog, await catalog.seen(call), installed)
        shown = _deployed(catalog, await catalog.visible(call)).described(installed)
        return json_answer({"deployment": shown, "candidates": found})

    async def adopt(self, call: Call) -> Answer:
        """C31: the server, which says now what it is."""
        require_writable(read_only=self._read_only)
        authorization = require_known(self._authorization)
        caller = await authorization.caller(call.request, access_of(call))
        catalog = catalog_of(call)
        catalog.fleet.require()
        with told(call.names["namespace"]):
            wanted = await wanted_by(call)
            meant = await meant_by(call, catalog, wanted)
            async with self._writers.store(call, caller) as store:
                kind = await _kind(store, catalog.fleet, call, wanted.group)
                adopted = await _adopted(store, kind, call, meant, move=wanted.move)
        installed = installed_of(adopted)
        await _until_told(catalog.fleet, kind, installed)
        return json_answer(_deployed(catalog, (meant.served,)).described(installed))


def _deployed(catalog: Catalog, registries: Iterable[Served]) -> Deployed:
    return Deployed(catalog, (), {spelled(each.owner): each for each in registries})


# ---------------------------------------------------------------- the server


def _known(fleet: Fleet, call: Call) -> Installed:
    """A server of the list; of two groups the one that is written to first."""
    name, namespace = call.names["deployment"], call.names["namespace"]
    places = (Place(name, namespace, group) for group in GROUPS)
    found = next(filter(None, map(fleet.find, places)), None)
    if found is None:
        raise _no_server(fleet, call)
    return found


async def _kind(store: ResourceStore, fleet: Fleet, call: Call, group: str) -> Kind:
    """The kind under which there is a server of this name; raises NOT_FOUND, and INVALID where there are two."""
    kinds = [each for each in fleet.kinds if group in ("", each.group)]
    found: list[Kind] = []
    refusal: ThvError | None = None
    for kind in kinds:
        try:
            await store.get(kind, call.names["namespace"], call.names["deployment"])
        except ThvError as error:
            if error.code not in (Code.NOT_FOUND, Code.FORBIDDEN):
                raise
            refusal = error if error.code is Code.FORBIDDEN else refusal
        else:
            found.append(kind)
    if len(found) > 1:
        message = f"is required: {' and '.join(each.group for each in found)} have one of this name"
        raise InvalidError("the request", [FieldError("group", message)])
    if not found:
        raise refusal or _no_server(fleet, call)
    return found[0]


def _no_server(fleet: Fleet, call: Call) -> ProblemError:
    name, namespace = call.names["deployment"], call.names["namespace"]
    if not fleet.kinds:
        return ProblemError(
            Word.NOT_FOUND,
            "There is no kind MCPServer here, so there is nothing to adopt.",
            hint="Install ToolHive, or the MCPServer of this product.",
        )
    return ProblemError(
        Word.NOT_FOUND,
        f'There is no MCPServer "{name}" in the namespace "{namespace}".',
        culprits=[Culprit("is not there", "path.deployment", name)],
        hint=f"They are listed at /api/v1/deployments?origin=none&namespace={namespace}.",
    )


async def _adopted(
    store: ResourceStore, kind: Kind, call: Call, meant: Meant, *, move: bool
) -> JsonObject:
    """The object after it was adopted; whoever writes it meanwhile makes us read it again.

    It is patched, not replaced, so that what this version of its kind does not tell is not lost.
    """
    namespace, name = call.names["namespace"], call.names["deployment"]
    attempt = 1
    while True:
        live = await store.get(kind, namespace, name)
        installed = installed_of(live)
        if not move:
            _require_free(installed, meant)
        patch = adoption_patch(live, meant.adopting(installed))
        try:
            return await store.merge(kind, namespace, name, patch, manager=MANAGER)
        except ThvError as error:
            if error.code is not Code.CONFLICT or attempt == _TRIES:
                raise
        attempt += 1


def _require_free(installed: Installed, meant: Meant) -> None:
    if not installed.registry or meant.is_said_by(installed):
        return
    space = installed.registry_namespace or installed.namespace
    other = f"{installed.server or 'a server'} of {space}/{installed.registry}"
    raise ProblemError(
        Word.STATE_CONFLICT,
        f'The MCPServer "{installed.name}" says that it is {other}, and not {meant.title}.',
        culprits=[Culprit(f"is needed: it is {other}", "body.move", False)],
        hint='Send "move": true to have it say otherwise.',
    )


async def _until_told(fleet: Fleet, kind: Kind, installed: Installed) -> None:
    """Whoever looks at the list next should find the server there; after some patience a moment later."""
    place, claim = Place(installed.name, installed.namespace, kind.group), claim_of(installed)

    def is_told() -> bool:
        known = fleet.find(place)
        return known is not None and (claim_of(known), known.server) == (claim, installed.server)

    with suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            while not is_told():  # noqa: ASYNC110 # a fleet tells nobody
                await asyncio.sleep(_EVERY)


# ---------------------------------------------------------------- rows


def adoption_rows(adoptions: Adoptions) -> tuple[Endpoint, ...]:
    """C31 and C32."""
    place = "/namespaces/{namespace}/deployments/{deployment}"
    return (
        api(
            "C31",
            f"{place}/adopt",
            adoptions.adopt,
            "Say which server of which registry an installed one is",
            method="POST",
            takes="AdoptionWish",
            answers=("CatalogDeployment",),
            errors=(404, 409, 413, 415),
            needs=(ADOPT_SERVER,),
            forwards=True,
            scoped=True,
        ),
        api(
            "C32",
            f"{place}/candidates",
            adoptions.look,
            "Read an installed server and what it may be in the registries",
            answers=("AdoptionCandidates",),
            errors=(404,),
            needs=(LIST_SERVERS,),
            scoped=True,
        ),
    )

"""The entries that a request may mean: those of the registries that its caller may list.

In the flow: between the read models of registries and the pure steps of a generation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from thv.apps.catalog_api.catalog import Catalog
from thv.apps.kit.http.endpoints import Call
from thv.apps.registry_api.served import Served
from thv.catalog.generate.request import Choice
from thv.catalog.generate.resolve import Candidate, Origin, resolve
from thv.stores.models import lookup
from thv.stores.models.lookup import Version
from thv.stores.models.query import LATEST
from thv.stores.models.view import View


async def resolved(catalog: Catalog, call: Call, choices: Sequence[Choice]) -> list[Candidate]:
    """What the choices mean, in their order; raises RefusedError for the first that means nothing, or several."""
    views = [(_origin(catalog, each), each.view()) for each in await _ready(catalog, call)]
    found: list[Candidate] = []
    for index, choice in enumerate(choices):
        there = [each for origin, view in views for each in _held(origin, view, choice)]
        found.append(resolve(index, choice, there))
        await asyncio.sleep(0)  # others have their turn between two servers
    return found


async def _ready(catalog: Catalog, call: Call) -> list[Served]:
    return [each for each in await catalog.visible(call) if each.model is not None]


def _origin(catalog: Catalog, served: Served) -> Origin:
    generation = served.view().generation
    namespace, name = served.owner
    return Origin(
        namespace=namespace,
        name=name,
        standing=catalog.standing.of(served),
        snapshot=generation.digest,
        snapshot_at=generation.created_at,
    )


def _held(origin: Origin, view: View, choice: Choice) -> Iterable[Candidate]:
    """The latest version of a server in one registry, and the one that is asked for."""
    name = lookup.name_of(view, choice.name)
    if name is None:
        return
    wanted = {LATEST, choice.version or LATEST}
    found = (lookup.version(view, name, text) for text in sorted(wanted))
    for version in {each.version: each for each in found if each is not None}.values():
        yield _candidate(origin, view, version)


def candidate_of(catalog: Catalog, served: Served, name: str, version: str) -> Candidate | None:
    """A version of a server in a registry, None where it went meanwhile."""
    view = served.view()
    found = lookup.version(view, name, version)
    return None if found is None else _candidate(_origin(catalog, served), view, found)


def _candidate(origin: Origin, view: View, version: Version) -> Candidate:
    read = lookup.read(view, version)
    return Candidate(
        origin=origin, entry=read.entry, digest=read.said.revision, is_latest=version.latest
    )

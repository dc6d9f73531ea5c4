"""C2 to C5: one server, its versions, and how two of them differ.

In the flow: the best registry of those that the caller may see answers, unless another one is asked for; its own read
model has the content.
"""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from thv.apps.catalog_api.answers import CATALOG, CATALOG_JSON, answered, form_of, linked
from thv.apps.catalog_api.bodies import Opened, opened, whole_body
from thv.apps.catalog_api.catalog import Catalog, catalog_of
from thv.apps.catalog_api.listing import chosen_registries
from thv.apps.kit.http.endpoints import Call
from thv.apps.kit.http.message import Answer, Header, encode
from thv.apps.kit.http.problems import ProblemError, Word
from thv.apps.registry_api import details
from thv.apps.registry_api import servers as one_registry
from thv.domain.canonical import JsonObject
from thv.stores.catalogs.join import Joined
from thv.stores.catalogs.lookup import Holder, holders
from thv.stores.catalogs.scope import Scope
from thv.stores.models import lookup
from thv.stores.models.query import LATEST, Form
from thv.stores.models.view import View


class Choice(msgspec.Struct, frozen=True):
    """A server in the registry that answers for it."""

    seen: Scope
    registry: Joined
    name: str
    """The official one."""
    also: tuple[Joined, ...]
    """Others that have the name."""


async def read_server(call: Call) -> Answer:
    """C2: one server."""
    return await _read(call, call.values["version"])


async def read_version(call: Call) -> Answer:
    """C4: one version of a server."""
    return await _read(call, call.names["version"])


async def _read(call: Call, version: str) -> Answer:
    catalog = catalog_of(call)
    choice = await choose(call, version)
    canonical = linked((_canonical(call), "canonical"))
    if form_of(call) != CATALOG:
        inner = _inside(call, catalog, choice, version=version)
        return one_registry.read_server(inner).with_headers([canonical])

    def make() -> tuple[Header, bytes]:
        return CATALOG_JSON, encode(definition(catalog, choice, version))

    answer = answered(call, catalog, choice.seen, make)
    return answer.with_headers([canonical])


def definition(catalog: Catalog, choice: Choice, version: str) -> JsonObject:
    """A version of a server as the catalog tells of it; raises VERSION_NOT_FOUND."""
    entry = _opened(catalog.served(choice.registry).view(), choice.name, version)
    if entry is None:
        raise _no_version(version)
    return whole_body(entry, choice.registry, choice.also)


async def list_versions(call: Call) -> Answer:
    """C3: the versions of a server, newest first."""
    catalog = catalog_of(call)
    choice = await choose(call, LATEST)
    return one_registry.list_versions(_inside(call, catalog, choice))


async def compare_versions(call: Call) -> Answer:
    """C5: one version against another one, which may be another registry's."""
    catalog = catalog_of(call)
    choice = await choose(call, call.names["version"])
    inner = _inside(call, catalog, choice)
    if call.values["base_registry"] is None:
        return details.compare_versions(inner)
    other = await choose(call, LATEST, registry=call.values["base_registry"])
    return details.compare_versions(inner, catalog.served(other.registry))


async def choose(call: Call, version: str, *, registry: str | None = None) -> Choice:
    """Who answers for the server in the path: the best registry that the caller sees and that has the version.

    Raises SERVER_NOT_FOUND, in the same words whether it never was or may not be seen.
    """
    catalog = catalog_of(call)
    seen = await catalog.seen(call)
    wanted = registry or call.values["registry"]
    every = holders(catalog.shelf, seen, call.names["name"])
    scope = chosen_registries(seen, (wanted,)) if wanted else seen
    registries = {each.id: each for each in scope.registries}
    fitting = [each for each in every if each.registry in registries]
    if not fitting:
        raise one_registry.server_not_found(call)
    found = _with_version(catalog, registries, fitting, version)
    others = {each.id: each for each in seen.registries}
    also = tuple(others[each.registry] for each in every if each is not found)
    return Choice(seen, registries[found.registry], found.name, also)


def _with_version(
    catalog: Catalog, registries: dict[int, Joined], fitting: list[Holder], version: str
) -> Holder:
    if version == LATEST:
        return fitting[0]
    for each in fitting:
        view = catalog.served(registries[each.registry]).view()
        if lookup.version(view, each.name, version) is not None:
            return each
    raise _no_version(version)


def _no_version(version: str) -> ProblemError:
    return ProblemError(
        Word.VERSION_NOT_FOUND,
        f"There is no version {version} of this server.",
        field="version",
        value=version,
        hint="List the versions at .../versions.",
    )


def _inside(call: Call, catalog: Catalog, choice: Choice, **values: str) -> Call:
    """The same question to the registry that answers."""
    given = {"include_registry_info": True, **call.values, **values}
    return msgspec.structs.replace(call, place=catalog.served(choice.registry), values=given)


def _opened(view: View, name: str, version: str) -> Opened | None:
    if version == LATEST:
        latest = lookup.server(view, name)
        if latest is None:
            return None
        return opened(
            view.model.body(Form.TOOLHIVE, latest.place, latest.size),
            view.model.body(Form.OFFICIAL, latest.official, latest.official_size),
        )
    found = lookup.version(view, name, version)
    if found is None:
        return None
    official = view.model.body(Form.OFFICIAL, found.place, found.size)
    return opened(lookup.toolhive_body(view, official)[0], official)


def _canonical(call: Call) -> str:
    """The spelling of the specification."""
    rest = call.endpoint.template.partition("{name}")[2]
    for key, value in call.names.items():
        rest = rest.replace(f"{{{key}}}", quote(value, safe=""))
    return f"/api/v1/servers/{quote(call.names['name'], safe='')}{rest}"

"""C21: the servers that are installed in the namespaces in which the caller may list servers.

In the flow: as R14, over all registries. A server is compared with its registry where the caller sees that one; of any
other one it is not said whether it is there. C16 and C18 count the same. Servers that name no registry are a list apart.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from thv.apps.catalog_api.catalog import Catalog, catalog_of
from thv.apps.catalog_api.cursors import Cursor, cursor_text, key_in
from thv.apps.kit.http.caching import PRIVATE
from thv.apps.kit.http.endpoints import Call
from thv.apps.kit.http.message import JSON, Answer
from thv.apps.registry_api.cursors import query_tag
from thv.apps.registry_api.deployments import (
    Row,
    described_deployment,
    enveloped,
    page,
    selected,
)
from thv.apps.registry_api.drift import Compared
from thv.apps.registry_api.fleet import Place, claim_of
from thv.apps.registry_api.follow import Key
from thv.apps.registry_api.pages import resolved
from thv.apps.registry_api.served import Served
from thv.catalog.installed import Installed
from thv.domain.canonical import JsonObject
from thv.domain.permissions import LIST_SERVERS
from thv.domain.text import label_value

OF_REGISTRIES, OF_NONE = "registry", "none"
"""Servers that name a registry, and those that name none."""
_BREATH = 20
"""Servers that are compared without giving way to others."""


class Deployed(msgspec.Struct, frozen=True):
    """What a caller sees of the installed servers."""

    catalog: Catalog
    servers: tuple[Row, ...]
    registries: Mapping[Key, Served]
    """Those that the caller sees, as labels spell them."""

    def registry(self, installed: Installed) -> str:
        """What a server says that it came from."""
        found = self.registries.get(claim_of(installed))
        space = installed.registry_namespace or installed.namespace
        return "/".join(found.owner) if found else f"{space}/{installed.registry}"

    def compared(self, installed: Installed) -> Compared:
        """How a server stands to that."""
        return self.catalog.compared(self.registries.get(claim_of(installed)), installed)

    def described(self, installed: Installed) -> JsonObject:
        """One element of the list."""
        if not installed.registry:
            return _of_no_registry(installed)
        told = described_deployment(installed, self.compared(installed))
        return {**told, "registry": self.registry(installed)}


def _of_no_registry(installed: Installed) -> JsonObject:
    """There is nothing to compare it with."""
    nothing = Compared(installed.server, "unknown-entry", counts=False)
    told = described_deployment(installed, nothing)
    return {**told, "server_name": installed.server or None, "registry": None, "drift": None}


async def deployed(
    call: Call, registries: Iterable[Served], *, origin: str = OF_REGISTRIES
) -> Deployed:
    """The servers in the namespaces in which the caller may list them, beside registries that the caller sees."""
    catalog = catalog_of(call)
    fleet = catalog.fleet
    every = tuple(fleet.every() if origin == OF_REGISTRIES else fleet.unclaimed())
    spaces = {installed.namespace for _, installed in every}
    allowed = await catalog.namespaces(call, spaces, LIST_SERVERS)
    return Deployed(
        catalog,
        tuple(row for row in every if row[1].namespace in allowed),
        {spelled(served.owner): served for served in registries},
    )


def spelled(owner: Key) -> Key:
    """Namespace and name of a registry, as labels have them."""
    return label_value(owner[0]), label_value(owner[1])


async def list_deployments(call: Call) -> Answer:
    """C21: a page of them."""
    catalog = catalog_of(call)
    catalog.fleet.require()
    origin = call.values["origin"]
    seen = await deployed(call, await catalog.visible(call), origin=origin)
    wanted = [row for row in seen.servers if _is_wanted(seen, row[1], call.values)]
    chosen = selected(wanted, call.values["labelSelector"])
    tag = query_tag("C21", resolved(call.values, "cursor", "limit"))
    bodies, last = page(chosen, _after(call, tag), call.values, seen.described)
    following = cursor_text("", tag, last) if last else ""
    more = {"complete": not catalog.fleet.is_cut} if origin == OF_NONE else {}
    body, links = enveloped(call, bodies, len(seen.servers), len(chosen), following, **more)
    return Answer(200, (JSON, PRIVATE, *links), body, rows=len(bodies))


def _after(call: Call, tag: str) -> Place | None:
    cursor: Cursor | None = call.values["cursor"]
    key = key_in(cursor, tag, len(Place._fields))
    return None if key is None else Place(*map(str, key))


def _is_wanted(seen: Deployed, installed: Installed, values: Mapping[str, Any]) -> bool:
    namespaces, names = values["namespace"], values["registry"]
    if namespaces and installed.namespace not in namespaces:
        return False
    if not names:
        return True
    registry = seen.registry(installed)
    return registry in names or registry.partition("/")[2] in names


# ---------------------------------------------------------------- counts


class Count(msgspec.Struct, frozen=True):
    """How many servers are installed."""

    total: int
    drifted: int
    by_registry: Counter[str]
    by_server: Counter[str]


async def counted(call: Call, registries: Iterable[Served]) -> Count | None:
    """The servers that the caller sees, by registry as far as their images prove it; None while nothing is known."""
    if not catalog_of(call).fleet.ask():
        return None
    seen = await deployed(call, registries)
    by_registry, by_server = Counter[str](), Counter[str]()
    drifted = 0
    for number, (_, installed) in enumerate(seen.servers, 1):
        compared = seen.compared(installed)
        drifted += compared.drift != "none"
        if compared.counts:
            by_registry[seen.registry(installed)] += 1
            by_server[compared.server] += 1
        if number % _BREATH == 0:
            await asyncio.sleep(0)
    return Count(len(seen.servers), drifted, by_registry, by_server)

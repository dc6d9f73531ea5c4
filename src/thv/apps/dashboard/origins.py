"""Which registries have a server, and which of them answers.

In the flow: asked for the page of a server, which is one of them.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from thv.apps.dashboard.subjects import Asked
from thv.apps.dashboard.visits import Visit
from thv.apps.kit.http.problems import ProblemError

_MOST = 12
"""Other registries that are asked what they have of it."""


class Origin(msgspec.Struct, frozen=True):
    """What a registry has of the server."""

    namespace: str
    name: str
    trust_level: str
    version: str
    is_this: bool
    is_best: bool
    is_same: bool
    """Whether the content is that of this page."""


async def origins_of(
    visit: Visit, asked: Asked, server: dict[str, Any], best: dict[str, Any]
) -> list[Origin]:
    """The registries that have it, the one that answers by default first."""
    wanted = [best["registry_info"], server["registry_info"]]
    known = {(each["namespace"], each["name"]) for each in wanted}
    others = [
        each
        for each in server["registry_info"]["also_in"]
        if tuple(each.split("/", 1)) not in known
    ]
    told = await asyncio.gather(*(_told(visit, asked, each) for each in others[:_MOST]))
    infos = [*(wanted if len(known) > 1 else wanted[1:]), *(each for each in told if each)]
    return [_origin(each, asked, server, best) for each in infos]


async def _told(visit: Visit, asked: Asked, registry: str) -> dict[str, Any] | None:
    try:
        found = await visit.api.get(asked.api, registry=registry)
    except ProblemError:
        return None  # it went meanwhile
    info: dict[str, Any] = found["registry_info"]
    return info


def _origin(
    info: dict[str, Any], asked: Asked, server: dict[str, Any], best: dict[str, Any]
) -> Origin:
    place = (info["namespace"], info["name"])
    chosen = best["registry_info"]
    return Origin(
        namespace=info["namespace"],
        name=info["name"],
        trust_level=info["trust_level"],
        version=info["version"],
        is_this=place == (asked.namespace, asked.registry),
        is_best=place == (chosen["namespace"], chosen["name"]),
        is_same=info["digest"] == server["registry_info"]["digest"],
    )

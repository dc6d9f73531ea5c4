"""`/servers/{namespace}/{registry}/{name}/compare`: what differs between two versions, also of two registries.

In the flow: before somebody takes a newer version, or the same one of another registry. What matters is said in words,
every place that differs is shown below.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from thv.apps.dashboard.asking import path, query_of
from thv.apps.dashboard.desk import Desk
from thv.apps.dashboard.difference_words import changes, remarks, verdict
from thv.apps.dashboard.subjects import PLACE, Asked, asked_of
from thv.apps.dashboard.visits import Visit
from thv.apps.kit.http.endpoints import Endpoint
from thv.apps.kit.http.message import Answer

_VERSIONS = 200
_CHANGES = 150


class Sides(msgspec.Struct, frozen=True):
    """What is compared: `a` is what one has, `b` what one would have."""

    a: str
    b: str
    base_registry: str
    a_versions: list[str]
    b_versions: list[str]
    instead_of: str = ""
    """The version that was asked for and that the other registry does not have."""


class Compare:
    """Two versions."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def rows(self) -> tuple[Endpoint, ...]:
        """Its rows."""
        return (self._desk.row(f"{PLACE}/compare", self.show),)

    async def show(self, visit: Visit) -> Answer:
        """Words first, then every place."""
        asked = asked_of(visit)
        server = await visit.api.get(asked.api, registry=asked.of)
        registries = [asked.of, *server["registry_info"]["also_in"]]
        sides = await _sides(visit, asked, registries)
        base, head, found = await asyncio.gather(
            _version(visit, asked, sides.a, sides.base_registry),
            _version(visit, asked, sides.b, asked.of),
            visit.api.get(_diff(asked, sides), **_query(asked, sides)),
        )
        said = remarks(base, head, found["summary"])
        tone, words = verdict(found, said)
        return self._desk.renderer.page(
            visit,
            "compare.html",
            asked=asked,
            server=head,
            sides=sides,
            registries=registries,
            tone=tone,
            verdict=words,
            remarks=said,
            changes=changes(found["changes"], _CHANGES, head, base),
            left=max(0, len(found["changes"]) - _CHANGES),
            twin=f"{_diff(asked, sides)}?{query_of(_query(asked, sides))}",
        )


async def _sides(visit: Visit, asked: Asked, registries: list[str]) -> Sides:
    """What was asked for; where that is not said, the version before, or that of another registry."""
    b_versions = await _versions(visit, asked, asked.of)
    b = visit.value("b") or b_versions[0]
    before = b_versions[b_versions.index(b) + 1 :] if b in b_versions else []
    elsewhere = registries[1:] if len(b_versions) == 1 else []
    base_registry = visit.value("base_registry") or (elsewhere or [asked.of])[0]
    is_here = base_registry == asked.of
    a_versions = b_versions if is_here else await _versions(visit, asked, base_registry)
    wanted = visit.value("a")
    usual = (before or b_versions)[0] if is_here else a_versions[0]
    is_missing = not is_here and wanted not in ("", *a_versions)
    return Sides(
        a=usual if is_missing else wanted or usual,
        b=b,
        base_registry=base_registry,
        a_versions=a_versions,
        b_versions=b_versions,
        instead_of=wanted if is_missing else "",
    )


async def _versions(visit: Visit, asked: Asked, registry: str) -> list[str]:
    found = await visit.api.get(f"{asked.api}/versions", registry=registry, limit=_VERSIONS)
    return [each["version"] for each in found["versions"]]


async def _version(visit: Visit, asked: Asked, version: str, registry: str) -> dict[str, Any]:
    place = path("/api/v1/servers/{}/versions/{}", asked.name, version)
    found: dict[str, Any] = await visit.api.get(place, registry=registry)
    return found


def _diff(asked: Asked, sides: Sides) -> str:
    return path("/api/v1/servers/{}/versions/{}/diff", asked.name, sides.b)


def _query(asked: Asked, sides: Sides) -> dict[str, str]:
    query = {"base": sides.a, "registry": asked.of}
    return (
        query if sides.base_registry == asked.of else query | {"base_registry": sides.base_registry}
    )

"""`/deployments`: the servers that run, where each came from, and whether it still is what its registry holds.

In the flow: from what is installed back to what is offered. Those that name no registry are a list of their own, from
which they are adopted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

from thv.apps.dashboard.asking import path, query_of
from thv.apps.dashboard.desk import Desk
from thv.apps.dashboard.rights import SERVERS, may_in
from thv.apps.dashboard.visits import Visit
from thv.apps.kit.http.endpoints import Endpoint
from thv.apps.kit.http.message import Answer
from thv.apps.kit.http.problems import ProblemError, Word

_API = "/api/v1/deployments"
_FILTERS = ("origin", "namespace", "registry", "labelSelector", "cursor")
_SHOWN = ("namespace", "registry", "labelSelector")
"""Filters of which the page says that they narrow the list down."""
OF_REGISTRIES, OF_NONE = "registry", "none"
_UNKNOWN = (Word.NOT_FOUND, Word.SNAPSHOT_UNAVAILABLE)
DRIFTS = {
    "none": "As in the registry",
    "image": "Another image than the registry has",
    "outdated": "The registry has a newer version",
    "revoked": "The registry took this version back",
    "unknown-entry": "The registry has no such server",
}


class Deployments:
    """The list."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def rows(self) -> tuple[Endpoint, ...]:
        """Its rows."""
        return (self._desk.row("/deployments", self.show),)

    async def show(self, visit: Visit) -> Answer:
        """A page of them; where nobody knows what runs, it says so."""
        asked = {name: visit.value(name) for name in _FILTERS if visit.value(name)}
        try:
            found = await visit.api.get(_API, **asked)
        except ProblemError as problem:
            if problem.word not in _UNKNOWN:
                raise
            return self._page(visit, asked, None)
        other = OF_REGISTRIES if asked.get("origin") == OF_NONE else OF_NONE
        others, adoptable, _ = await asyncio.gather(
            visit.api.get(_API, origin=other, limit=1),
            _adoptable(visit, found["deployments"]),
            _with_newer(visit, found["deployments"]),
        )
        return self._page(
            visit, asked, found, others=others["metadata"]["total_count"], adoptable=adoptable
        )

    def _page(
        self,
        visit: Visit,
        asked: dict[str, str],
        found: dict[str, Any] | None,
        *,
        others: int = 0,
        adoptable: Collection[str] = (),
    ) -> Answer:
        cursor = found["metadata"].get("next_cursor") if found else None
        following = query_of({**asked, "cursor": cursor})
        twin = {name: value for name, value in asked.items() if name != "cursor"}
        return self._desk.renderer.page(
            visit,
            "deployments.html",
            deployments=found["deployments"] if found else [],
            metadata=found["metadata"] if found else None,
            origin=asked.get("origin", OF_REGISTRIES),
            others=others,
            adoptable=adoptable,
            done=visit.value("done"),
            asked={name: asked[name] for name in _SHOWN if name in asked},
            drifts=DRIFTS,
            twin=f"{_API}?{query_of(twin)}" if twin else _API,
            next_page=f"/deployments?{following}" if cursor else "",
        )


async def _adoptable(visit: Visit, deployments: list[dict[str, Any]]) -> set[str]:
    """Namespaces of servers whose registry is not known, in which whoever looks may say which it is."""
    unknown = (each for each in deployments if each["drift"] in (None, "unknown-entry"))
    return await may_in(visit, "patch", SERVERS, (each["namespace"] for each in unknown))


async def _with_newer(visit: Visit, deployments: list[dict[str, Any]]) -> None:
    """Says of each one that is behind which version there is now."""
    behind = [each for each in deployments if each["drift"] == "outdated"]
    newest = await asyncio.gather(*(_latest(visit, each) for each in behind))
    for each, version in zip(behind, newest, strict=True):
        each["newer"] = version


async def _latest(visit: Visit, deployment: dict[str, Any]) -> str:
    """`""` where the server went meanwhile."""
    place = path("/api/v1/servers/{}", deployment["server_name"])
    try:
        found = await visit.api.get(place, registry=deployment["registry"])
    except ProblemError:
        return ""
    return str(found["version"])

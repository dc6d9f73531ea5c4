"""`/registries`: all of them, those in trouble first.

In the flow: where an administrator looks first; each row leads to the page that says why.
"""

from __future__ import annotations

import asyncio
from typing import Any

from thv.apps.dashboard.asking import query_of
from thv.apps.dashboard.desk import Desk
from thv.apps.dashboard.pages.overview import by_trouble, with_sparks
from thv.apps.dashboard.rights import REGISTRIES, may, who
from thv.apps.dashboard.visits import Visit
from thv.apps.kit.http.endpoints import Endpoint
from thv.apps.kit.http.message import Answer
from thv.domain.registry_status import HISTORY_LIMIT

ROWS = 100
_FILTERS = ("namespace", "trust_level", "ready", "search")


class Registries:
    """The list."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def rows(self) -> tuple[Endpoint, ...]:
        """Its rows."""
        return (self._desk.row("/registries", self.show),)

    async def show(self, visit: Visit) -> Answer:
        """A table that can be narrowed down."""
        asked = {name: visit.value(name) for name in _FILTERS if visit.value(name)}
        found, me, may_create = await asyncio.gather(
            visit.api.get("/api/v1/registries", syncs=HISTORY_LIMIT, **asked),
            who(visit),
            may(visit, "create", REGISTRIES),
        )
        everything = await visit.api.get("/api/v1/registries") if asked else found
        registries = sorted(found["registries"], key=by_trouble)
        page = _page(visit)
        shown = with_sparks(registries[ROWS * (page - 1) : ROWS * page])
        more = len(registries) > ROWS * page
        return self._desk.renderer.page(
            visit,
            "registries.html",
            registries=shown,
            total=found["metadata"]["total_count"],
            found=len(registries),
            troubled=sum(not each["ready"] for each in registries),
            stale=sum(each["stale"] for each in registries),
            namespaces=_spaces(everything["registries"]),
            asked=asked,
            twin=f"/api/v1/registries?{query_of(asked)}" if asked else "/api/v1/registries",
            is_open=me.is_open,
            may_create=may_create or bool(me.spaces("create")),
            next_page=f"/registries?{query_of({**asked, 'page': page + 1})}" if more else "",
        )


def _page(visit: Visit) -> int:
    text = visit.value("page")
    return int(text) if text.isascii() and text.isdigit() and 0 < int(text) < 10_000 else 1


def _spaces(registries: list[dict[str, Any]]) -> list[str]:
    return sorted({each["namespace"] for each in registries})

"""`/tools` and `/tools/{tool}`: what servers offer, and who offers it.

In the flow: for whoever knows what is to be done and not by what. The list is narrowed down as that of the servers is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from thv.apps.dashboard.asking import path, query_of
from thv.apps.dashboard.desk import Desk
from thv.apps.dashboard.pages.servers import address_of, address_without
from thv.apps.dashboard.tool_words import Parameter, parameters
from thv.apps.dashboard.visits import Visit
from thv.apps.kit.http.endpoints import Endpoint
from thv.apps.kit.http.message import Answer
from thv.domain.registry import BEST_FIRST

ROWS = 50
_CATEGORIES = 12
"""Categories that are shown before one asks for more."""
_OFFERS = 200
_SCHEMAS = 24
"""Servers whose input of a tool is shown."""
_NAMES = 4
_BEST, _MOST_OFFERED = "relevance", "-usage"
LEVELS = tuple(level.value for level in BEST_FIRST)


class Offer(msgspec.Struct, frozen=True):
    """A server that has the tool."""

    server: str
    place: str
    registry: str
    version: str
    trust_level: str
    description: str
    parameters: tuple[Parameter, ...] = ()
    is_described: bool = False
    has_more: bool = False


class Tools:
    """The list, and one of them."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def rows(self) -> tuple[Endpoint, ...]:
        """Its rows."""
        return (self._desk.row("/tools", self.show), self._desk.row("/tools/{tool}", self.one))

    async def show(self, visit: Visit) -> Answer:
        """A page of the list."""
        asked = asked_of(visit)
        wanted = {"sort": _unasked(asked), **asked}
        found = await visit.api.get("/api/v1/tools", limit=ROWS, facets=True, **wanted)
        metadata = found["metadata"]
        counts = _by_count(metadata["facets"]["category"], asked.get("category", []))
        cursor = metadata.get("next_cursor")
        answer = self._desk.renderer.page(
            visit,
            "tools.html",
            tools=found["tools"],
            metadata=metadata,
            asked=asked,
            shown=counts[:_CATEGORIES],
            more=counts[_CATEGORIES:],
            levels=LEVELS,
            sorts=_sorts(asked),
            sort=asked.get("sort", ""),
            names=_NAMES,
            without=lambda name, value: address_without("/tools", asked, name, value),
            is_narrowed=bool(asked.keys() - {"sort", "cursor"}),
            twin=f"/api/v1/tools?{query_of(wanted)}",
            next_page=address_of("/tools", {**asked, "cursor": cursor}) if cursor else "",
        )
        return answer.with_headers([(b"hx-push-url", address_of("/tools", asked).encode())])

    async def one(self, visit: Visit) -> Answer:
        """Who offers a tool, the most trusted first."""
        api = path("/api/v1/tools/{}", visit.names["tool"])
        tool = await visit.api.get(api)
        wanted = [
            each for each in visit.values("trust_level").get("trust_level", []) if each in LEVELS
        ]
        rows = [each for each in tool["servers"] if not wanted or each["trust_level"] in wanted]
        rows.sort(key=lambda each: (LEVELS.index(each["trust_level"]), each["name"]))
        counts = {level: _count(tool["servers"], level) for level in LEVELS}
        return self._desk.renderer.page(
            visit,
            "tool.html",
            tool=tool,
            offers=list(offers_of(rows[:_OFFERS])),
            left=max(0, len(rows) - _OFFERS),
            counts={level: count for level, count in counts.items() if count},
            wanted=wanted,
            twin=api,
        )


def asked_of(visit: Visit) -> dict[str, Any]:
    """The parameters of the API's list that the address has."""
    asked = visit.values("category", "trust_level", "registry", "server")
    for name in ("search", "sort", "cursor"):
        value = visit.value(name).strip()
        if value:
            asked[name] = value
    if asked.get("sort") in (_BEST, _unasked(asked)):
        del asked["sort"]  # what is done unasked; nothing fits better where nothing is sought
    return asked


def _unasked(asked: Mapping[str, Any]) -> str:
    return _BEST if "search" in asked else _MOST_OFFERED


def _sorts(asked: Mapping[str, Any]) -> dict[str, str]:
    """The first one is what is done unasked, so that it is not sent along when a search begins or ends."""
    if "search" in asked:
        return {"": "Best match", _MOST_OFFERED: "Most offered", "name": "Name"}
    return {"": "Most offered", "name": "Name"}


def _by_count(counts: dict[str, int], chosen: list[str]) -> list[tuple[str, int]]:
    """Those that are chosen first, then the largest."""
    every = {**dict.fromkeys(chosen, 0), **counts}
    return sorted(every.items(), key=lambda each: (each[0] not in chosen, -each[1], each[0]))


def _count(servers: list[dict[str, Any]], level: str) -> int:
    return sum(each["trust_level"] == level for each in servers)


def offers_of(servers: Iterable[dict[str, Any]]) -> Iterable[Offer]:
    """The servers, the first of them with what their tool takes."""
    for number, each in enumerate(servers):
        namespace, _, registry = each["registry"].partition("/")
        schema = each.get("input_schema")
        shown, has_more = parameters(schema) if number < _SCHEMAS else ((), schema is not None)
        yield Offer(
            server=each["name"],
            place=path("/servers/{}/{}/{}", namespace, registry, each["name"]),
            registry=each["registry"],
            version=each["version"],
            trust_level=each["trust_level"],
            description=each["description"],
            parameters=shown,
            is_described=schema is not None,
            has_more=has_more,
        )

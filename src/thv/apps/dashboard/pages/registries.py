"""`/registries`: all of them, those in trouble first.

In the flow: where an administrator looks first; each row leads to the page that says why.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import Any

from thv.apps.dashboard.asking import path, query_of
from thv.apps.dashboard.desk import Desk, see_other
from thv.apps.dashboard.pages.overview import by_trouble, with_sparks
from thv.apps.dashboard.pages.registry import PATIENCE, outcome
from thv.apps.dashboard.rights import REGISTRIES, Who, may, who
from thv.apps.dashboard.visits import Visit
from thv.apps.kit.http.endpoints import Endpoint
from thv.apps.kit.http.message import Answer
from thv.apps.kit.http.problems import ProblemError
from thv.domain.registry_status import HISTORY_LIMIT

ROWS = 100
AT_ONCE = 20
"""Registries that one form has synchronized."""
_FILTERS = ("namespace", "trust_level", "ready", "search")
_OUTCOMES = ("changed", "unchanged", "queued", "failed", "refused")
"""What became of the syncs that were asked for, in words that the page explains."""


class Registries:
    """The list."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def rows(self) -> tuple[Endpoint, ...]:
        """Its rows."""
        return (
            self._desk.row("/registries", self.show),
            self._desk.row("/registries/sync", self.sync, method="POST"),
        )

    async def show(self, visit: Visit) -> Answer:
        """A table that can be narrowed down."""
        return await self._list(visit)

    async def sync(self, visit: Visit) -> Answer:
        """Asks for a sync of each that is ticked, and waits for a moment what comes of them."""
        ticked = list(dict.fromkeys(visit.form.get("registry", [])))
        if not 0 < len(ticked) <= AT_ONCE:
            return await self._list(visit, ticked, status=400)
        words = await asyncio.gather(*(_synchronized(visit, each) for each in ticked))
        told = {
            word: [each for each, found in zip(ticked, words, strict=True) if found == word]
            for word in _OUTCOMES
        }
        return see_other(f"/registries?{query_of({**_asked(visit), 'page': _page(visit), **told})}")

    async def _list(
        self, visit: Visit, ticked: Collection[str] = (), *, status: int = 200
    ) -> Answer:
        asked = _asked(visit)
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
            status=status,
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
            syncable=await _syncable(visit, me, _spaces(shown)),
            is_wrong=status == 400,
            ticked=ticked,
            at_once=AT_ONCE,
            outcomes=_outcomes(visit, everything["registries"]),
            sync_place=f"/registries/sync?{query_of({**asked, 'page': page})}",
            next_page=f"/registries?{query_of({**asked, 'page': page + 1})}" if more else "",
        )


def _asked(visit: Visit) -> dict[str, str]:
    return {name: visit.value(name) for name in _FILTERS if visit.value(name)}


async def _synchronized(visit: Visit, registry: str) -> str:
    """A word for what came of it; one that is refused keeps no other from its sync."""
    place = path("/api/v1/namespaces/{}/registries/{}/sync", *_parts(registry))
    try:
        return outcome(await visit.api.post(place, {"wait": PATIENCE}))
    except ProblemError:
        return "refused"


def _parts(registry: str) -> tuple[str, str]:
    namespace, _, name = registry.partition("/")
    return namespace, name


async def _syncable(visit: Visit, me: Who, namespaces: Sequence[str]) -> set[str]:
    """The namespaces whose registries whoever looks may have synchronized."""
    if me.is_open:
        return set()
    known = set(me.spaces("update"))
    rest = [each for each in namespaces if each not in known][:AT_ONCE]
    right = f"{REGISTRIES}/sync"
    allowed = await asyncio.gather(*(may(visit, "create", right, each) for each in rest))
    return known | {each for each, is_allowed in zip(rest, allowed, strict=True) if is_allowed}


def _outcomes(visit: Visit, registries: list[dict[str, Any]]) -> dict[str, list[tuple[str, str]]]:
    """What the address says of syncs that were asked for, of registries that there are."""
    there = {(each["namespace"], each["name"]) for each in registries}
    told = visit.values(*_OUTCOMES)
    named = {word: [_parts(each) for each in told.get(word, ())] for word in _OUTCOMES}
    return {word: [each for each in found if each in there] for word, found in named.items()}


def _page(visit: Visit) -> int:
    text = visit.value("page")
    return int(text) if text.isascii() and text.isdigit() and 0 < int(text) < 10_000 else 1


def _spaces(registries: list[dict[str, Any]]) -> list[str]:
    return sorted({each["namespace"] for each in registries})

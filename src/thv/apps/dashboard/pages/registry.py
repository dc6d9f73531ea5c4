"""`/registries/{namespace}/{registry}`: what it is and how it is, why it is in trouble, and what can be done.

In the flow: state first; everything that a person needs to act on stands before what is good to know.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from thv.apps.dashboard.asking import path, query_of
from thv.apps.dashboard.charts import chart_of, seconds_of, took
from thv.apps.dashboard.conditions import Finding, findings, meaning
from thv.apps.dashboard.desk import Desk, see_other
from thv.apps.dashboard.drafts import RULES, address_of, filters_of, yaml_of
from thv.apps.dashboard.forms import first
from thv.apps.dashboard.objects import command_of, owned_by
from thv.apps.dashboard.rights import REGISTRIES, may, who
from thv.apps.dashboard.visits import Visit
from thv.apps.kit.http.endpoints import Endpoint
from thv.apps.kit.http.message import Answer
from thv.apps.kit.http.problems import ProblemError
from thv.domain.canonical import JsonObject
from thv.domain.lenient import as_object, as_text
from thv.domain.registry_status import HISTORY_LIMIT
from thv.domain.resources import annotations_of
from thv.domain.suspension import BECAUSE

PATIENCE = 10
"""Seconds that a page waits for a sync before it says that it goes on."""
_PLACE = "/registries/{namespace}/{registry}"
_NARROWED = ("search", "rule", "cursor")
_NO_MANIFEST = (401, 403, 404)


class Rights(msgspec.Struct, frozen=True):
    """What whoever looks may do to the registry."""

    sync: bool
    switch: bool
    is_machine: bool
    """Whether there is no cluster."""


class OneRegistry:
    """A registry."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def rows(self) -> tuple[Endpoint, ...]:
        """Its rows."""
        row = self._desk.row
        return (
            row(_PLACE, self.show),
            row(f"{_PLACE}/left-out", self.left_out),
            row(f"{_PLACE}/sync", self.sync, method="POST"),
            row(f"{_PLACE}/suspend", self.suspend, method="POST"),
            row(f"{_PLACE}/resume", self.resume, method="POST"),
        )

    async def show(self, visit: Visit) -> Answer:
        """The page."""
        return await self._page(visit)

    async def left_out(self, visit: Visit) -> Answer:
        """The names that its filter and policy leave out, page by page."""
        asked = {name: visit.value(name) for name in _NARROWED if visit.value(name)}
        place = f"{_api(visit)}/left-out"
        registry, found = await asyncio.gather(
            visit.api.get(_api(visit)), visit.api.get(place, **asked)
        )
        metadata = found["metadata"]
        cursor = metadata.get("next_cursor")
        return self._desk.renderer.page(
            visit,
            "left_out.html",
            registry=registry,
            names=found["left_out"],
            metadata=metadata,
            rules=RULES,
            asked={name: value for name, value in asked.items() if name != "cursor"},
            twin=f"{place}?{query_of(asked)}" if asked else place,
            next_page=f"{_place(visit)}/left-out?{query_of({**asked, 'cursor': cursor})}"
            if cursor
            else "",
        )

    async def sync(self, visit: Visit) -> Answer:
        """Asks for a sync, and waits for a moment what comes of it."""
        try:
            asked = await visit.api.post(f"{_api(visit)}/sync", {"wait": PATIENCE})
        except ProblemError as problem:
            return await self._page(visit, problem)
        return see_other(f"{_place(visit)}?{query_of({'done': outcome(asked)})}")

    async def suspend(self, visit: Visit) -> Answer:
        """Leaves it to syncs that somebody asks for."""
        return await self._switch(visit, "suspend", {"reason": first(visit.form, "reason")})

    async def resume(self, visit: Visit) -> Answer:
        """Has it synchronized by itself again."""
        return await self._switch(visit, "resume", {})

    async def _switch(self, visit: Visit, verb: str, body: dict[str, Any]) -> Answer:
        try:
            await visit.api.post(f"{_api(visit)}/{verb}", body)
        except ProblemError as problem:
            return await self._page(visit, problem)
        return see_other(f"{_place(visit)}?{query_of({'done': verb})}")

    async def _page(self, visit: Visit, problem: ProblemError | None = None) -> Answer:
        api = _api(visit)
        registry, state, history, rights, manifest = await asyncio.gather(
            visit.api.get(api),
            visit.api.get(f"{api}/status"),
            visit.api.get(f"{api}/history"),
            _rights(visit),
            _manifest(visit),
        )
        syncs = [{**each, "took": took(seconds_of(each))} for each in history["syncs"]]
        chart = chart_of(syncs)
        is_there = bool(manifest) and not rights.is_machine
        objects = owned_by(manifest, state["sync"]["chunks"]) if is_there else []
        found = findings(registry["name"], state["conditions"])
        return self._desk.renderer.page(
            visit,
            "registry.html",
            status=problem.status if problem else 200,
            registry=registry,
            state=state,
            syncs=syncs,
            most_syncs=HISTORY_LIMIT,
            chart=chart,
            longest=took(chart.longest),
            findings=found,
            interval=_interval(manifest),
            standing=_standing(registry, found),
            conditions=[{**each, "meaning": meaning(each)} for each in state["conditions"]],
            rights=rights,
            manifest=yaml_of(manifest) if manifest else "",
            objects=objects,
            objects_command=command_of(manifest, objects) if objects else "",
            address=address_of(manifest),
            filters=filters_of(manifest),
            may_see_names=bool(manifest),
            because=annotations_of(manifest).get(BECAUSE, ""),
            problem=problem,
            done=visit.value("done"),
            reason=first(visit.form, "reason"),
            twin=f"{api}/status",
        )


def _interval(manifest: JsonObject) -> str:
    """How often it is synchronized, `""` for whom the manifest is not."""
    policy = as_object(as_object(manifest.get("spec")).get("syncPolicy"))
    return as_text(policy.get("interval"))


def _api(visit: Visit) -> str:
    names = visit.names
    return path("/api/v1/namespaces/{}/registries/{}", names["namespace"], names["registry"])


def _place(visit: Visit) -> str:
    names = visit.names
    return path("/registries/{}/{}", names["namespace"], names["registry"])


async def _rights(visit: Visit) -> Rights:
    names = visit.names
    where = (names["namespace"], names["registry"])
    me, sync, switch = await asyncio.gather(
        who(visit),
        may(visit, "create", f"{REGISTRIES}/sync", *where),
        may(visit, "update", REGISTRIES, *where),
    )
    return Rights(sync or switch, switch, me.is_machine)


async def _manifest(visit: Visit) -> JsonObject:
    """Empty for those who may not read it."""
    try:
        found: JsonObject = await visit.api.get(f"{_api(visit)}/manifest")
    except ProblemError as problem:
        if problem.status in _NO_MANIFEST:
            return {}
        raise
    return found


def outcome(asked: dict[str, Any]) -> str:
    """What a sync came to, in a word that the page knows."""
    if asked["state"] != "succeeded":
        return "failed" if asked["state"] == "failed" else "queued"
    result = asked["result"]
    return "changed" if result["added"] + result["changed"] + result["removed"] else "unchanged"


def _standing(registry: dict[str, Any], found: list[Finding]) -> str:
    """How it is, in a word that the page explains."""
    if registry["stale"]:
        return "stale"
    if any(each.is_bad for each in found):
        return "broken"
    if not registry["ready"]:
        return "suspended" if registry["suspended"] else "waiting"
    return "suspended" if registry["suspended"] else "good"

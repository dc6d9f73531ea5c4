"""`/`: what there is, and what is in trouble.

In the flow: where everybody begins.
"""

from __future__ import annotations

import asyncio
from typing import Any

from thv.apps.dashboard.asking import path
from thv.apps.dashboard.charts import spark_of, took
from thv.apps.dashboard.conditions import findings
from thv.apps.dashboard.desk import Desk
from thv.apps.dashboard.visits import Visit
from thv.apps.kit.http.endpoints import Endpoint
from thv.apps.kit.http.message import Answer
from thv.apps.kit.http.problems import ProblemError
from thv.domain.registry_status import HISTORY_LIMIT

MOST = 12
"""Registries in trouble, and registries that are fine, that are shown here."""
EXPLAINED = 6
"""Registries in trouble of which is said why."""


class Overview:
    """The first page."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def rows(self) -> tuple[Endpoint, ...]:
        """Its rows."""
        return (self._desk.row("/", self.show),)

    async def show(self, visit: Visit) -> Answer:
        """Counts, and registries with those in trouble first; of all namespaces or of one."""
        namespace = visit.value("namespace")
        listed, counts = await asyncio.gather(
            visit.api.get("/api/v1/registries", syncs=HISTORY_LIMIT),
            visit.api.get("/api/v1/stats", namespace=namespace),
        )
        namespaces = sorted({each["namespace"] for each in listed["registries"]})
        wanted = (namespace,) if namespace else namespaces
        found = (each for each in listed["registries"] if each["namespace"] in wanted)
        registries = sorted(found, key=by_trouble)
        troubled = [each for each in registries if not each["ready"]]
        causes = await asyncio.gather(*(_cause(visit, each) for each in troubled[:EXPLAINED]))
        return self._desk.renderer.page(
            visit,
            "overview.html",
            counts=counts,
            longest=took(counts["sync_24h"]["p95_seconds"]),
            namespace=namespace,
            namespaces=namespaces,
            causes={_key(each): why for each, why in zip(troubled, causes, strict=False)},
            registries=with_sparks(registries[: max(MOST, len(troubled[: 4 * MOST]))]),
            total=len(registries),
            troubled=len(troubled),
        )


def _key(registry: dict[str, Any]) -> str:
    return f"{registry['namespace']}/{registry['name']}"


async def _cause(visit: Visit, registry: dict[str, Any]) -> str:
    """Why it is in trouble, `""` where it waits for nothing but time, or nobody says."""
    place = path(
        "/api/v1/namespaces/{}/registries/{}/status", registry["namespace"], registry["name"]
    )
    try:
        state = await visit.api.get(place)
    except ProblemError:
        return ""
    found = findings(registry["name"], state["conditions"])
    return next((each.message or each.meaning for each in found), "")


def with_sparks(registries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Registries, each with a small picture of its last syncs."""
    return [{**each, "spark": spark_of(each["syncs"])} for each in registries]


def by_trouble(registry: dict[str, Any]) -> tuple[bool, bool, str, str]:
    """Sorts those in trouble first, and then those that are out of date."""
    return registry["ready"], not registry["stale"], registry["namespace"], registry["name"]

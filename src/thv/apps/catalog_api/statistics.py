"""C18: what the part of the catalog that a caller sees is made of.

In the flow: servers are counted by the read model, registries and their syncs from what the objects say.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

from thv.apps.catalog_api.catalog import catalog_of
from thv.apps.catalog_api.deployments import Count, counted
from thv.apps.catalog_api.registries import is_ready, seconds_of
from thv.apps.kit.http.caching import PRIVATE
from thv.apps.kit.http.endpoints import Call
from thv.apps.kit.http.message import JSON, Answer, encode
from thv.apps.registry_api.served import Served
from thv.domain.canonical import JsonObject
from thv.domain.registry import TrustLevel
from thv.domain.times import parse_time, render_time
from thv.stores.catalogs.listing import counts, facets
from thv.stores.catalogs.query import ListQuery
from thv.stores.catalogs.tools import categories

_DAY = timedelta(hours=24)
_TOP = 10
"""Servers that are named as those that are installed most."""


async def read_statistics(call: Call) -> Answer:
    """C18: counts of registries, servers, tools, syncs and what is installed, of all namespaces or some."""
    catalog, wanted = catalog_of(call), call.values["namespace"]
    seen_at_all = await catalog.visible(call)
    visible = [each for each in seen_at_all if not wanted or each.owner[0] in wanted]
    seen = catalog.shelf.scope(served.owner for served in visible)
    now = catalog.clock()
    traits = facets(catalog.shelf, seen, ListQuery())
    body = {
        "registries": _registries(visible),
        "servers": {
            "total": counts(catalog.shelf, seen).total,
            "by_category": traits["category"],
            "by_functional_category": traits["functional_category"],
            "by_tier": traits["tier"],
            "by_transport": traits["transport"],
            "by_kind": traits["kind"],
            "by_reach": traits["reach"],
        },
        "tools": categories(catalog.shelf, seen)[1],
        "sync_24h": _syncs(visible, now),
        "conversion": _conversion(visible),
        "as_of": render_time(now, milliseconds=True),
        **_installed(await counted(call, visible)),
    }
    return Answer(200, (JSON, PRIVATE), encode(body))


def _installed(count: Count | None) -> JsonObject:
    if count is None:
        return {}
    by_registry = dict(sorted(count.by_registry.items()))
    often = sorted(count.by_server.items(), key=lambda each: (-each[1], each[0]))[:_TOP]
    return {
        "deployments": {
            "total": count.total,
            "by_registry": by_registry,
            "drifted": count.drifted,
        },
        "top_servers": [{"name": name, "deployments": number} for name, number in often],
    }


def _registries(visible: list[Served]) -> JsonObject:
    levels = Counter(served.registry.spec.trust_level for served in visible)
    return {
        "total": len(visible),
        "ready": sum(is_ready(served.registry) for served in visible),
        "by_trust_level": {level.value: levels[level] for level in TrustLevel},
    }


def _syncs(visible: Iterable[Served], now: datetime) -> JsonObject:
    """Of those that changed something or failed, as far as the registries remember them."""
    runs = [
        run
        for served in visible
        for run in served.registry.status.sync_status.history
        if (began := parse_time(run.started_at)) is not None and began > now - _DAY
    ]
    return {
        "runs": len(runs),
        "succeeded": sum(run.outcome == "Succeeded" for run in runs),
        "p95_seconds": _p95(sorted(each for run in runs if (each := seconds_of(run)) is not None)),
    }


def _p95(lengths: list[float]) -> float | None:
    return lengths[math.ceil(0.95 * len(lengths)) - 1] if lengths else None


def _conversion(visible: Iterable[Served]) -> JsonObject:
    found = [served.registry.status.sync_status.conversion for served in visible]
    read = sum(each.read for each in found if each)
    converted = sum(each.converted for each in found if each)
    return {
        "entries": read,
        "converted": converted,
        "ratio": round(converted / read, 4) if read else 1.0,
    }

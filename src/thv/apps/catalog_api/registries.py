"""C10, C11 and C17: the registries that there are.

In the flow: made of what the objects say, never of their content. C17 shows what the caller may list anywhere; C10 and
C11 name a namespace in their path, in which the dispatcher has asked for the right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from thv.apps.catalog_api.catalog import catalog_of
from thv.apps.kit.http.caching import PRIVATE
from thv.apps.kit.http.endpoints import Call
from thv.apps.kit.http.message import JSON, Answer, encode
from thv.apps.registry_api.served import Served, source_host, source_name
from thv.domain.canonical import JsonObject
from thv.domain.registry import Registry
from thv.domain.registry_status import CatalogState, Phase, SyncRun
from thv.domain.times import parse_time
from thv.stores.models.words import folded

MANAGED_BY = "app.kubernetes.io/managed-by"


async def list_registries(call: Call) -> Answer:
    """C17: every registry that the caller may list."""
    seen = await catalog_of(call).visible(call)
    wanted = [each for each in seen if _is_wanted(each, call.values)]
    return _listed(wanted, len(seen), syncs=call.values["syncs"])


async def list_namespace(call: Call) -> Answer:
    """C10: the registries of one namespace; there may be none."""
    wanted = call.names["namespace"]
    found = [each for each in catalog_of(call).registries.every() if each.owner[0] == wanted]
    return _listed(found, len(found))


async def read_registry(call: Call) -> Answer:
    """C11: one registry, with the tag that a replacement of it needs."""
    found = catalog_of(call).at(call.names["namespace"], call.names["registry"])
    registry = found.registry
    tag = f'"{registry.uid}-{registry.resource_version}"'
    return Answer(200, (JSON, PRIVATE, (b"etag", tag.encode())), encode(described(found)))


def _listed(found: Iterable[Served], total: int, *, syncs: int = 0) -> Answer:
    shown = sorted(found, key=lambda each: each.owner)
    count = len(shown)
    metadata = {"total_count": total, "filtered_count": count, "count": count}
    registries = [{**described(each), **_recent(each.registry, syncs)} for each in shown]
    body = {"registries": registries, "metadata": metadata}
    return Answer(200, (JSON, PRIVATE), encode(body))


def _is_wanted(served: Served, values: Mapping[str, Any]) -> bool:
    registry = served.registry
    return (
        _is_any(registry.namespace, values["namespace"])
        and _is_any(registry.spec.trust_level.value, values["trust_level"])
        and _is_any(registry.spec.source.type.value, values["source_type"])
        and values["ready"] in (None, is_ready(registry))
        and (values["labelSelector"] is None or values["labelSelector"].matches(registry.labels))
        and _says(registry, values["search"])
    )


def _is_any(value: str, wanted: tuple[str, ...]) -> bool:
    return not wanted or value in wanted


def _says(registry: Registry, search: str | None) -> bool:
    if search is None:
        return True
    spec = registry.spec
    text = folded(f"{registry.name} {spec.display_name} {spec.description}")
    return all(word in text for word in folded(search).split())


def is_ready(registry: Registry) -> bool:
    """Whether its condition Ready holds."""
    return any(
        each.type == "Ready" and each.status == "True" for each in registry.status.conditions
    )


def is_stale(registry: Registry) -> bool:
    """Whether it serves what was good before, because the last sync failed."""
    return any(
        each.type == "Ready" and each.reason == "ServingLastGood"
        for each in registry.status.conditions
    )


def described(served: Served) -> JsonObject:
    """One element of the lists."""
    registry = served.registry
    spec, status = registry.spec, registry.status
    namespace, name = served.owner
    told: JsonObject = {
        "namespace": namespace,
        "name": name,
        "display_name": served.display_name,
        "description": spec.description,
        "trust_level": spec.trust_level.value,
        "format": status.sync_status.format or spec.format or None,
        "source": _source(registry),
        "enforce_servers": spec.enforce_servers,
        "phase": (status.phase or Phase.PENDING).value,
        "ready": is_ready(registry),
        "stale": is_stale(registry),
        "suspended": not spec.sync_policy.enabled,
        "server_count": status.server_count,
        "managed_by": registry.labels.get(MANAGED_BY),
        "created_at": registry.created_at or None,
        "last_sync_time": status.sync_status.last_sync_time or None,
        "snapshot": status.snapshot.digest if status.snapshot else None,
        "api_endpoint": status.api_status.endpoint or None,
        "base": f"/r/{namespace}/{name}",
    }
    state = status.catalog_state
    return told if state is None else {**told, "catalog_state": pipeline(state)}


def _recent(registry: Registry, most: int) -> JsonObject:
    """The last syncs, newest first, where somebody asks for them: enough for a small picture."""
    if not most:
        return {}
    runs = registry.status.sync_status.history[:most]
    return {"syncs": [{"outcome": run.outcome, "seconds": seconds_of(run)} for run in runs]}


def seconds_of(run: SyncRun) -> float | None:
    """How long a sync took; None for one that does not say."""
    began, ended = parse_time(run.started_at), parse_time(run.finished_at)
    return max(0.0, (ended - began).total_seconds()) if began and ended else None


def _source(registry: Registry) -> JsonObject:
    """What kind it is, its host and its name, nothing else of a path or a query, which may be a secret."""
    said = {"host": source_host(registry), "name": source_name(registry)}
    kind = registry.spec.source.type.value
    return {"type": kind, **{key: value for key, value in said.items() if value}}


def pipeline(state: CatalogState) -> JsonObject:
    """How far the servers of a governed registry are."""
    return {
        "approved_servers": state.approved_servers,
        "pending_promotion": state.pending_promotion,
        "rejected_servers": state.rejected_servers,
        "last_validation": state.last_validation or None,
    }

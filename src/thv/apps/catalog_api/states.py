"""C15, C16 and C22: syncs of registries, asked for and told of.

In the flow: a request for a sync is one annotation on the registry, which the operator obeys; what came of it is in the
registry's status. Whoever waits is woken when the status changes.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import msgspec

from thv.apps.catalog_api.catalog import Catalog, catalog_of
from thv.apps.catalog_api.deployments import counted
from thv.apps.catalog_api.registries import pipeline
from thv.apps.kit.http.body import read_value
from thv.apps.kit.http.caching import PRIVATE
from thv.apps.kit.http.endpoints import Call
from thv.apps.kit.http.message import JSON, NO_STORE, Answer, Request, encode, json_answer
from thv.apps.kit.http.problems import Culprit, ProblemError, Word
from thv.apps.registry_api.served import Served
from thv.domain.canonical import JsonObject
from thv.domain.registry import Registry
from thv.domain.registry_status import Phase, SyncPhase, SyncRun
from thv.domain.resources import MCP_REGISTRY, PREFIX
from thv.domain.times import render_time
from thv.sync.chunks import named_by

REQUEST = f"{PREFIX}sync-requested-at"
MANAGER = "thv-catalog"
LONGEST_WAIT = 60


# ---------------------------------------------------------------- C16


async def read_states(call: Call) -> Answer:
    """C16: the state of the registry that is meant, or of all in the namespace."""
    catalog, namespace = catalog_of(call), call.names["namespace"]
    name = call.values["registry"]
    found = [catalog.at(namespace, name)] if name is not None else _in(catalog, namespace)
    states = await _states(call, found)
    if len(states) == 1:
        return _answer(states[0])
    count = len(states)
    metadata = {"total_count": count, "filtered_count": count, "count": count}
    return _answer({"registries": states, "metadata": metadata})


async def read_state(call: Call) -> Answer:
    """C16 of the registry in the path."""
    served = catalog_of(call).at(call.names["namespace"], call.names["registry"])
    (state,) = await _states(call, [served])
    return _answer(state)


async def _states(call: Call, found: list[Served]) -> list[JsonObject]:
    """What the operator says of registries, and how many servers are installed from each, as far as one may know."""
    states = [state_of(served) for served in found]
    count = await counted(call, found)
    if count is None:
        return states
    return [
        {**state, "deployed_servers": count.by_registry["/".join(served.owner)]}
        for state, served in zip(states, found, strict=True)
    ]


def _answer(body: JsonObject) -> Answer:
    return Answer(200, (JSON, NO_STORE), encode(body))


def state_of(served: Served) -> JsonObject:
    """What the operator says of a registry."""
    registry = served.registry
    status = registry.status
    told: JsonObject = {
        "namespace": registry.namespace,
        "name": registry.name,
        "phase": (status.phase or Phase.PENDING).value,
        "observed_generation": status.observed_generation,
        "generation": registry.generation,
        "conditions": [
            {
                "type": each.type,
                "status": each.status,
                "reason": each.reason,
                "message": each.message,
                "last_transition_time": each.last_transition_time or None,
            }
            for each in status.conditions
        ],
        "sync": _sync(registry),
        "servers": _servers(registry),
        "api": {
            "phase": status.api_status.phase.value if status.api_status.phase else None,
            "endpoint": status.api_status.endpoint or None,
            "ready_replicas": status.api_status.ready_replicas or 0,
        },
    }
    state = status.catalog_state
    return told if state is None else {**told, "catalog_state": pipeline(state)}


def _sync(registry: Registry) -> JsonObject:
    status, sync = registry.status, registry.status.sync_status
    return {
        "phase": (sync.phase or SyncPhase.IDLE).value,
        "message": sync.error.message if sync.error else status.waits_because,
        "last_attempt": sync.last_attempt or None,
        "attempt_count": sync.attempt_count,
        "last_sync_time": sync.last_sync_time or None,
        "content_hash": status.snapshot.digest if status.snapshot else None,
        "chunks": len(named_by(status)),
        "revision": sync.revision or None,
        "next_due": sync.next_sync_time or None,
        "last_handled_request": status.last_handled_sync_request or None,
    }


def _servers(registry: Registry) -> JsonObject:
    status = registry.status
    last = next((run for run in status.sync_status.history if run.outcome == "Succeeded"), None)
    conversion, statistics = status.sync_status.conversion, status.statistics
    ratio = conversion.converted / conversion.read if conversion and conversion.read else 1.0
    return {
        "count": status.server_count,
        "versions": status.version_count,
        "added": last.added if last else 0,
        "changed": last.changed if last else 0,
        "removed": last.removed if last else 0,
        "filtered": statistics.filtered_out if statistics else 0,
        "blocked": statistics.blocked if statistics else 0,
        "invalid": conversion.skipped if conversion else 0,
        "lossy": conversion.lossy if conversion else 0,
        "conversion_ratio": round(ratio, 4),
    }


# ---------------------------------------------------------------- C22


async def list_history(call: Call) -> Answer:
    """C22: the last syncs, newest first."""
    registry = catalog_of(call).at(call.names["namespace"], call.names["registry"]).registry
    history = registry.status.sync_status.history
    count = len(history)
    body = {
        "syncs": [_run(run) for run in history],
        "metadata": {"total_count": count, "filtered_count": count, "count": count},
    }
    return Answer(200, (JSON, PRIVATE), encode(body))


def _run(run: SyncRun) -> JsonObject:
    told: JsonObject = {
        "started_at": run.started_at or None,
        "finished_at": run.finished_at or None,
        "trigger": run.trigger.value if run.trigger else None,
        "outcome": run.outcome,
        "revision": run.revision or None,
        "snapshot": run.snapshot or None,
        "added": run.added,
        "changed": run.changed,
        "removed": run.removed,
        "filtered": run.filtered,
        "invalid": run.invalid,
        "converted": run.added + run.changed,
    }
    if run.error:
        code, _, message = run.error.partition(": ")
        told["error"] = {"code": code, "message": message or run.error}
    return told


# ---------------------------------------------------------------- C15


class Order(msgspec.Struct, frozen=True):
    """Which sync is asked for, and how long its end is waited for."""

    registry: str | None = None
    wait: int = 0


async def request_syncs(call: Call) -> Answer:
    """C15: a sync of the registry that is meant, which may be left out where there is one."""
    catalog, namespace = catalog_of(call), call.names["namespace"]
    order = await _order(call)
    return await _request(catalog, _meant(catalog, namespace, order.registry), order)


async def request_sync(call: Call) -> Answer:
    """C15 of the registry in the path."""
    catalog = catalog_of(call)
    order = await _order(call)
    return await _request(
        catalog, catalog.at(call.names["namespace"], call.names["registry"]), order
    )


async def _order(call: Call) -> Order:
    """The query, and the body over it."""
    given = {
        key: call.values[key] for key in ("registry", "wait") if call.values.get(key) is not None
    }
    if _has_body(call.request):
        given |= await read_value(call.request)
    for key in given:
        if key not in ("registry", "wait"):
            raise _invalid("is not a field; known are registry, wait", f"body.{key}", given[key])
    registry, wait = given.get("registry"), given.get("wait", 0)
    if registry is not None and not isinstance(registry, str):
        raise _invalid("must be the name of a registry", "body.registry", registry)
    if not isinstance(wait, int) or isinstance(wait, bool) or not 0 <= wait <= LONGEST_WAIT:
        message = f"must be a whole number from 0 to {LONGEST_WAIT}"
        raise _invalid(message, "body.wait", wait)
    return Order(registry, wait)


def _has_body(request: Request) -> bool:
    length = request.headers.get(b"content-length", b"0")
    return length != b"0" or b"transfer-encoding" in request.headers


def _invalid(message: str, location: str, value: Any) -> ProblemError:
    field = location.partition(".")[2]
    return ProblemError(
        Word.INVALID_REQUEST, f"{field} {message}.", culprits=[Culprit(message, location, value)]
    )


def _meant(catalog: Catalog, namespace: str, name: str | None) -> Served:
    if name is not None:
        return catalog.at(namespace, name)
    found = _in(catalog, namespace)
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(each.owner[1] for each in found[:10])
        message = "is required, as the namespace has several registries"
        raise ProblemError(
            Word.INVALID_REQUEST,
            f"registry {message}: {names}.",
            culprits=[Culprit(message, "query.registry")],
            field="registry",
        )
    raise ProblemError(
        Word.REGISTRY_NOT_FOUND,
        f'There is no registry in the namespace "{namespace}".',
        field="namespace",
        value=namespace,
    )


def _in(catalog: Catalog, namespace: str) -> list[Served]:
    return [each for each in catalog.registries.every() if each.owner[0] == namespace]


async def _request(catalog: Catalog, served: Served, order: Order) -> Answer:
    if catalog.settings.read_only:
        raise ProblemError(
            Word.READ_ONLY,
            "This service synchronizes nothing: it was started with --read-only.",
            hint="Ask the one that keeps the data folder, or thv registry sync.",
        )
    if not catalog.callers_are_known:
        raise ProblemError(
            Word.FORBIDDEN,
            "This service does not ask who anybody is, so nobody may have it synchronize.",
            hint="Start it with --token-file, or on its machine: thv registry sync.",
        )
    before = served.registry
    pending = _pending(before)
    value = pending or render_time(catalog.clock(), milliseconds=True)
    if not pending:
        patch: JsonObject = {"metadata": {"annotations": {REQUEST: value}}}
        await catalog.resources.merge(MCP_REGISTRY, *served.owner, patch, manager=MANAGER)
    namespace, name = served.owner
    body: JsonObject = {
        "registry": {"namespace": namespace, "name": name},
        "request": value,
        "state": "running" if before.status.sync_status.phase is SyncPhase.SYNCING else "queued",
        "joined": bool(pending),
        "status_url": f"/api/v1/namespaces/{namespace}/registries/{name}/status",
    }
    after = await _answered(catalog, served, value, order.wait)
    if after is None or after.status.waits_because:
        return json_answer(body, status=202)
    return json_answer({**body, **_outcome(before, after)})


def _pending(registry: Registry) -> str:
    """A request that nobody has answered yet, `""` without one."""
    value = registry.annotations.get(REQUEST, "")
    return "" if value in registry.status.last_handled_sync_request.split(",") else value


async def _answered(catalog: Catalog, served: Served, value: str, seconds: int) -> Registry | None:
    """The registry once the request was obeyed; None when that takes longer."""
    with suppress(TimeoutError):  # see `Controller`: asyncio.wait_for may lose a cancellation
        async with asyncio.timeout(seconds):
            while not _is_answered(served.registry, value):
                await catalog.wait_for_move(served.owner)
    return served.registry if _is_answered(served.registry, value) else None


def _is_answered(registry: Registry, value: str) -> bool:
    status = registry.status
    handled = value in status.last_handled_sync_request.split(",")
    return handled and status.sync_status.phase is not SyncPhase.SYNCING


def _outcome(before: Registry, after: Registry) -> JsonObject:
    """What came of it; a sync that changed nothing is not kept in the history."""
    old, new = before.status.sync_status, after.status.sync_status
    unchanged = SyncRun(
        started_at=new.last_attempt,
        finished_at=new.last_sync_time,
        trigger=new.trigger,
        outcome="Succeeded",
        revision=new.revision,
        snapshot=after.status.snapshot.digest if after.status.snapshot else "",
    )
    run = new.history[0] if new.history[:1] != old.history[:1] else unchanged
    return {"state": "failed" if new.error else "succeeded", "result": _run(run)}

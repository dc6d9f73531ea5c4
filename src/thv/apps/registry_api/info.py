"""R11 and M1 to M4: what a registry and this server say of themselves.

In the flow: as `servers`; health never looks at a dependency, readiness asks whether there is something to
serve.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from typing import Any

from thv import __version__
from thv.apps.kit.http.endpoints import Call
from thv.apps.kit.http.message import Answer, Header, encode, json_answer
from thv.apps.registry_api.pages import PLAIN_JSON, answer
from thv.apps.registry_api.served import OFFICIAL_HOST, Served, source_host
from thv.apps.registry_api.servers import place_of
from thv.domain.canonical import JsonObject
from thv.stores.models.query import Form
from thv.stores.models.rows import micros
from thv.stores.models.view import View

ATTRIBUTION = {
    "text": "This registry contains data from the Official MCP Registry.",
    "url": f"https://{OFFICIAL_HOST}",
}
"""What the terms of the official registry ask of whoever passes its data on."""


def read_info(call: Call) -> Answer:
    """R11: what is served here, and where it comes from."""
    served = place_of(call)
    view = served.view()

    def make() -> tuple[Header, bytes]:
        return PLAIN_JSON, encode(_info(call, served, view))

    return answer(call, served, view, make)


def _info(call: Call, served: Served, view: View) -> JsonObject:
    registry, generation = served.registry, view.generation
    sync = registry.status.sync_status
    body: JsonObject = {
        "namespace": registry.namespace,
        "name": registry.name,
        "display_name": served.display_name,
        "description": registry.spec.description,
        "trust_level": registry.spec.trust_level.value,
        "format": sync.format or (registry.spec.format or None),
        "source": _source(served),
        "snapshot": {
            "digest": generation.digest,
            "created_at": generation.created_at,
            "servers": generation.servers,
            "versions": generation.versions,
            "bytes": generation.packed,
        },
        "sync": {
            "phase": sync.phase.value if sync.phase else None,
            "last_success": sync.last_sync_time or None,
            "last_attempt": sync.last_attempt or None,
        },
        "bases": [call.base or "/"],
        "formats": [form.value for form in Form],
        "version": __version__,
    }
    return {**body, "attribution": ATTRIBUTION} if served.is_from_official else body


def _source(served: Served) -> JsonObject:
    found = {
        "type": served.registry.spec.source.type.value,
        "host": source_host(served.registry),
        "revision": served.registry.status.sync_status.revision,
    }
    return {key: value for key, value in found.items() if value}


def read_health(clock: Callable[[], float]) -> Callable[[Call], Answer]:
    """M3: whether content is served, and whether it is fresh; what is wrong is told to those who may read it."""

    def handler(call: Call) -> Answer:
        if call.refusal is not None and call.base:
            raise call.refusal  # one of many: that it exists is told to its readers alone
        served = place_of(call)
        checks = _checks(served)
        told = {"checks": checks} if call.may_read else {}
        if served.model is None:
            return json_answer({"status": "unavailable", **told}, status=503)
        status = "ok" if all(check["status"] == "ok" for check in checks) else "degraded"
        if not call.may_read:
            return json_answer({"status": status})
        view = served.view()
        age = max(0, int(clock()) - micros(view.generation.created_at) // 1_000_000)
        body = {
            "status": status,
            "registry": "/".join(served.owner),
            "snapshot": {"digest": view.generation.digest, "age_seconds": age},
            "checks": checks,
            "version": __version__,
        }
        return json_answer(body)

    return handler


def _checks(served: Served) -> list[dict[str, Any]]:
    wanted = ("SourceAvailable", "DataValid", "SyncSucceeded")
    found = [
        {
            "name": condition.type,
            "status": "ok" if condition.status != "False" else "failing",
            "message": condition.message,
        }
        for condition in served.registry.status.conditions
        if condition.type in wanted
    ]
    if served.trouble:
        found.append({"name": "ReadModel", "status": "failing", "message": served.trouble})
    return found


def live(_: Call) -> Answer:
    """M1: the event loop answers."""
    return json_answer({"status": "ok"})


def readiness(*, is_ready: bool) -> Answer:
    """M2: there is something to answer from, and the process is not about to end."""
    if is_ready:
        return json_answer({"status": "ok"})
    return json_answer({"status": "unavailable"}, (b"retry-after", b"5"), status=503)


def ping(_: Call) -> Answer:
    """O6: the official API's word for it."""
    return json_answer({"pong": True})


def build_info(_: Call) -> Answer:
    """M4: which product this is."""
    return json_answer(
        {
            "version": __version__,
            "git_commit": BUILD["git_commit"],
            "build_time": BUILD["build_time"],
            "python": platform.python_version(),
            "api": ["v1", "v0.1", "v0"],
        }
    )


def official_version(_: Call) -> Answer:
    """O6: the same in the official API's shape."""
    return json_answer({"version": __version__, **BUILD})


BUILD = {"git_commit": "unknown", "build_time": "unknown"}
"""Filled in by whoever builds an image."""

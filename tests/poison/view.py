"""What a registry comes to: its status, what is served, and the objects it owns, without what differs from run to run."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.faults.kubernetes.picture import KINDS
from tests.poison.hand import Hand
from thv.domain.canonical import JsonObject
from thv.domain.registry import load_registry
from thv.domain.resources import MCP_REGISTRY
from thv.stores.chunks.base import ChunkStore, Owner
from thv.sync.write import read_snapshot

_OWNED = [plural for plural in KINDS if plural not in ("mcpregistries", "configmaps")]
_KEPT = ("phase", "serverCount", "versionCount", "servers", "serversTruncated", "statistics")
_STEADY = {"NotModified": "Fetched", "Unchanged": "Succeeded"}
_MOVING = ("uid", "resourceVersion", "creationTimestamp", "managedFields", "generation")
_COMPUTED = ("deployment.kubernetes.io/revision", "toolhive.stacklok.io/config-hash")
_CHOSEN = ("clusterIP", "clusterIPs")
_UID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")


async def view(hand: Hand, chunks: ChunkStore, name: str) -> JsonObject:
    """Everything about the registry that follows from its spec."""
    obj = hand.get(MCP_REGISTRY, name) or {}
    found = {
        "observed": obj["status"].get("observedGeneration") == obj["metadata"]["generation"],
        "status": _status(obj["status"]),
        "served": await served(chunks, obj),
        "objects": {plural: _object(hand, plural, name) for plural in _OWNED},
    }
    text = json.dumps(found, sort_keys=True)
    masked: JsonObject = json.loads(
        _UID.sub("UID", re.sub(rf"\b{re.escape(name)}(-api)?\b", r"NAME\1", text))
    )
    return masked


async def served(chunks: ChunkStore, obj: JsonObject) -> list[list[Any]]:
    """Names, versions and digests of what the snapshot holds, and which are the latest."""
    registry = load_registry(obj)
    if registry.status.snapshot is None:
        return []
    owner = Owner(registry.namespace, registry.name, registry.uid)
    records = read_snapshot(chunks, owner, registry.status.snapshot)
    return [
        [each.name, each.version, each.digest, each.latest]
        async for each in records
        if not each.removed_at
    ]


def _status(status: JsonObject) -> JsonObject:
    sync, catalog = status.get("syncStatus", {}), dict(status.get("catalogState", {}))
    catalog.pop("lastValidation", None)
    api = {key: value for key, value in status.get("apiStatus", {}).items() if key != "targetPort"}
    return {
        **{key: status.get(key) for key in _KEPT},
        "conditions": {each["type"]: _condition(each) for each in status.get("conditions", ())},
        "catalogState": catalog,
        "apiStatus": api,
        "sync": {key: sync.get(key) for key in ("phase", "format", "resolvedURL", "conversion")},
    }


def _condition(condition: JsonObject) -> list[str]:
    reason = _STEADY.get(condition["reason"], condition["reason"])
    return [condition["status"], reason, condition.get("message", "")]


def _object(hand: Hand, plural: str, name: str) -> JsonObject | None:
    """As the operator wants it; what controllers and the API server add is left out."""
    said = hand.send("GET", f"{KINDS[plural]}/namespaces/{hand.namespace}/{plural}/{name}-api")
    if not said.accepted:
        return None
    obj = {key: value for key, value in said.object.items() if key != "status"}
    for field in _MOVING:
        obj["metadata"].pop(field, None)
    for annotation in _COMPUTED:
        obj["metadata"].get("annotations", {}).pop(annotation, None)
    for field in _CHOSEN:
        obj.get("spec", {}).pop(field, None)
    if "rules" in obj:  # chunks depend on what was served before
        obj["rules"] = [
            each for each in obj["rules"] or () if "configmaps" not in each["resources"]
        ]
    for port in obj.get("spec", {}).get("ports") or ():
        if plural == "services" and isinstance(port.get("targetPort"), int):
            port["targetPort"] = "PORT"
    return obj


def differences(left: Any, right: Any, path: str = "") -> list[str]:
    """Where two views differ, in lines."""
    if isinstance(left, dict) and isinstance(right, dict):
        keys = sorted(left.keys() | right.keys())
        return [
            line
            for key in keys
            for line in differences(left.get(key), right.get(key), f"{path}.{key}".lstrip("."))
        ]
    if left == right:
        return []
    return [f"{path}: {str(left)[:300]} is not {str(right)[:300]}"]

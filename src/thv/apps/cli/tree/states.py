"""How an object of a cluster is, told from the object alone, in a word and a few more.

In the flow: pure; the tree shows it beside each object.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from thv.apps.cli.tree.nodes import State
from thv.domain.canonical import JsonObject


def state_of(obj: JsonObject) -> State:
    """The state of an object of any kind; nothing is said of kinds that only lie there."""
    tell = _TELLERS.get(str(obj.get("kind")))
    return tell(obj) if tell else State()


def _registry(obj: JsonObject) -> State:
    status, reason = _condition(obj, "Ready")
    count = _at(obj, "status", "serverCount")
    servers = f"{count:,} servers" if isinstance(count, int) else ""
    return State(status or "Unknown", _joined(reason or "Pending", servers))


def _deployment(obj: JsonObject) -> State:
    wanted, ready = _at(obj, "spec", "replicas") or 0, _at(obj, "status", "readyReplicas") or 0
    available, reason = _condition(obj, "Available")
    why = "" if available == "True" else reason
    return State(available or "Unknown", _joined(f"{ready}/{wanted} ready", why))


def _replica_set(obj: JsonObject) -> State:
    wanted, ready = _at(obj, "spec", "replicas") or 0, _at(obj, "status", "readyReplicas") or 0
    return State(str(ready >= wanted), f"{ready}/{wanted} ready")


def _pod(obj: JsonObject) -> State:
    statuses = _at(obj, "status", "containerStatuses") or []
    restarts = sum(each.get("restartCount") or 0 for each in statuses)
    waiting = (_at(each, "state", "waiting", "reason") for each in statuses)
    trouble = next((reason for reason in waiting if reason), "")
    phase = "Terminating" if _at(obj, "metadata", "deletionTimestamp") else ""
    said = phase or trouble or _at(obj, "status", "phase") or "Pending"
    ready, _ = _condition(obj, "Ready")
    return State(ready or "False", _joined(said, f"{restarts} restarts" if restarts else ""))


def _service(obj: JsonObject) -> State:
    address = _at(obj, "spec", "clusterIP") or ""
    ports = [str(each.get("port")) for each in _at(obj, "spec", "ports") or []]
    return State("", f"{address}:{','.join(ports)}" if address else "")


def _binding(obj: JsonObject) -> State:
    kind, name = _at(obj, "roleRef", "kind"), _at(obj, "roleRef", "name")
    return State("", f"{str(kind).lower()}/{name}")


def _policy(obj: JsonObject) -> State:
    types = _at(obj, "spec", "policyTypes") or []
    return State("", ", ".join(map(str, types)).lower())


def _budget(obj: JsonObject) -> State:
    healthy, wanted = (_at(obj, "status", key) or 0 for key in ("currentHealthy", "desiredHealthy"))
    return State(str(healthy >= wanted), f"{healthy} of {wanted} healthy")


def _server(obj: JsonObject) -> State:
    """An MCPServer; its older versions tell a phase alone."""
    ready, reason = _condition(obj, "Ready")
    phase = str(_at(obj, "status", "phase") or reason or "Pending")
    return State(ready or str(phase in ("Running", "Ready")), phase)


_TELLERS: Mapping[str, Callable[[JsonObject], State]] = {
    "MCPRegistry": _registry,
    "MCPServer": _server,
    "Deployment": _deployment,
    "ReplicaSet": _replica_set,
    "Pod": _pod,
    "Service": _service,
    "RoleBinding": _binding,
    "NetworkPolicy": _policy,
    "PodDisruptionBudget": _budget,
}


def _condition(obj: JsonObject, type_: str) -> tuple[str, str]:
    """Status and reason of a condition."""
    for each in _at(obj, "status", "conditions") or []:
        if each.get("type") == type_:
            return str(each.get("status", "")), str(each.get("reason") or "")
    return "", ""


def _at(obj: JsonObject, *path: str) -> Any:
    found: Any = obj
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)

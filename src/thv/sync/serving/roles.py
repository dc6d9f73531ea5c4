"""What the pods of an API may do; pure.

A registry's own pods read that registry, its chunks by name, and the servers and reviews of their namespace; nothing
else, and never a Secret. The names of chunks are in a Role, which is written before a pointer names them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from thv.domain.canonical import JsonObject
from thv.domain.registry import Registry
from thv.domain.resources import GROUP, OLD_GROUP, ROLE, ROLE_BINDING, SERVICE_ACCOUNT
from thv.domain.snapshot import SnapshotRef
from thv.sync.serving.names import (
    SHARED,
    api_name,
    head,
    owned_head,
    shared_labels,
)
from thv.sync.serving.settings import Mode

_RBAC = "rbac.authorization.k8s.io"
_READ = ["get", "list", "watch"]


def own_account(registry: Registry) -> JsonObject:
    """Who the pods of one registry are."""
    return owned_head(SERVICE_ACCOUNT, registry)


def shared_account(namespace: str) -> JsonObject:
    """Who the shared pods of a namespace are."""
    return head(SERVICE_ACCOUNT, namespace, SHARED, shared_labels(namespace))


def own_role(registry: Registry, mode: Mode, chunks: Sequence[str]) -> JsonObject:
    """The rights on one registry; shared pods have only the chunks from it, and nothing without chunks."""
    role = owned_head(ROLE, registry)
    rules = [] if mode == "shared" else _reading(registry.name)
    if chunks:  # a rule without names would be one for every ConfigMap
        rules.append(_rule("", ["configmaps"], ["get"], chunks))
    role["rules"] = rules
    return role


def shared_role(namespace: str) -> JsonObject:
    """The rights that do not depend on a registry."""
    role = head(ROLE, namespace, SHARED, shared_labels(namespace))
    role["rules"] = _reading()
    return role


def own_binding(registry: Registry, mode: Mode) -> JsonObject:
    """Gives the rights on one registry to the pods that serve it."""
    name = api_name(registry.name)
    binding = owned_head(ROLE_BINDING, registry)
    account = SHARED if mode == "shared" else name
    return binding | _bound(name, registry.namespace, account)


def shared_binding(namespace: str) -> JsonObject:
    """Gives the rest to shared pods."""
    binding = head(ROLE_BINDING, namespace, SHARED, shared_labels(namespace))
    return binding | _bound(SHARED, namespace, SHARED)


def _bound(role: str, namespace: str, account: str) -> JsonObject:
    return {
        "roleRef": {"apiGroup": _RBAC, "kind": "Role", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
    }


def _reading(*registries: str) -> list[JsonObject]:
    return [
        _rule(GROUP, ["mcpregistries"], _READ, registries),
        _rule(GROUP, ["mcpservers", "mcpserverreviews"], _READ),
        _rule(OLD_GROUP, ["mcpservers"], _READ),
    ]


def _rule(
    group: str, resources: list[str], verbs: list[str], names: Sequence[str] = ()
) -> JsonObject:
    rule: JsonObject = {"apiGroups": [group], "resources": resources, "verbs": list(verbs)}
    return rule | ({"resourceNames": list(names)} if names else {})


# Chunks ----------------------------------------------------------------------------------------------------


def chunks_of(pointers: Iterable[SnapshotRef | None]) -> set[str]:
    """The names of the chunks that these pointers lead to."""
    return {ref.name for pointer in pointers if pointer is not None for ref in pointer.chunks}


def chunks_needed(registry: Registry) -> set[str]:
    """The names of the chunks that the status leads to."""
    status = registry.status
    return chunks_of((status.snapshot, status.previous_snapshot, status.candidates))


def chunks_allowed(role: JsonObject) -> set[str]:
    """The names of the ConfigMaps that a Role gives."""
    rules = role.get("rules") or []
    named = (rule.get("resourceNames") or [] for rule in rules if "configmaps" in _words(rule))
    return {name for names in named for name in names}


def _words(rule: JsonObject) -> list[str]:
    resources = rule.get("resources")
    return resources if isinstance(resources, list) else []

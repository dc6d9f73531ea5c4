"""ClusterRoles and Roles, generated from the roles of the domain.

In the flow: `make gen` writes them among the manifests of the operator.
"""

from __future__ import annotations

from thv.domain.access import Right
from thv.domain.canonical import JsonObject
from thv.domain.roles import Role

_GROUP = "rbac.authorization.k8s.io"
_API_VERSION = f"{_GROUP}/v1"
_MEANING = "kubernetes.io/description"


def cluster_role(role: Role) -> JsonObject:
    """The role for bindings in any namespace, or everywhere."""
    return _role("ClusterRole", role, {})


def namespaced_role(role: Role, namespace: str) -> JsonObject:
    """The role in one namespace."""
    return _role("Role", role, {"namespace": namespace})


def cluster_binding(role: str, *subjects: JsonObject) -> JsonObject:
    """Gives a ClusterRole everywhere; without subjects those that are bound stay bound."""
    return _bound("ClusterRoleBinding", "ClusterRole", role, {}, subjects)


def binding(role: str, namespace: str, *subjects: JsonObject) -> JsonObject:
    """Gives a Role of a namespace there."""
    return _bound("RoleBinding", "Role", role, {"namespace": namespace}, subjects)


def account(name: str, namespace: str) -> JsonObject:
    """A ServiceAccount as a subject."""
    return {"kind": "ServiceAccount", "name": name, "namespace": namespace}


def _role(kind: str, role: Role, place: dict[str, str]) -> JsonObject:
    metadata = {
        "name": role.name,
        **place,
        "labels": _labels(role),
        "annotations": {_MEANING: role.meaning},
    }
    rules = [_rule(right) for right in role.rights]
    return {"apiVersion": _API_VERSION, "kind": kind, "metadata": metadata, "rules": rules}


def _labels(role: Role) -> dict[str, str]:
    labels = {"app.kubernetes.io/part-of": "toolhive-registry"}
    if role.aggregates_to:
        labels[f"{_GROUP}/aggregate-to-{role.aggregates_to}"] = "true"
    return labels


def _rule(right: Right) -> JsonObject:
    return {
        "apiGroups": list(right.groups),
        "resources": list(right.resources),
        **({"resourceNames": list(right.names)} if right.names else {}),
        "verbs": list(right.verbs),
    }


def _bound(
    kind: str, role_kind: str, role: str, place: dict[str, str], subjects: tuple[JsonObject, ...]
) -> JsonObject:
    return {
        "apiVersion": _API_VERSION,
        "kind": kind,
        "metadata": {
            "name": role,
            **place,
            "labels": {"app.kubernetes.io/part-of": "toolhive-registry"},
        },
        "roleRef": {"apiGroup": _GROUP, "kind": role_kind, "name": role},
        **({"subjects": list(subjects)} if subjects else {}),
    }

"""What the operator may do, in all namespaces or only in some, as roles and bindings.

In the flow: part of an installation, and of the chart, which fills in the namespaces itself.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from thv.domain.access import Right
from thv.domain.canonical import JsonObject
from thv.domain.roles import (
    API_AUTH,
    API_AUTH_ROLE,
    CLUSTER_ROLES,
    LEADER_ROLE,
    OPERATOR,
    OPERATOR_ROLE,
    Role,
)
from thv.formats.roles import account, binding, cluster_binding, cluster_role, namespaced_role

API_SERVER = "toolhive-registry-api-server"
"""Finds the API server, whose addresses are in the namespace `default` alone."""
_OF_CLUSTER = {"tokenreviews", "subjectaccessreviews", "clusterrolebindings"}


def leading(home: str) -> list[JsonObject]:
    """To stand for election, in the namespace of the operator."""
    return [namespaced_role(LEADER_ROLE, home), binding(LEADER_ROLE.name, home, _operator(home))]


def everywhere(home: str) -> list[JsonObject]:
    """The roles for people, and every right of the operator in every namespace."""
    return [
        *map(cluster_role, CLUSTER_ROLES),
        cluster_binding(OPERATOR, _operator(home)),
        cluster_binding(API_AUTH),  # its subjects are accounts of API pods; the operator keeps them
    ]


def in_namespace(namespace: str, home: str) -> list[JsonObject]:
    """The rights of the operator in one namespace that it is limited to."""
    role = _part(OPERATOR_ROLE, OPERATOR, _is_namespaced)
    return [namespaced_role(role, namespace), binding(OPERATOR, namespace, _operator(home))]


def beside_namespaces(home: str) -> list[JsonObject]:
    """What stays cluster-wide where the operator is limited to namespaces: roles for people, tokens, the API server."""
    people = [role for role in CLUSTER_ROLES if role not in (OPERATOR_ROLE, API_AUTH_ROLE)]
    rest = _part(OPERATOR_ROLE, OPERATOR, _is_cluster_wide)
    server = _part(OPERATOR_ROLE, API_SERVER, _is_of_default)
    return [
        *map(cluster_role, people),
        cluster_role(API_AUTH_ROLE),
        cluster_binding(API_AUTH),
        cluster_role(rest),
        cluster_binding(OPERATOR, _operator(home)),
        namespaced_role(server, "default"),
        binding(API_SERVER, "default", _operator(home)),
    ]


def _operator(home: str) -> JsonObject:
    return account(OPERATOR, home)


def _part(role: Role, name: str, belongs: Callable[[Right], bool]) -> Role:
    kept = tuple(right for right in role.rights if belongs(right))
    return msgspec.structs.replace(role, name=name, rights=kept)


def _is_cluster_wide(right: Right) -> bool:
    return bool(_OF_CLUSTER & set(right.resources))


def _is_of_default(right: Right) -> bool:
    return "endpoints" in right.resources


def _is_namespaced(right: Right) -> bool:
    return not _is_cluster_wide(right) and not _is_of_default(right)

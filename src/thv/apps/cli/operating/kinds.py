"""The kinds of the objects that an installation consists of, or may have consisted of."""

from __future__ import annotations

from thv.domain.canonical import JsonObject
from thv.domain.resources import (
    CLUSTER_ROLE_BINDING,
    CONFIG_MAP,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    NETWORK_POLICY,
    ROLE,
    ROLE_BINDING,
    SERVICE,
    SERVICE_ACCOUNT,
    Kind,
    kind_of,
    metadata_of,
    name_of,
    namespace_of,
)

_ADMISSION = "admissionregistration.k8s.io"

DEFINITION = Kind(
    group="apiextensions.k8s.io",
    version="v1",
    kind="CustomResourceDefinition",
    plural="customresourcedefinitions",
    namespaced=False,
)
NAMESPACE = Kind(version="v1", kind="Namespace", plural="namespaces", namespaced=False)
CLUSTER_ROLE = Kind(
    group="rbac.authorization.k8s.io",
    version="v1",
    kind="ClusterRole",
    plural="clusterroles",
    namespaced=False,
)
POLICY = Kind(
    group=_ADMISSION,
    version="v1",
    kind="ValidatingAdmissionPolicy",
    plural="validatingadmissionpolicies",
    namespaced=False,
)
POLICY_BINDING = Kind(
    group=_ADMISSION,
    version="v1",
    kind="ValidatingAdmissionPolicyBinding",
    plural="validatingadmissionpolicybindings",
    namespaced=False,
)

REMOVABLE = (
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    NETWORK_POLICY,
    SERVICE,
    POLICY_BINDING,
    POLICY,
    CLUSTER_ROLE_BINDING,
    ROLE_BINDING,
    CLUSTER_ROLE,
    ROLE,
    SERVICE_ACCOUNT,
)
"""In the order in which they are removed: first what works, then what lets it. A release that made objects of a further
kind names it here for ever, so that later ones find them."""
INSTALLED = (*REMOVABLE, NAMESPACE, DEFINITION, CONFIG_MAP)
PART_OF = "app.kubernetes.io/part-of=toolhive-registry"
"""Selects everything that belongs to an installation."""

Key = tuple[str, str, str]


def key_of(obj: JsonObject) -> Key:
    """Which object it is: kind, namespace, name."""
    return kind_of(obj, INSTALLED).resource, namespace_of(obj), name_of(obj)


def title_of(obj: JsonObject) -> str:
    """As kubectl prints it: `deployment.apps/toolhive-registry-operator`."""
    kind = kind_of(obj, INSTALLED)
    return f"{kind.singular}{'.' + kind.group if kind.group else ''}/{name_of(obj)}"


def is_applied_by(obj: JsonObject, manager: str) -> bool:
    """Whether this manager applied the object, and still has fields in it."""
    return any(
        each.get("manager") == manager and each.get("operation") == "Apply"
        for each in metadata_of(obj).get("managedFields") or ()
    )

"""Everything that installs the operator, beside the definitions of its kinds.

In the flow: `make gen` writes `deploy/install.yaml` from it; tests install the operator with it as it is.
"""

from __future__ import annotations

from typing import Any

import msgspec

from thv import __version__
from thv.domain.canonical import JsonObject
from thv.domain.roles import API_AUTH, CLUSTER_ROLES, LEADER_ROLE, OPERATOR
from thv.formats.admission import policies
from thv.formats.roles import account, binding, cluster_binding, cluster_role, namespaced_role

PORT = 8081
USER = 65532
_SELECTOR = {"app.kubernetes.io/name": OPERATOR}
_LABELS = {**_SELECTOR, "app.kubernetes.io/part-of": "toolhive-registry"}
# Where clouds tell a machine its credentials: no source is there.
_LINK_LOCAL = {"0.0.0.0/0": ["169.254.0.0/16"], "::/0": ["fe80::/10", "fd00:ec2::254/128"]}


class Installation(msgspec.Struct, frozen=True, kw_only=True):
    """What differs from cluster to cluster."""

    namespace: str = "toolhive-system"
    image: str = f"toolhive-registry:{__version__}"
    replicas: int = 1

    @property
    def operator(self) -> str:
        """The user name of the operator."""
        return f"system:serviceaccount:{self.namespace}:{OPERATOR}"


def render(installation: Installation | None = None) -> list[JsonObject]:
    """The objects, in an order in which they can be applied."""
    chosen = installation or Installation()
    return [
        _namespace(chosen),
        _service_account(chosen),
        *rights(chosen),
        *policies(chosen.operator),
        _deployment(chosen),
        _network_policy(chosen),
    ]


def rights(installation: Installation) -> list[JsonObject]:
    """The roles that are shipped, and what is bound to the operator."""
    namespace = installation.namespace
    operator = account(OPERATOR, namespace)
    return [
        *(cluster_role(role) for role in CLUSTER_ROLES),
        cluster_binding(OPERATOR, operator),
        cluster_binding(
            API_AUTH
        ),  # its subjects are the accounts of API pods; the operator keeps them
        namespaced_role(LEADER_ROLE, namespace),
        binding(LEADER_ROLE.name, namespace, operator),
    ]


# ---------------------------------------------------------------- namespace and account


def _namespace(installation: Installation) -> JsonObject:
    labels = {
        "app.kubernetes.io/part-of": "toolhive-registry",
        "pod-security.kubernetes.io/enforce": "restricted",
    }
    metadata = {"name": installation.namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def _service_account(installation: Installation) -> JsonObject:
    return _object("v1", "ServiceAccount", installation)


def _object(api_version: str, kind: str, installation: Installation, **more: Any) -> JsonObject:
    metadata = {"name": OPERATOR, "namespace": installation.namespace, "labels": dict(_LABELS)}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **more}


# ---------------------------------------------------------------- pods


def _deployment(installation: Installation) -> JsonObject:
    spec = {
        "replicas": installation.replicas,
        "selector": {"matchLabels": dict(_SELECTOR)},
        "template": {"metadata": {"labels": dict(_LABELS)}, "spec": _pod(installation)},
    }
    return _object("apps/v1", "Deployment", installation, spec=spec)


def _pod(installation: Installation) -> JsonObject:
    """A pod that the restricted profile of pod security admits."""
    return {
        "serviceAccountName": OPERATOR,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 30,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(installation)],
        "volumes": [
            {"name": "data", "emptyDir": {"sizeLimit": "2Gi"}},
            {"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}},
        ],
    }


def _container(installation: Installation) -> JsonObject:
    return {
        "name": "operator",
        "image": installation.image,
        "args": ["operator", "--listen-operations", f"$(POD_IP):{PORT}"],
        "env": [
            _from_pod("POD_NAMESPACE", "metadata.namespace"),
            _from_pod("POD_NAME", "metadata.name"),
            _from_pod("POD_IP", "status.podIP"),
            {"name": "THV_IMAGE", "value": installation.image},
            {"name": "THV_DATA", "value": "/data"},
        ],
        "ports": [{"name": "operations", "containerPort": PORT, "protocol": "TCP"}],
        "startupProbe": _probe("/healthz", every=1, failures=60),
        "livenessProbe": _probe("/healthz", every=10, failures=6),
        "readinessProbe": _probe("/readyz", every=5, failures=3),
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "data", "mountPath": "/data"},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 # a path of the container
        ],
    }


def _from_pod(name: str, path: str) -> JsonObject:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def _probe(path: str, *, every: int, failures: int) -> JsonObject:
    return {
        "httpGet": {"path": path, "port": "operations"},
        "periodSeconds": every,
        "timeoutSeconds": 3,
        "failureThreshold": failures,
    }


# ---------------------------------------------------------------- network


def _network_policy(installation: Installation) -> JsonObject:
    """Who reaches the operator: probes and metrics. Whom it reaches: sources anywhere, but not the machine's own."""
    names = [{"port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")]
    anywhere = [{"ipBlock": {"cidr": cidr, "except": but}} for cidr, but in _LINK_LOCAL.items()]
    spec = {
        "podSelector": {"matchLabels": dict(_SELECTOR)},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"ports": [{"port": PORT, "protocol": "TCP"}]}],
        "egress": [{"ports": names}, {"to": anywhere}],
    }
    return _object("networking.k8s.io/v1", "NetworkPolicy", installation, spec=spec)

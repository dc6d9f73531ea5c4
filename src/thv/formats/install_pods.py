"""The pods that are installed: what the operator's and the catalog's have in common, and nothing that one of them decides.

In the flow: under `install` and `install_catalog`. The restricted profile of pod security admits what comes out. The
pods of APIs, which the operator makes, are as confined as these.
"""

from __future__ import annotations

from collections.abc import Sequence

from thv.domain.canonical import JsonObject

USER = 65532
CONFINED_POD: JsonObject = {
    "runAsNonRoot": True,
    "runAsUser": USER,
    "runAsGroup": USER,
    "fsGroup": USER,
    "seccompProfile": {"type": "RuntimeDefault"},
}
CONFINED_CONTAINER: JsonObject = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
DATA, TMP = "data", "tmp"
MOUNTS: tuple[JsonObject, ...] = (
    {"name": DATA, "mountPath": "/data"},
    {"name": TMP, "mountPath": "/tmp"},  # noqa: S108 # a path of the container
)

# Where clouds tell a machine its credentials: no source is there.
_LINK_LOCAL = {"0.0.0.0/0": ["169.254.0.0/16"], "::/0": ["fe80::/10", "fd00:ec2::254/128"]}


def to_sources() -> JsonObject:
    """Of a network policy: whom a pod may reach that reads sources, which are anywhere."""
    return {"to": [{"ipBlock": {"cidr": cidr, "except": but}} for cidr, but in _LINK_LOCAL.items()]}


def pod(account: str, container: JsonObject, pull_secrets: Sequence[str]) -> JsonObject:
    """One container that writes to `/data` and `/tmp` alone, as nobody in particular."""
    secrets = [{"name": name} for name in pull_secrets]
    return {
        "serviceAccountName": account,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 30,
        **({"imagePullSecrets": secrets} if secrets else {}),
        "securityContext": CONFINED_POD,
        "containers": [container],
        "volumes": rooms("2Gi", "1Gi"),
    }


def confined(container: JsonObject) -> JsonObject:
    """The container with its probes, which ask the port `operations`, and with no more rights than it needs."""
    return {
        **container,
        "startupProbe": _probe("/healthz", every=1, failures=60),
        "livenessProbe": _probe("/healthz", every=10, failures=6),
        "readinessProbe": _probe("/readyz", every=5, failures=3),
        "securityContext": CONFINED_CONTAINER,
        "volumeMounts": list(MOUNTS),
    }


def rooms(data: str, tmp: str) -> list[JsonObject]:
    """The volumes behind the mounts, which end with the pod, and how large they may become."""
    return [
        {"name": name, "emptyDir": {"sizeLimit": size}} for name, size in ((DATA, data), (TMP, tmp))
    ]


def from_pod(name: str, path: str) -> JsonObject:
    """A variable that says something about the pod."""
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def port(name: str, number: int) -> JsonObject:
    """A port of a container."""
    return {"name": name, "containerPort": number, "protocol": "TCP"}


def _probe(path: str, *, every: int, failures: int) -> JsonObject:
    return {
        "httpGet": {"path": path, "port": "operations"},
        "periodSeconds": every,
        "timeoutSeconds": 3,
        "failureThreshold": failures,
    }

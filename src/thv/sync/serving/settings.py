"""What an administrator decides about the APIs of registries.

In the flow: read once where a process starts, and passed to everything that makes objects.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from thv.domain.registry import Quantities, Resources

Mode = Literal["dedicated", "shared"]
PullPolicy = Literal["", "Always", "IfNotPresent", "Never"]


class Dns(msgspec.Struct, frozen=True, kw_only=True):
    """Where pods ask for names; what a network policy lets them reach for that."""

    namespace: str = "kube-system"
    pods: tuple[tuple[str, str], ...] = (("k8s-app", "kube-dns"),)
    """Labels of the pods there; none: every pod of the namespace."""
    addresses: tuple[str, ...] = ()
    """Networks such as `169.254.20.10/32`, for a cache on each node."""


class PodExtras(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True
):
    """What every API pod gets beside what it needs, in the words of a pod's manifest; the cluster judges them."""

    pod_labels: dict[str, str] = {}
    """Beside the operator's own, which win."""
    pod_annotations: dict[str, str] = {}
    node_selector: dict[str, str] = {}
    tolerations: list[dict[str, Any]] = []
    affinity: dict[str, Any] = {}
    topology_spread_constraints: list[dict[str, Any]] = []
    """In place of the operator's; one without a labelSelector is about the pods of the same API."""
    priority_class_name: str = ""


class Traces(msgspec.Struct, frozen=True, kw_only=True):
    """Where API pods send traces of requests."""

    endpoint: str
    port: int
    """That of the endpoint; what a network policy lets them reach for that."""
    ratio: float
    namespaces: tuple[tuple[str, str], ...] = ()
    """Labels of the namespaces in which it may be reached; none: any namespace."""


class ApiSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How APIs are deployed."""

    image: str
    """The image of this product; API pods run it."""
    pull_policy: PullPolicy = ""
    """`""`: as the cluster decides by the tag."""
    pull_secrets: tuple[str, ...] = ()
    """Names of Secrets, expected in each namespace with registries."""
    operator_namespace: str = "toolhive-system"
    """May reach every API."""
    mode: Mode = "dedicated"
    """For registries that do not say."""
    resources: Resources = Resources(
        requests=Quantities(cpu="50m", memory="64Mi"), limits=Quantities(memory="128Mi")
    )
    """Of a pod that serves one registry, where the registry does not say."""
    shared_resources: Resources = Resources(
        requests=Quantities(cpu="100m", memory="128Mi"), limits=Quantities(memory="512Mi")
    )
    """Of a pod that serves all shared registries of a namespace."""
    shared_replicas: int = 1
    dns: Dns = Dns()
    metrics_namespaces: tuple[tuple[str, str], ...] = ()
    """Labels of the namespaces that may read metrics; none: no namespace may."""
    extras: PodExtras = PodExtras()
    tls_secret: str = ""
    """Name of a Secret of type kubernetes.io/tls, expected in each namespace with registries; `""`: plain HTTP."""
    cors_origins: tuple[str, ...] = ()
    """Whose pages may read /api/v1; the official API is open to all."""
    accept_cluster_audience: bool = False
    """Take tokens that were made for the API server, too."""
    access_log: bool = True
    """Have API pods log every request."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """How much API pods log."""
    log_format: Literal["text", "json"] = "text"
    """How API pods write their log."""
    traces: Traces | None = None
    """None: none are made."""
    api_server: tuple[tuple[str, int], ...] = ()
    """Addresses and ports of the API server beside those of its endpoints, such as its cluster IP."""

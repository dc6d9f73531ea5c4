"""Everything that installs the operator.

In the flow: `thv operator` prints and applies it, `make gen` writes `deploy/install.yaml` from it; tests install the
operator with it as it is. What was installed can be read back from its Deployment.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

from thv import __version__
from thv.domain.canonical import JsonObject
from thv.domain.resources import PREFIX, annotations_of, namespace_of
from thv.domain.roles import OPERATOR
from thv.formats.admission import policies
from thv.formats.crd import registry_crd
from thv.formats.install_pods import confined, from_pod, pod, port, to_sources
from thv.formats.install_rights import beside_namespaces, everywhere, in_namespace, leading

Scope: TypeAlias = Literal["cluster", "namespace"]

PORT = 8081
PART_OF = {"app.kubernetes.io/part-of": "toolhive-registry"}
"""On everything that belongs to an installation, and on nothing that the operator makes."""
VERSION = "app.kubernetes.io/version"
SCOPE = f"{PREFIX}scope"
IMAGE = f"toolhive-registry:{__version__}"
_SELECTOR = {"app.kubernetes.io/name": OPERATOR}
_LABELS = {**_SELECTOR, **PART_OF}
_NAMESPACES, _SECRETS, _POLICY = (
    "THV_NAMESPACES",
    "THV_IMAGE_PULL_SECRETS",
    "THV_IMAGE_PULL_POLICY",
)


class Installation(msgspec.Struct, frozen=True, kw_only=True):
    """What differs from cluster to cluster."""

    namespace: str = "toolhive-system"
    image: str = IMAGE
    pull_secrets: tuple[str, ...] = ()
    """Of the operator's pod and of the pods that it makes, in the namespaces of both."""
    pull_policy: str = ""
    replicas: int = 1
    scope: Scope = "cluster"
    """With `namespace` the operator has rights in some namespaces alone."""
    namespaces: tuple[str, ...] = ()
    """Whose registries are looked after; none means all, or with the scope `namespace` that of the operator."""
    settings: tuple[tuple[str, str], ...] = ()
    """More of the operator's environment."""

    @property
    def operator(self) -> str:
        """The user name of the operator."""
        return f"system:serviceaccount:{self.namespace}:{OPERATOR}"

    @property
    def watched(self) -> tuple[str, ...]:
        """The namespaces whose registries are looked after; none means all."""
        return self.namespaces or ((self.namespace,) if self.scope == "namespace" else ())


def kinds() -> list[JsonObject]:
    """The definitions that must be there before anything else is of use."""
    found = registry_crd()
    return [{**found, "metadata": {**found["metadata"], "labels": dict(PART_OF)}}]


def render(installation: Installation | None = None) -> list[JsonObject]:
    """The objects beside the kinds, in an order in which they can be applied."""
    chosen = installation or Installation()
    return [
        _namespace(chosen),
        _service_account(chosen),
        *rights(chosen),
        *policies(chosen.operator),
        _deployment(chosen),
        *([_budget(chosen)] if chosen.replicas > 1 else []),
        _network_policy(chosen),
    ]


def rights(installation: Installation) -> list[JsonObject]:
    """The roles that are shipped, and what is bound to the operator."""
    home = installation.namespace
    if installation.scope == "cluster":
        return [*everywhere(home), *leading(home)]
    limited = (obj for each in installation.watched for obj in in_namespace(each, home))
    return [*beside_namespaces(home), *leading(home), *limited]


# ---------------------------------------------------------------- namespace and account


def _namespace(installation: Installation) -> JsonObject:
    labels = {**PART_OF, "pod-security.kubernetes.io/enforce": "restricted"}
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
    obj = _object("apps/v1", "Deployment", installation, spec=spec)
    obj["metadata"]["labels"][VERSION] = __version__
    if installation.scope != "cluster":
        obj["metadata"]["annotations"] = {SCOPE: installation.scope}
    return obj


def _pod(installation: Installation) -> JsonObject:
    made = pod(OPERATOR, _container(installation), installation.pull_secrets)
    return {**made, "topologySpreadConstraints": _spread()} if installation.replicas > 1 else made


def _container(installation: Installation) -> JsonObject:
    policy = installation.pull_policy
    return confined(
        {
            "name": "operator",
            "image": installation.image,
            **({"imagePullPolicy": policy} if policy else {}),
            "args": ["operator", "--listen-operations", f"$(POD_IP):{PORT}"],
            "env": _environment(installation),
            "ports": [port("operations", PORT)],
            "resources": {
                "requests": {"cpu": "100m", "memory": "64Mi"},
                "limits": {"memory": "256Mi"},
            },
        }
    )


def _environment(installation: Installation) -> list[JsonObject]:
    given = {
        "THV_IMAGE": installation.image,
        "THV_DATA": "/data",
        _NAMESPACES: ",".join(installation.watched),
        _SECRETS: ",".join(installation.pull_secrets),
        _POLICY: installation.pull_policy,
        **dict(installation.settings),
    }
    return [
        from_pod("POD_NAMESPACE", "metadata.namespace"),
        from_pod("POD_NAME", "metadata.name"),
        from_pod("POD_IP", "status.podIP"),
        *({"name": name, "value": value} for name, value in given.items() if value),
    ]


# ---------------------------------------------------------------- several operators


def _spread() -> list[JsonObject]:
    """Over zones and machines, where there are several."""
    return [
        {
            "maxSkew": 1,
            "topologyKey": key,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": dict(_SELECTOR)},
        }
        for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
    ]


def _budget(installation: Installation) -> JsonObject:
    spec = {
        "maxUnavailable": 1,
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": {"matchLabels": dict(_SELECTOR)},
    }
    return _object("policy/v1", "PodDisruptionBudget", installation, spec=spec)


# ---------------------------------------------------------------- network


def _network_policy(installation: Installation) -> JsonObject:
    """Who reaches the operator: probes and metrics. Whom it reaches: sources anywhere, but not the machine's own."""
    names = [{"port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")]
    spec = {
        "podSelector": {"matchLabels": dict(_SELECTOR)},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"ports": [{"port": PORT, "protocol": "TCP"}]}],
        "egress": [{"ports": names}, to_sources()],
    }
    return _object("networking.k8s.io/v1", "NetworkPolicy", installation, spec=spec)


# ---------------------------------------------------------------- reading back


def read_installation(deployment: JsonObject) -> Installation:
    """What was chosen for the installation that this Deployment of an operator belongs to."""
    pod = deployment["spec"]["template"]["spec"]
    container = pod["containers"][0]
    given = {each["name"]: each["value"] for each in container.get("env") or () if "value" in each}
    return Installation(
        namespace=namespace_of(deployment),
        image=container["image"],
        pull_secrets=_words(given.pop(_SECRETS, "")),
        pull_policy=given.pop(_POLICY, ""),
        replicas=deployment["spec"].get("replicas", 1),
        scope="namespace" if annotations_of(deployment).get(SCOPE) == "namespace" else "cluster",
        namespaces=_words(given.pop(_NAMESPACES, "")),
        settings=tuple((k, v) for k, v in given.items() if k not in ("THV_IMAGE", "THV_DATA")),
    )


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for word in text.split(",") if word)

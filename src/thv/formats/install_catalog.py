"""Everything that installs the catalog beside the operator.

In the flow: `make gen` writes `deploy/catalog.yaml` from it; tests run the catalog with the rights that are here.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from thv import __version__
from thv.domain.canonical import JsonObject
from thv.domain.roles import CATALOG, CATALOG_ROLE, SESSIONS, SESSIONS_ROLE
from thv.formats.admission import catalog_policy
from thv.formats.install import PART_OF, VERSION, Installation
from thv.formats.install_pods import confined, from_pod, pod, port, to_sources
from thv.formats.roles import (
    account,
    binding,
    cluster_binding,
    cluster_role,
    namespaced_role,
)

SERVICE = "thv-catalog"
"""In the audience of the tokens of its callers."""
PORT, OPERATIONS = 8080, 8081
MEMORY = "512Mi"
"""For the catalog, and for two processes that try sources, of which each ends at 128 MiB."""
Settings: TypeAlias = tuple[tuple[str, str], ...]
_SELECTOR = {"app.kubernetes.io/name": SERVICE}
_LABELS = {**_SELECTOR, **PART_OF}


def render_catalog(
    installation: Installation | None = None, settings: Settings = ()
) -> list[JsonObject]:
    """The objects, in an order in which they can be applied, behind those of the operator.

    `settings` are more of the environment of its process.
    """
    chosen = installation or Installation()
    return [
        _object("v1", "ServiceAccount", chosen, name=CATALOG),
        *catalog_rights(chosen),
        *session_shelves(chosen),
        _deployment(chosen, settings),
        _service(chosen),
        _network_policy(chosen),
    ]


def catalog_rights(installation: Installation) -> list[JsonObject]:
    """Its role and what holds it to less."""
    home = installation.namespace
    return [
        cluster_role(CATALOG_ROLE),
        cluster_binding(CATALOG, account(CATALOG, home)),
        namespaced_role(SESSIONS_ROLE, home),
        binding(SESSIONS_ROLE.name, home, account(CATALOG, home)),
        *catalog_policy(f"system:serviceaccount:{home}:{CATALOG}"),
    ]


def session_shelves(installation: Installation) -> list[JsonObject]:
    """Where its replicas share sessions. They are made here, so that it needs no right to make any."""
    return [_object("v1", "ConfigMap", installation, name=name) for name in SESSIONS]


def _object(
    api_version: str, kind: str, installation: Installation, *, name: str = SERVICE, **more: Any
) -> JsonObject:
    metadata = {"name": name, "namespace": installation.namespace, "labels": dict(_LABELS)}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **more}


def _deployment(installation: Installation, settings: Settings) -> JsonObject:
    spec = {
        "replicas": 1,
        "selector": {"matchLabels": dict(_SELECTOR)},
        "template": {"metadata": {"labels": dict(_LABELS)}, "spec": _pod(installation, settings)},
    }
    obj = _object("apps/v1", "Deployment", installation, spec=spec)
    obj["metadata"]["labels"][VERSION] = __version__
    return obj


def _pod(installation: Installation, settings: Settings) -> JsonObject:
    return pod(CATALOG, _container(installation, settings), installation.pull_secrets)


def _container(installation: Installation, settings: Settings) -> JsonObject:
    policy = installation.pull_policy
    return confined(
        {
            "name": "catalog",
            "image": installation.image,
            **({"imagePullPolicy": policy} if policy else {}),
            "args": ["catalog-api", "--listen", f"$(POD_IP):{PORT}"],
            "env": [
                from_pod("POD_NAMESPACE", "metadata.namespace"),
                from_pod("POD_IP", "status.podIP"),
                {"name": "THV_DATA", "value": "/data"},
                {"name": "THV_LISTEN_OPERATIONS", "value": f"$(POD_IP):{OPERATIONS}"},
                *({"name": name, "value": value} for name, value in settings),
            ],
            "ports": [port("http", PORT), port("operations", OPERATIONS)],
            "resources": {
                "requests": {"cpu": "50m", "memory": "96Mi"},
                "limits": {"memory": MEMORY},
            },
        }
    )


def _service(installation: Installation) -> JsonObject:
    """A mesh or a gateway need not guess what is spoken: `appProtocol` says it."""
    port = {"name": "http", "port": PORT, "targetPort": "http", "protocol": "TCP"}
    ports = [{**port, "appProtocol": "http"}]
    return _object("v1", "Service", installation, spec={"selector": _SELECTOR, "ports": ports})


def _network_policy(installation: Installation) -> JsonObject:
    """Everybody in the cluster may ask it; it reaches the API server, names, and sources that somebody tries."""
    tcp = [{"port": port, "protocol": "TCP"} for port in (PORT, OPERATIONS)]
    names = [{"port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")]
    servers = [{"port": port, "protocol": "TCP"} for port in (443, 6443)]
    spec = {
        "podSelector": {"matchLabels": dict(_SELECTOR)},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"ports": tcp}],
        "egress": [{"ports": names}, {"ports": servers}, to_sources()],
    }
    return _object("networking.k8s.io/v1", "NetworkPolicy", installation, spec=spec)

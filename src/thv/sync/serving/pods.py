"""The Deployments of APIs: one for a registry, or one for all shared registries of a namespace; pure."""

from __future__ import annotations

from typing import Any

from thv.domain.canonical import JsonObject
from thv.domain.quantities import amount
from thv.domain.registry import Quantities, Registry, Resources
from thv.domain.resources import DEPLOYMENT
from thv.formats.install_pods import CONFINED_CONTAINER, CONFINED_POD, MOUNTS, from_pod, port, rooms
from thv.sync.serving.names import (
    HTTP_PORT,
    METRICS_PORT,
    SHARED,
    SHARED_SELECTOR,
    api_name,
    head,
    own_labels,
    owned_head,
    selector_of,
    shared_labels,
)
from thv.sync.serving.settings import ApiSettings, PodExtras

CONTAINER = "api"
TLS_FOLDER = "/tls"
_STARTING_SECONDS = 300
"""How long a pod may take to answer at all, and how long a rollout may stand still."""


def own_deployment(registry: Registry, settings: ApiSettings) -> JsonObject:
    """Pods that serve one registry."""
    deployment = owned_head(DEPLOYMENT, registry)
    asked = registry.spec.api.resources
    deployment["spec"] = _spec(
        settings,
        replicas=registry.spec.api.replicas,
        selector=selector_of(registry.name),
        labels=own_labels(registry),
        pod=_pod(
            settings,
            account=api_name(registry.name),
            served=["--namespace", registry.namespace, "--registry", registry.name],
            ports=[("http", HTTP_PORT), ("metrics", METRICS_PORT)],
            resources=resources_of(settings.resources, asked),
            room="1Gi",
        ),
    )
    return deployment


def shared_deployment(namespace: str, settings: ApiSettings) -> JsonObject:
    """Pods that serve every shared registry of a namespace, each on a port of its own."""
    deployment = head(DEPLOYMENT, namespace, SHARED, shared_labels(namespace))
    deployment["spec"] = _spec(
        settings,
        replicas=settings.shared_replicas,
        selector=SHARED_SELECTOR,
        labels=shared_labels(namespace),
        pod=_pod(
            settings,
            account=SHARED,
            served=["--namespace", namespace, "--shared"],
            ports=[("metrics", METRICS_PORT)],
            resources=resources_of(settings.shared_resources, None),
            room="2Gi",
        ),
    )
    return deployment


def _spec(
    settings: ApiSettings,
    *,
    replicas: int,
    selector: dict[str, str],
    labels: dict[str, str],
    pod: JsonObject,
) -> JsonObject:
    extras = settings.extras
    spread = _asked_spread(extras, selector) or (_usual_spread(selector) if replicas > 1 else [])
    if spread:
        pod = pod | {"topologySpreadConstraints": spread}
    metadata: JsonObject = {"labels": {**extras.pod_labels, **labels}}
    if extras.pod_annotations:
        metadata["annotations"] = extras.pod_annotations
    return {
        "replicas": replicas,
        "revisionHistoryLimit": 2,
        "progressDeadlineSeconds": _STARTING_SECONDS,
        "strategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
        },
        "selector": {"matchLabels": selector},
        "template": {"metadata": metadata, "spec": pod},
    }


def _asked_spread(extras: PodExtras, selector: dict[str, str]) -> list[JsonObject]:
    own = {"labelSelector": {"matchLabels": selector}}
    return [own | constraint for constraint in extras.topology_spread_constraints]


def _usual_spread(selector: dict[str, str]) -> list[JsonObject]:
    """Over zones and machines, as far as there are several."""
    return [
        {
            "maxSkew": 1,
            "topologyKey": key,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": selector},
        }
        for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
    ]


def _pod(
    settings: ApiSettings,
    *,
    account: str,
    served: list[str],
    ports: list[tuple[str, int]],
    resources: JsonObject,
    room: str,
) -> JsonObject:
    """A pod that the restricted profile of pod security admits."""
    pod: JsonObject = {
        "serviceAccountName": account,
        "automountServiceAccountToken": True,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 30,
        "securityContext": CONFINED_POD,
        "containers": [_container(settings, served, ports, resources)],
        "volumes": rooms(room, "64Mi"),
    }
    if settings.tls_secret:
        secret = {"secretName": settings.tls_secret, "defaultMode": 0o440}
        pod["volumes"].append({"name": "tls", "secret": secret})
    if settings.pull_secrets:
        pod["imagePullSecrets"] = [{"name": name} for name in settings.pull_secrets]
    return pod | _placed(settings.extras)


def _placed(extras: PodExtras) -> JsonObject:
    """On which machines, and before whom."""
    asked = {
        "nodeSelector": extras.node_selector,
        "tolerations": extras.tolerations,
        "affinity": extras.affinity,
        "priorityClassName": extras.priority_class_name,
    }
    return {name: value for name, value in asked.items() if value}


def _environment(settings: ApiSettings) -> list[JsonObject]:
    """Settings of the process that are not as it has them anyway."""
    usual = ApiSettings(image=settings.image)
    given = {
        "THV_TLS_CERT": f"{TLS_FOLDER}/tls.crt" if settings.tls_secret else "",
        "THV_TLS_KEY": f"{TLS_FOLDER}/tls.key" if settings.tls_secret else "",
        "THV_CORS_ORIGINS": ",".join(settings.cors_origins),
        "THV_ACCEPT_CLUSTER_AUDIENCE": "true" if settings.accept_cluster_audience else "",
        "THV_ACCESS_LOG": "" if settings.access_log else "false",
        "THV_TRACES": settings.traces.endpoint if settings.traces else "",
        "THV_TRACES_RATIO": f"{settings.traces.ratio:g}" if settings.traces else "",
        "THV_LOG_LEVEL": settings.log_level if settings.log_level != usual.log_level else "",
        "THV_LOG_FORMAT": settings.log_format if settings.log_format != usual.log_format else "",
    }
    return [{"name": name, "value": value} for name, value in given.items() if value]


def _container(
    settings: ApiSettings, served: list[str], ports: list[tuple[str, int]], resources: JsonObject
) -> JsonObject:
    container: JsonObject = {
        "name": CONTAINER,
        "image": settings.image,
        "args": [
            "registry-api",
            *served,
            *("--listen", f"$(POD_IP):{HTTP_PORT}"),
            *("--listen-operations", f"$(POD_IP):{METRICS_PORT}"),
        ],
        "env": [
            from_pod("POD_IP", "status.podIP"),
            *_environment(settings),
        ],
        "ports": [port(name, number) for name, number in ports],
        "startupProbe": _probe(settings, "/healthz", every=1, failures=_STARTING_SECONDS),
        "livenessProbe": _probe(settings, "/healthz", every=10, failures=6),
        "readinessProbe": _probe(settings, "/readyz", every=2, failures=3),
        "resources": resources,
        "securityContext": CONFINED_CONTAINER,
        "volumeMounts": list(MOUNTS),
    }
    if settings.tls_secret:
        mount = {"name": "tls", "mountPath": TLS_FOLDER, "readOnly": True}
        container["volumeMounts"].append(mount)
    if settings.pull_policy:
        container["imagePullPolicy"] = settings.pull_policy
    return container


def _probe(settings: ApiSettings, path: str, *, every: int, failures: int) -> JsonObject:
    get: JsonObject = {"path": path, "port": "metrics"}
    if settings.tls_secret:
        get["scheme"] = "HTTPS"
    return {
        "httpGet": get,
        "periodSeconds": every,
        "timeoutSeconds": 3,
        "failureThreshold": failures,
    }


# Resources -------------------------------------------------------------------------------------------------


def resources_of(default: Resources, asked: Resources | None) -> JsonObject:
    """What is asked for, the default for the rest.

    A default gives way where it contradicts what was asked: a request is never above its limit.
    """
    requests = _merged(default.requests, asked.requests if asked else None)
    limits = _merged(default.limits, asked.limits if asked else None)
    asked_requests = _merged(None, asked.requests if asked else None)
    for name in requests.keys() & limits.keys():
        if amount(requests[name]) <= amount(limits[name]):
            continue
        if name in asked_requests:
            limits[name] = limits[name] if _is_asked(asked, name) else requests[name]
        else:
            requests[name] = limits[name]
    found = {"requests": requests, "limits": limits}
    return {key: values for key, values in found.items() if values}


def _is_asked(asked: Resources | None, name: str) -> bool:
    return name in _merged(None, asked.limits if asked else None)


def _merged(default: Quantities | None, asked: Quantities | None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for quantities in (default, asked):
        if quantities is not None:
            given = {"cpu": quantities.cpu, "memory": quantities.memory}
            found |= {name: value for name, value in given.items() if value is not None}
    return found

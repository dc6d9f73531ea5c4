"""Names, labels and owners of the objects that serve registries."""

from __future__ import annotations

from thv.domain.canonical import JsonObject
from thv.domain.registry import Registry
from thv.domain.registry_status import ApiPhase
from thv.domain.resources import MCP_REGISTRY, PREFIX, Kind, label, labels_of, metadata_of
from thv.sync.serving.settings import ApiSettings, Mode

MANAGER = "toolhive-registry"
APP = "registry-api"
SHARED = "registry-api-shared"
"""Names everything that shared registries of a namespace have in common; no registry's own objects can be named so,
as those end with `-api`."""

NAME, INSTANCE = "app.kubernetes.io/name", "app.kubernetes.io/instance"
MANAGED_BY = "app.kubernetes.io/managed-by"
COMPONENT = PREFIX + "component"
REGISTRY_NAME, REGISTRY_NAMESPACE = PREFIX + "registry-name", PREFIX + "registry-namespace"
TRUST_LEVEL = PREFIX + "trust-level"
REGISTRY_ACCESS = PREFIX + "registry-access"
CONFIG_HASH = PREFIX + "config-hash"

HTTP_PORT, METRICS_PORT = 8080, 8081

MADE = frozenset({ApiPhase.DEPLOYING, ApiPhase.READY, ApiPhase.UNHEALTHY})
"""Phases of an API whose objects are all there."""


def api_name(registry: str) -> str:
    """The name of everything that serves this registry alone."""
    return f"{registry}-api"


def endpoint_of(registry: Registry, settings: ApiSettings) -> str:
    """Where clients in the cluster find the API."""
    return f"{scheme_of(settings)}://{api_name(registry.name)}.{registry.namespace}.svc:{HTTP_PORT}"


def scheme_of(settings: ApiSettings) -> str:
    """What API pods speak."""
    return "https" if settings.tls_secret else "http"


def mode_of(registry: Registry, settings: ApiSettings) -> Mode:
    """How this registry is served."""
    return registry.spec.api.mode or settings.mode


def selector_of(registry: str) -> dict[str, str]:
    """Selects the pods that serve this registry alone; never changes, as a Deployment could not follow."""
    return {NAME: APP, INSTANCE: registry}


SHARED_SELECTOR = {NAME: SHARED, INSTANCE: SHARED}
"""Selects the shared pods of a namespace; another name, as a registry may be called like the instance."""


def own_labels(registry: Registry) -> dict[str, str]:
    """On what belongs to one registry."""
    return {
        **selector_of(registry.name),
        MANAGED_BY: MANAGER,
        COMPONENT: "api",
        REGISTRY_NAME: registry.name,
        REGISTRY_NAMESPACE: registry.namespace,
    }


def shared_labels(namespace: str) -> dict[str, str]:
    """On what all shared registries of a namespace have in common."""
    return {
        **SHARED_SELECTOR,
        MANAGED_BY: MANAGER,
        COMPONENT: "api",
        REGISTRY_NAMESPACE: namespace,
    }


def head(kind: Kind, namespace: str, name: str, labels: dict[str, str]) -> JsonObject:
    """The beginning of an object."""
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
    }


def owned_head(kind: Kind, registry: Registry) -> JsonObject:
    """The beginning of an object that goes when its registry goes."""
    obj = head(kind, registry.namespace, api_name(registry.name), own_labels(registry))
    obj["metadata"]["ownerReferences"] = [owner_reference(registry)]
    return obj


def owner_reference(registry: Registry) -> JsonObject:
    """Has the garbage collector remove the object after its registry, and never makes the registry wait."""
    return {
        "apiVersion": MCP_REGISTRY.api_version,
        "kind": MCP_REGISTRY.kind,
        "name": registry.name,
        "uid": registry.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }


def controller_of(obj: JsonObject) -> JsonObject:
    """The owner reference that controls the object, `{}` without one."""
    references = metadata_of(obj).get("ownerReferences") or []
    return next((each for each in references if each.get("controller")), {})


def is_shared(obj: JsonObject) -> bool:
    """Whether it is one of ours that no registry owns."""
    labels = labels_of(obj)
    return (
        labels.get(MANAGED_BY) == MANAGER
        and labels.get(NAME) == SHARED
        and not label(obj, "registry-name")
        and not controller_of(obj)
    )

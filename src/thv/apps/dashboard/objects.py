"""What a registry owns on a cluster, by the names that are given to it: nothing is read for it.

In the flow: from the manifest and the count of chunks to the page of a registry, for whoever goes on with kubectl.
"""

from __future__ import annotations

import msgspec

from thv.apps.dashboard.wording import plural
from thv.domain.canonical import JsonObject
from thv.domain.lenient import as_object
from thv.domain.resources import name_of, namespace_of
from thv.sync.serving.names import REGISTRY_NAME, SHARED, api_name

_ALONE = (
    ("Deployment", "the pods of its API"),
    ("Service", "where clients of the cluster find its API"),
    ("ServiceAccount", "who its pods are"),
    ("Role", "what they may read"),
    ("RoleBinding", "gives them that right"),
    ("NetworkPolicy", "who may reach them"),
)
_SEVERAL = ("PodDisruptionBudget", "keeps one of them while nodes are emptied")


class Owned(msgspec.Struct, frozen=True):
    """One object, or several of a kind."""

    kind: str
    name: str
    purpose: str


def owned_by(manifest: JsonObject, chunks: int) -> list[Owned]:
    """What belongs to the registry, its content first."""
    spec = as_object(manifest.get("spec"))
    content = Owned(
        "ConfigMap",
        f"{plural(chunks, 'chunk')} of it",
        "its content, compressed, and what it leaves out",
    )
    return [*([content] if chunks else []), *_api(name_of(manifest), as_object(spec.get("api")))]


def _api(registry: str, api: JsonObject) -> list[Owned]:
    if api.get("enabled") is False:
        return []
    name = api_name(registry)
    if api.get("mode") == "shared":
        pods = Owned("Deployment", SHARED, "the pods that serve it and others of the namespace")
        return [pods, Owned("Service", name, dict(_ALONE)["Service"])]
    replicas = api.get("replicas", 1)
    several = (_SEVERAL,) if isinstance(replicas, int) and replicas > 1 else ()
    return [Owned(kind, name, purpose) for kind, purpose in (*_ALONE, *several)]


def command_of(manifest: JsonObject, objects: list[Owned]) -> str:
    """Shows them, as far as one may read them."""
    kinds = ",".join(dict.fromkeys(each.kind.lower() for each in objects))
    label = f"{REGISTRY_NAME}={name_of(manifest)}"
    return f"kubectl -n {namespace_of(manifest)} get {kinds} -l {label}"

"""What Linkerd makes of its manifests, as far as the examples use them; other words of them are an error here."""

from __future__ import annotations

from tests.mesh.rendered import Caller, Manifests, Pod, of_kind, selects
from thv.domain.canonical import JsonObject

GROUP = "policy.linkerd.io"
TUNNEL = 4143
"""Where connections of the mesh come in, whatever port they are for."""
CONTROL_PLANE = {"kubernetes.io/metadata.name": "linkerd"}
_EVERYWHERE = [{"cidr": "0.0.0.0/0"}, {"cidr": "::/0"}]


def admits(objects: Manifests, caller: Caller | None, pod: Pod, port: int) -> bool | None:
    """Whether a connection reaches the port; None where the default policy of the mesh decides."""
    about = [obj for obj in of_kind(objects, "Server") if _is_port(obj, pod, port)]
    if not about:
        return None
    (server,) = about  # Linkerd refuses servers that overlap
    policies = [
        obj["spec"]
        for obj in of_kind(objects, "AuthorizationPolicy")
        if _named(objects, obj, obj["spec"]["targetRef"]) == server
    ]
    assert policies, f"nobody reaches {server['metadata']['name']}"
    return any(
        all(
            _is_known(_named(objects, server, each), caller)
            for each in spec["requiredAuthenticationRefs"]
        )
        for spec in policies
    )


def _is_port(server: JsonObject, pod: Pod, port: int) -> bool:
    """By its name, which the manifest of the pod must have."""
    spec = server["spec"]
    return selects(server, spec["podSelector"], pod) and pod.named.get(spec["port"]) == port


def _named(objects: Manifests, near: JsonObject, reference: JsonObject) -> JsonObject:
    """What is referred to, in the same namespace."""
    assert reference["group"] == GROUP
    (found,) = [
        obj
        for obj in of_kind(objects, reference["kind"])
        if obj["metadata"]
        == {"name": reference["name"], "namespace": near["metadata"]["namespace"]}
    ]
    return found


def _is_known(authentication: JsonObject, caller: Caller | None) -> bool:
    match authentication:
        case {"kind": "NetworkAuthentication", "spec": {"networks": networks}}:
            assert networks == _EVERYWHERE
            return True
        case {"kind": "MeshTLSAuthentication", "spec": {"identityRefs": references}}:
            return caller is not None and any(_is(each, caller) for each in references)
        case _:
            raise AssertionError(authentication)


def _is(reference: JsonObject, caller: Caller) -> bool:
    match reference:
        case {"kind": "Namespace", "name": name, **more} if not more:
            return caller == Caller(name, caller.account)
        case {"kind": "ServiceAccount", "name": name, "namespace": namespace, **more} if not more:
            return caller == Caller(namespace, name)
        case _:
            raise AssertionError(reference)

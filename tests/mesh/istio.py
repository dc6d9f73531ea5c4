"""What Istio makes of its manifests, as far as the examples use them; other words of them are an error here."""

from __future__ import annotations

from tests.mesh.rendered import Caller, Manifests, Pod, of_kind, selects
from thv.domain.canonical import JsonObject

TRUST_DOMAIN = "cluster.local"
TUNNEL = 15008
"""Where connections of ambient mode come in, whatever port they are for."""
CONTROL_PLANE = {"kubernetes.io/metadata.name": "istio-system"}


def admits(objects: Manifests, caller: Caller | None, pod: Pod, port: int) -> bool:
    """Whether a connection reaches the port; `None` calls from outside of the mesh."""
    modes = {_mode(each["spec"], port) for each in _about(objects, "PeerAuthentication", pod)}
    assert len(modes) == 1, "the oldest of several would count"
    if caller is None and modes == {"STRICT"}:
        return False
    policies = _about(objects, "AuthorizationPolicy", pod)
    assert {each["spec"]["action"] for each in policies} == {"ALLOW"}
    rules = [rule for each in policies for rule in each["spec"]["rules"]]
    return any(_fits(rule, caller, port) for rule in rules)


def _about(objects: Manifests, kind: str, pod: Pod) -> Manifests:
    return [obj for obj in of_kind(objects, kind) if selects(obj, obj["spec"]["selector"], pod)]


def _mode(spec: JsonObject, port: int) -> str:
    found: str = spec["portLevelMtls"].get(str(port), spec["mtls"])["mode"]
    return found


def _fits(rule: JsonObject, caller: Caller | None, port: int) -> bool:
    assert rule.keys() <= {"from", "to"}, rule
    sources = [each["source"] for each in rule.get("from", [])]
    operations = [each["operation"] for each in rule["to"]]
    return (not sources or any(_is_source(each, caller) for each in sources)) and any(
        _is_operation(each, port) for each in operations
    )


def _is_source(source: JsonObject, caller: Caller | None) -> bool:
    """Callers without a certificate are in no namespace."""
    match source:
        case {"namespaces": namespaces, **more} if not more:
            return caller is not None and caller.namespace in namespaces
        case {"principals": principals, **more} if not more:
            return caller is not None and _principal(caller) in principals
        case _:
            raise AssertionError(source)


def _principal(caller: Caller) -> str:
    return f"{TRUST_DOMAIN}/ns/{caller.namespace}/sa/{caller.account}"


def _is_operation(operation: JsonObject, port: int) -> bool:
    """Ports alone: where nobody reads HTTP, a rule about methods or paths lets nobody in."""
    match operation:
        case {"ports": ports, **more} if not more:
            return str(port) in ports
        case {"notPorts": ports, **more} if not more:
            return str(port) not in ports
        case _:
            raise AssertionError(operation)

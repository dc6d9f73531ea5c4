"""How an API is reached, and what its pods reach; pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from thv.domain.canonical import JsonObject
from thv.domain.registry import Registry
from thv.domain.resources import DISRUPTION_BUDGET, NETWORK_POLICY, SERVICE
from thv.sync.serving.names import (
    HTTP_PORT,
    METRICS_PORT,
    REGISTRY_ACCESS,
    SHARED,
    SHARED_SELECTOR,
    TRUST_LEVEL,
    head,
    owned_head,
    scheme_of,
    selector_of,
    shared_labels,
)
from thv.sync.serving.settings import ApiSettings, Dns, Traces

SHARED_PORTS = range(20000, 30000)
"""Where shared pods listen, one port a registry."""

Address = tuple[str, int]


def service(registry: Registry, settings: ApiSettings, target_port: int | None) -> JsonObject:
    """The address of one registry; `target_port` is its port of the shared pods, None: it has pods of its own."""
    scheme = scheme_of(settings)
    found = owned_head(SERVICE, registry)
    found["metadata"]["labels"][TRUST_LEVEL] = registry.spec.trust_level.value
    found["spec"] = {
        "type": "ClusterIP",
        "selector": selector_of(registry.name) if target_port is None else SHARED_SELECTOR,
        "ports": [
            {
                "name": scheme,
                "port": HTTP_PORT,
                "protocol": "TCP",
                "targetPort": "http" if target_port is None else target_port,
                "appProtocol": scheme,
            }
        ],
    }
    return found


def target_port_of(live: JsonObject) -> int | None:
    """The port of the shared pods that a Service leads to; None when it leads elsewhere."""
    ports = (live.get("spec") or {}).get("ports") or []
    found = next((each.get("targetPort") for each in ports if each.get("port") == HTTP_PORT), None)
    return found if isinstance(found, int) and found in SHARED_PORTS else None


def own_budget(registry: Registry) -> JsonObject:
    """Keeps a drain from taking all pods of a registry at once."""
    return owned_head(DISRUPTION_BUDGET, registry) | _budget(selector_of(registry.name))


def shared_budget(namespace: str) -> JsonObject:
    """Keeps a drain from taking all shared pods at once."""
    budget = head(DISRUPTION_BUDGET, namespace, SHARED, shared_labels(namespace))
    return budget | _budget(SHARED_SELECTOR)


def _budget(selector: Mapping[str, str]) -> JsonObject:
    """Pods that are not ready anyway hold up no drain."""
    return {
        "spec": {
            "maxUnavailable": 1,
            "selector": {"matchLabels": selector},
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        }
    }


# Network policies ------------------------------------------------------------------------------------------


def own_policy(
    registry: Registry, settings: ApiSettings, api_server: Sequence[Address]
) -> JsonObject:
    """Who reaches the pods of one registry, and whom they reach."""
    served = {"port": HTTP_PORT, "protocol": "TCP"}
    policy = owned_head(NETWORK_POLICY, registry)
    return policy | _policy(selector_of(registry.name), served, settings, api_server)


def shared_policy(
    namespace: str, settings: ApiSettings, api_server: Sequence[Address]
) -> JsonObject:
    """Who reaches the shared pods of a namespace, and whom they reach."""
    served = {"port": SHARED_PORTS[0], "endPort": SHARED_PORTS[-1], "protocol": "TCP"}
    policy = head(NETWORK_POLICY, namespace, SHARED, shared_labels(namespace))
    return policy | _policy(SHARED_SELECTOR, served, settings, api_server)


def _policy(
    selector: Mapping[str, str],
    served: JsonObject,
    settings: ApiSettings,
    api_server: Sequence[Address],
) -> JsonObject:
    ingress = [{"from": _callers(settings), "ports": [served]}]
    if settings.metrics_namespaces:
        readers = [_namespaces(dict(settings.metrics_namespaces))]
        ingress.append({"from": readers, "ports": [{"port": METRICS_PORT, "protocol": "TCP"}]})
    return {
        "spec": {
            "podSelector": {"matchLabels": selector},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": ingress,
            "egress": [
                _to_dns(settings.dns),
                *_to_api_server(api_server),
                *_to_collector(settings.traces),
            ],
        }
    }


def _callers(settings: ApiSettings) -> list[JsonObject]:
    """The same namespace, the operator's, and those that an administrator admits."""
    return [
        {"podSelector": {}},
        _namespaces({"kubernetes.io/metadata.name": settings.operator_namespace}),
        _namespaces({REGISTRY_ACCESS: "true"}),
    ]


def _namespaces(labels: Mapping[str, str]) -> JsonObject:
    return {"namespaceSelector": {"matchLabels": labels}}


def _to_dns(dns: Dns) -> JsonObject:
    pods: dict[str, Any] = _namespaces({"kubernetes.io/metadata.name": dns.namespace})
    if dns.pods:
        pods["podSelector"] = {"matchLabels": dict(dns.pods)}
    ports = [{"port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")]
    return {"to": [pods, *(_block(network) for network in dns.addresses)], "ports": ports}


def _to_collector(traces: Traces | None) -> list[JsonObject]:
    if traces is None:
        return []
    ports = [{"port": traces.port, "protocol": "TCP"}]
    return [{"to": [_namespaces(dict(traces.namespaces))], "ports": ports}]


def _to_api_server(addresses: Iterable[Address]) -> list[JsonObject]:
    """One rule a port; where no address is known, the usual ports of API servers anywhere."""
    by_port: dict[int, list[JsonObject]] = {}
    for host, port in sorted(set(addresses)):
        by_port.setdefault(port, []).append(_block(host))
    rules = [
        {"to": blocks, "ports": [{"port": port, "protocol": "TCP"}]}
        for port, blocks in sorted(by_port.items())
    ]
    anywhere: JsonObject = {"ports": [{"port": port, "protocol": "TCP"} for port in (443, 6443)]}
    return rules or [anywhere]


def _block(network: str) -> JsonObject:
    """A network, or a single address as one."""
    return {"ipBlock": {"cidr": str(ipaddress.ip_network(network, strict=False))}}


def addresses_of(endpoints: JsonObject) -> tuple[Address, ...]:
    """The addresses and ports that `Endpoints` hold; what is no address is left out."""
    found: set[Address] = set()
    for subset in endpoints.get("subsets") or []:
        hosts = [str(each.get("ip")) for each in subset.get("addresses") or []]
        ports = [each.get("port") for each in subset.get("ports") or []]
        found |= {(host, port) for host in hosts for port in ports if is_address(host)}
    return tuple(sorted(found))


def is_address(host: str) -> bool:
    """Whether it is an IP address, and no name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True

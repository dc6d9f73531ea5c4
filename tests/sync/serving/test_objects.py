"""What is made for a registry; the objects as a whole are files that one reads."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.builders import registry
from thv.domain.canonical import JsonObject
from thv.domain.quantities import amount, same_amount
from thv.domain.registry import Quantities, Resources
from thv.sync.serving.names import endpoint_of
from thv.sync.serving.network import (
    addresses_of,
    own_budget,
    own_policy,
    service,
    shared_budget,
    shared_policy,
    target_port_of,
)
from thv.sync.serving.pods import own_deployment, resources_of, shared_deployment
from thv.sync.serving.roles import (
    own_account,
    own_binding,
    own_role,
    shared_account,
    shared_binding,
    shared_role,
)
from thv.sync.serving.settings import ApiSettings, Dns, PodExtras, Traces

GOLDEN = Path(__file__).parents[2] / "data" / "output" / "serving"
SETTINGS = ApiSettings(image="ghcr.io/example/registry:1.0.0")
ADDRESSES = (("10.96.0.1", 443), ("192.168.7.2", 6443), ("fd00::2", 6443))


class _Plain(yaml.SafeDumper):
    """YAML without references to what was said before."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def check_golden(name: str, objects: list[JsonObject]) -> None:
    """Compares with tests/data/output/serving/NAME.yaml; THV_UPDATE=1 writes it, and you read the diff."""
    path = GOLDEN / f"{name}.yaml"
    text = yaml.dump_all(objects, Dumper=_Plain, sort_keys=False, width=100)
    if os.environ.get("THV_UPDATE"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"{path} is missing; run with THV_UPDATE=1 and read what it writes"
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.requirement("API-01")
def test_a_registry_gets_all_that_serves_it() -> None:
    corp = registry(api={"replicas": 2}, trustLevel="tested")
    check_golden(
        "dedicated",
        [
            own_role(corp, "dedicated", ["corp-s-0011223344556677"]),
            own_account(corp),
            own_binding(corp, "dedicated"),
            own_policy(corp, SETTINGS, ADDRESSES),
            own_budget(corp),
            service(corp, SETTINGS, None),
            own_deployment(corp, SETTINGS),
        ],
    )


def test_shared_registries_have_pods_in_common_and_a_service_each() -> None:
    corp = registry(api={"mode": "shared"})
    settings = ApiSettings(
        image="ghcr.io/example/registry:1.0.0",
        pull_policy="Always",
        pull_secrets=("pull",),
        dns=Dns(namespace="dns", pods=(), addresses=("169.254.20.10/32",)),
        metrics_namespaces=(("monitoring", "true"),),
        shared_replicas=2,
    )
    check_golden(
        "shared",
        [
            shared_role("team"),
            shared_account("team"),
            shared_binding("team"),
            shared_policy("team", settings, ()),
            shared_budget("team"),
            shared_deployment("team", settings),
            own_role(corp, "shared", ["corp-s-0011223344556677"]),
            own_binding(corp, "shared"),
            service(corp, settings, 20007),
        ],
    )


def test_what_an_administrator_decides_reaches_the_pods() -> None:
    settings = ApiSettings(
        image="ghcr.io/example/registry:1.0.0",
        tls_secret="api-tls",
        cors_origins=("https://a.example", "https://b.example"),
        accept_cluster_audience=True,
        access_log=False,
        log_level="DEBUG",
        log_format="json",
        traces=Traces(
            endpoint="http://collector:4318", port=4318, ratio=0.5, namespaces=(("a", "b"),)
        ),
        resources=Resources(requests=Quantities(cpu="1", memory="1Gi")),
        extras=PodExtras(
            pod_labels={"team": "platform", "app.kubernetes.io/name": "mine"},
            pod_annotations={"example.com/scrape": "true"},
            node_selector={"pool": "apps"},
            tolerations=[{"key": "apps", "operator": "Exists"}],
            affinity={"nodeAffinity": {}},
            topology_spread_constraints=[
                {"maxSkew": 2, "topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule"}
            ],
            priority_class_name="high",
        ),
    )
    check_golden(
        "secured",
        [
            service(registry(), settings, None),
            own_policy(registry(), settings, ADDRESSES),
            own_deployment(registry(), settings),
            service(registry(), settings, 20007),
            shared_deployment("team", settings),
        ],
    )
    assert endpoint_of(registry(), settings) == "https://corp-api.default.svc:8080"
    assert endpoint_of(registry(), SETTINGS) == "http://corp-api.default.svc:8080"


def test_one_pod_is_not_spread() -> None:
    pod = own_deployment(registry(), SETTINGS)["spec"]["template"]["spec"]
    assert "topologySpreadConstraints" not in pod


def test_the_selector_is_the_same_for_every_spec() -> None:
    specs: list[JsonObject] = [{}, {"api": {"replicas": 3}}, {"trustLevel": "trusted"}]
    selectors = [
        own_deployment(registry(**spec), SETTINGS)["spec"]["selector"]["matchLabels"]
        for spec in specs
    ]
    assert selectors == [selectors[0]] * 3


def test_pods_of_a_registry_that_is_called_like_the_shared_ones_are_its_own() -> None:
    shared = shared_deployment("default", SETTINGS)["spec"]["selector"]["matchLabels"]
    own = own_deployment(registry("registry-api-shared"), SETTINGS)["spec"]
    assert not shared.items() <= own["template"]["metadata"]["labels"].items()


def test_a_role_without_chunks_gives_no_configmap() -> None:
    """A rule without names would give all of them."""
    for mode in ("dedicated", "shared"):
        rules = own_role(registry(), mode, [])["rules"]
        assert not [rule for rule in rules if "configmaps" in rule["resources"]]


def test_no_role_gives_secrets_or_a_wildcard() -> None:
    for role in (own_role(registry(), "dedicated", ["corp-s-1"]), shared_role("team")):
        for rule in role["rules"]:
            assert "secrets" not in rule["resources"]
            assert "*" not in [*rule["verbs"], *rule["resources"], *rule["apiGroups"]]
            assert set(rule["verbs"]) <= {"get", "list", "watch"}


# Resources -------------------------------------------------------------------------------------------------

DEFAULT = Resources(
    requests=Quantities(cpu="50m", memory="64Mi"), limits=Quantities(memory="128Mi")
)


@pytest.mark.parametrize(
    ("asked", "requests", "limits"),
    [
        pytest.param(
            None, {"cpu": "50m", "memory": "64Mi"}, {"memory": "128Mi"}, id="nothing asked"
        ),
        pytest.param(
            Resources(limits=Quantities(memory="1Gi", cpu=1)),
            {"cpu": "50m", "memory": "64Mi"},
            {"cpu": 1, "memory": "1Gi"},
            id="larger limits",
        ),
        pytest.param(
            Resources(limits=Quantities(memory="32Mi")),
            {"cpu": "50m", "memory": "32Mi"},
            {"memory": "32Mi"},
            id="the default request gives way to a lower limit",
        ),
        pytest.param(
            Resources(requests=Quantities(memory="512Mi")),
            {"cpu": "50m", "memory": "512Mi"},
            {"memory": "512Mi"},
            id="the default limit gives way to a higher request",
        ),
        pytest.param(
            Resources(requests=Quantities(memory="2Gi"), limits=Quantities(memory="1Gi")),
            {"cpu": "50m", "memory": "2Gi"},
            {"memory": "1Gi"},
            id="a contradiction of the spec itself is for the cluster to refuse",
        ),
    ],
)
def test_resources_are_those_of_the_spec_over_the_default(
    asked: Resources | None, requests: JsonObject, limits: JsonObject
) -> None:
    assert resources_of(DEFAULT, asked) == {"requests": requests, "limits": limits}


@pytest.mark.parametrize(
    ("one", "other"),
    [("1", 1), ("0.5", "500m"), ("1024Mi", "1Gi"), ("1e3", "1k"), ("2", "2000m"), ("100M", "1e8")],
)
def test_equal_amounts_are_equal_however_they_are_written(one: str | int, other: str | int) -> None:
    assert same_amount(one, other)


def test_different_amounts_differ() -> None:
    assert not same_amount("1G", "1Gi")
    assert not same_amount("1", "much")
    assert amount("1Ki") == 1024


# Addresses -------------------------------------------------------------------------------------------------


@pytest.mark.requirement("OPS-02")
def test_pods_reach_names_and_the_api_server_and_nothing_else() -> None:
    spec = own_policy(registry(), SETTINGS, ADDRESSES)["spec"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    ports = [[port["port"] for port in rule["ports"]] for rule in spec["egress"]]
    assert ports == [[53, 53], [443], [6443]]
    reached = [each for rule in spec["egress"][1:] for each in rule["to"]]
    blocks = [each["ipBlock"]["cidr"] for each in reached]
    assert blocks == ["10.96.0.1/32", "192.168.7.2/32", "fd00::2/128"]


def test_addresses_come_from_every_subset() -> None:
    endpoints = {
        "subsets": [
            {"addresses": [{"ip": "10.0.0.2"}, {"ip": "10.0.0.1"}], "ports": [{"port": 6443}]},
            {"addresses": [{"ip": "fd00::1"}], "ports": [{"port": 443}]},
            {"notReadyAddresses": [{"ip": "10.0.0.9"}], "ports": [{"port": 6443}]},
        ]
    }
    assert addresses_of(endpoints) == (("10.0.0.1", 6443), ("10.0.0.2", 6443), ("fd00::1", 443))
    assert addresses_of({}) == ()


def test_without_an_address_the_ports_of_api_servers_are_open() -> None:
    egress = own_policy(registry(), SETTINGS, ())["spec"]["egress"]
    assert egress[1:] == [
        {"ports": [{"port": 443, "protocol": "TCP"}, {"port": 6443, "protocol": "TCP"}]}
    ]


def test_a_service_tells_the_shared_port_it_leads_to() -> None:
    assert target_port_of(service(registry(), SETTINGS, 20007)) == 20007
    assert target_port_of(service(registry(), SETTINGS, None)) is None
    assert target_port_of({}) is None

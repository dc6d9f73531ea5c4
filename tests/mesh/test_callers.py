"""Policies of a mesh are about the pods, ports and accounts that the code renders, and let in whom they should."""

from __future__ import annotations

from types import ModuleType

import pytest

from tests.mesh import istio, linkerd
from tests.mesh.rendered import (
    EXAMPLES,
    TEAM,
    Caller,
    Manifests,
    Pod,
    installed,
    manifests,
    of_kind,
    pods,
    selects,
)

pytestmark = pytest.mark.requirement("OPS-08")

ISTIO, LINKERD = ("istio.yaml", "istio-system.yaml"), ("linkerd.yaml", "linkerd-system.yaml")
MESHES = [
    pytest.param(istio, ISTIO, "istio-ingress", id="istio"),
    pytest.param(linkerd, LINKERD, "ingress-nginx", id="linkerd"),
]
OWN, SHARED, CATALOG, OPERATOR = "own", "shared", "catalog", "operator"
PODS = pods()
OPERATIONS = 8081
SELECTED = {
    "PeerAuthentication": "selector",
    "AuthorizationPolicy": "selector",
    "Server": "podSelector",
    "NetworkPolicy": "podSelector",
}


def callers(gateway: str) -> dict[str, Caller | None]:
    return {
        "the operator": PODS[OPERATOR].caller,
        "a neighbour": Caller(TEAM, "agent"),
        "a stranger": Caller("elsewhere", "agent"),
        "the gateway": Caller(gateway, "gateway"),
        "nobody known": None,
    }


def objects_of(files: tuple[str, ...]) -> Manifests:
    return [obj for file in files for obj in manifests(file)]


@pytest.mark.parametrize(("mesh", "files", "gateway"), MESHES)
@pytest.mark.parametrize(
    ("called", "expected"),
    [
        (OWN, {"the operator", "a neighbour"}),
        (SHARED, {"the operator", "a neighbour"}),
        (CATALOG, {"a neighbour", "the gateway"}),
    ],
)
def test_an_api_is_reached_by_those_who_are_named(
    mesh: ModuleType, files: tuple[str, ...], gateway: str, called: str, expected: set[str]
) -> None:
    pod, objects = PODS[called], objects_of(files)
    reach = {
        name: mesh.admits(objects, caller, pod, pod.api)
        for name, caller in callers(gateway).items()
    }
    if (mesh, called) == (linkerd, SHARED):  # no Server can name ports that come and go
        assert set(reach.values()) == {None}
    else:
        assert {name for name, is_admitted in reach.items() if is_admitted} == expected


@pytest.mark.parametrize(("mesh", "files", "gateway"), MESHES)
@pytest.mark.parametrize("pod", PODS.values(), ids=PODS)
def test_probes_and_prometheus_need_not_be_in_the_mesh(
    mesh: ModuleType, files: tuple[str, ...], gateway: str, pod: Pod
) -> None:
    assert pod.probed == {OPERATIONS}
    assert OPERATIONS in pod.named.values()
    for caller in callers(gateway).values():
        assert mesh.admits(objects_of(files), caller, pod, OPERATIONS)


def test_nobody_reaches_another_port_of_the_operator() -> None:
    objects = objects_of(ISTIO)
    for caller in callers("istio-ingress").values():
        assert not istio.admits(objects, caller, PODS[OPERATOR], 8080)


@pytest.mark.parametrize(("mesh", "files", "gateway"), MESHES)
def test_every_selector_is_about_pods_that_there_are(
    mesh: ModuleType, files: tuple[str, ...], gateway: str
) -> None:
    for obj in objects_of(files):
        selector = obj["spec"].get(SELECTED.get(obj["kind"], ""))
        assert selector is None or any(selects(obj, selector, pod) for pod in PODS.values()), obj


# ---------------------------------------------------------------- network policies


@pytest.mark.parametrize(("mesh", "files", "gateway"), MESHES)
@pytest.mark.parametrize("pod", PODS.values(), ids=PODS)
def test_network_policies_let_the_mesh_through_to_whom_they_let_others(
    mesh: ModuleType, files: tuple[str, ...], gateway: str, pod: Pod
) -> None:
    (usual,) = policies_about(installed(), pod)
    (opened,) = policies_about(objects_of(files), pod)
    # A policy only adds where another one already holds the pod to something.
    assert set(opened["policyTypes"]) == set(usual["policyTypes"]) == {"Ingress", "Egress"}
    tunnel = [rule for rule in opened["ingress"] if rule["ports"][0]["port"] == mesh.TUNNEL]
    assert [rule.get("from") for rule in tunnel] == [usual["ingress"][0].get("from")]
    (out,) = opened["egress"]
    assert out["to"] == [{"namespaceSelector": {"matchLabels": mesh.CONTROL_PLANE}}]


def policies_about(objects: Manifests, pod: Pod) -> Manifests:
    found = of_kind(objects, "NetworkPolicy")
    return [obj["spec"] for obj in found if selects(obj, obj["spec"]["podSelector"], pod)]


# ---------------------------------------------------------------- what a mesh finds


def test_the_api_server_calls_no_pod_of_ours() -> None:
    """It is in no mesh: what it called would have to be open to everybody."""
    objects = installed()
    calling = {"ValidatingWebhookConfiguration", "MutatingWebhookConfiguration", "APIService"}
    assert not {obj["kind"] for obj in objects} & calling
    for kind in of_kind(objects, "CustomResourceDefinition"):
        assert "conversion" not in kind["spec"]


def test_services_say_what_is_spoken_and_have_an_address() -> None:
    services = of_kind(installed(), "Service")
    assert {obj["metadata"]["name"] for obj in services} == {"quickstart-api", "thv-catalog"}
    for obj in services:
        assert [port["appProtocol"] for port in obj["spec"]["ports"]] == ["http"]
        assert obj["spec"].get("clusterIP") is None


def test_every_one_is_listed() -> None:
    listed = (EXAMPLES.parent / "README.md").read_text()
    assert {file.name for file in EXAMPLES.iterdir()} == {*ISTIO, *LINKERD}
    assert [name for name in (*ISTIO, *LINKERD) if f"`mesh/{name}`" not in listed] == []

"""The product on a cluster, as its users see it: kubectl, the Service of a registry, and nothing else."""

from __future__ import annotations

import json
import time
import urllib.error
from typing import Any

import pytest

from tests.apps.operator.conftest import SYSTEM
from tests.control_plane.cluster import Place
from tests.control_plane.plane import Json

pytestmark = pytest.mark.e2e

READY = "condition=Ready"
PATIENCE = 30.0


def entry(name: str) -> Json:
    return {
        "description": f"The server {name}",
        "tier": "Official",
        "status": "active",
        "transport": "stdio",
        "image": f"ghcr.io/example/{name}:1.0.0",
        "tools": ["look"],
    }


def content(name: str, *servers: str) -> Json:
    """A ConfigMap with a registry in it."""
    document = {"version": "1.0.0", "servers": {server: entry(server) for server in servers}}
    data = {"registry.json": json.dumps(document)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def registry(name: str, **spec: Any) -> Json:
    """A registry over the ConfigMap `<name>-data` that everybody may read."""
    source = {"type": "configmap", "configMap": {"name": f"{name}-data"}}
    return {
        "apiVersion": "toolhive.stacklok.io/v1alpha1",
        "kind": "MCPRegistry",
        "metadata": {"name": name},
        "spec": {"source": source, "api": {"anonymousRead": True}, **spec},
    }


def names(place: Place, service: str, **headers: str) -> list[str]:
    """What the API of a registry lists."""
    servers: dict[str, Any] = json.loads(place.ask(service, "/api/v1/servers", **headers))
    return sorted(server["name"].rpartition("/")[2] for server in servers["servers"])


def until(what: str, holds: Any) -> None:
    """Asks until it holds."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def conditions(place: Place, name: str) -> dict[str, str]:
    found = place.get("mcpreg", name).get("status", {}).get("conditions", [])
    return {each["type"]: f"{each['status']} {each['reason']}" for each in found}


@pytest.mark.requirement("API-01", "REG-01", "REG-10", "REG-13")
def test_two_manifests_give_a_registry_with_its_own_api(place: Place) -> None:
    place.apply(content("corp-data", "osv", "fetch"), registry("corp"))
    place.wait(READY, "mcpreg/corp")
    assert names(place, "corp-api") == ["fetch", "osv"]
    status = place.get("mcpreg", "corp")["status"]
    assert status["apiStatus"]["endpoint"] == f"http://corp-api.{place.namespace}.svc:8080"
    assert (status["serverCount"], status["phase"]) == (2, "Ready")
    for kind in ("deployment", "service", "serviceaccount", "role", "rolebinding", "networkpolicy"):
        (owner,) = place.get(kind, "corp-api")["metadata"]["ownerReferences"]
        assert owner["name"] == "corp"
    shown = place.kubectl("get", "mcpreg").splitlines()
    assert shown[0].split() == [
        *("NAME", "READY", "SERVERS", "TRUST", "LAST-SYNC", "REASON", "AGE"),
    ]
    assert max(map(len, shown)) <= 80
    assert "Synced" in place.kubectl("get", "events")


@pytest.mark.requirement("REG-02")
def test_an_edited_configmap_is_served_at_once(place: Place) -> None:
    place.apply(content("corp-data", "osv"), registry("corp"))
    place.wait(READY, "mcpreg/corp")
    place.apply(content("corp-data", "osv", "new"))
    until("the new server is served", lambda: names(place, "corp-api") == ["new", "osv"])


@pytest.mark.requirement("API-05")
def test_a_registry_answers_those_whom_the_cluster_lets_read_it(place: Place) -> None:
    place.apply(content("corp-data", "osv"), registry("corp", api={}))
    place.wait(READY, "mcpreg/corp")
    with pytest.raises(urllib.error.HTTPError) as stranger:
        names(place, "corp-api")
    assert stranger.value.code == 401
    place.kubectl("create", "serviceaccount", "reader")
    audience = f"corp-api.{place.namespace}.svc"
    token = place.kubectl("create", "token", "reader", "--audience", audience).strip()
    with pytest.raises(urllib.error.HTTPError) as nobody:
        names(place, "corp-api", Authorization=f"Bearer {token}")
    assert nobody.value.code == 403
    subject = f"--serviceaccount={place.namespace}:reader"
    place.kubectl("create", "rolebinding", "r", "--clusterrole=toolhive-registry-user", subject)

    def allowed() -> bool:
        try:
            return names(place, "corp-api", Authorization=f"Bearer {token}") == ["osv"]
        except urllib.error.HTTPError:
            return False

    until("the reader may read", allowed)


@pytest.mark.requirement("REG-11")
def test_registries_build_on_each_other_and_share_pods(place: Place) -> None:
    shared = {"mode": "shared", "anonymousRead": True}
    above = registry("above", api=shared, filter={"include": {"names": ["*osv"]}})
    above["spec"]["source"] = {"type": "registry", "registry": {"registryRef": {"name": "below"}}}
    place.apply(content("below-data", "osv", "fetch"), registry("below", api=shared), above)
    place.wait(READY, "mcpreg/below", "mcpreg/above")
    assert names(place, "below-api") == ["fetch", "osv"]
    assert names(place, "above-api") == ["osv"]
    history = place.get("mcpreg", "above")["status"]["syncStatus"]["history"]
    assert [each["outcome"] for each in history] == ["Succeeded"], "it waited, and did not fail"
    assert place.kubectl("get", "deployments", "-o", "name").split() == [
        "deployment.apps/registry-api-shared"
    ]
    place.apply(content("below-data", "fetch"))
    until("the filter lets nothing through", lambda: names(place, "above-api") == [])


@pytest.mark.requirement("REG-08", "SYN-01")
def test_a_suspended_registry_syncs_when_it_is_asked_to(place: Place) -> None:
    place.apply(
        content("corp-data", "osv"),
        registry("corp", syncPolicy={"enabled": False}, api={"enabled": False}),
    )
    until(
        "it says so", lambda: conditions(place, "corp").get("SyncSucceeded") == "Unknown Suspended"
    )
    place.kubectl("annotate", "mcpreg", "corp", "toolhive.stacklok.io/sync-requested-at=one")
    place.wait("jsonpath={.status.lastHandledSyncRequest}=one", "mcpreg/corp")
    assert place.get("mcpreg", "corp")["status"]["serverCount"] == 1


@pytest.mark.requirement("SYN-02")
def test_content_that_breaks_leaves_what_was_good(place: Place) -> None:
    place.apply(content("corp-data", "osv"), registry("corp"))
    place.wait(READY, "mcpreg/corp")
    broken = content("corp-data")
    broken["data"]["registry.json"] = "{"
    place.apply(broken)
    place.wait("condition=DataValid=false", "mcpreg/corp")
    assert conditions(place, "corp")["Ready"] == "True ServingLastGood"
    assert names(place, "corp-api") == ["osv"]


@pytest.mark.requirement("OPS-07")
def test_a_secret_is_read_only_where_its_namespace_lets_the_operator(place: Place) -> None:
    with_secret = registry("corp", api={"enabled": False})
    url = {"url": "https://registry.invalid/servers.json", "authSecret": {"name": "token"}}
    with_secret["spec"]["source"] = {"type": "url", "url": url}
    place.kubectl("create", "secret", "generic", "token", "--from-literal=token=s3cr3t-canary")
    place.apply(with_secret)
    place.wait("condition=SourceAvailable=false", "mcpreg/corp")
    assert conditions(place, "corp")["SourceAvailable"] == "False SecretForbidden"
    command = place.get("mcpreg", "corp")["status"]["syncStatus"]["error"]["message"]
    place.kubectl(*command.partition(": kubectl ")[2].split())
    place.kubectl("annotate", "mcpreg", "corp", "toolhive.stacklok.io/sync-requested-at=two")
    place.wait("jsonpath={.status.lastHandledSyncRequest}=two", "mcpreg/corp")
    assert conditions(place, "corp")["SourceAvailable"] == "False SourceUnreachable"
    everything = place.kubectl("get", "mcpreg,cm,events,deploy,role", "-o", "yaml")
    assert "s3cr3t-canary" not in everything
    (pod,) = Place(place.cluster, SYSTEM).kubectl("get", "pods", "-o", "name").split()
    assert "s3cr3t-canary" not in Place(place.cluster, SYSTEM).logs(pod.removeprefix("pod/"))


def test_a_deleted_registry_leaves_nothing(place: Place) -> None:
    place.apply(content("corp-data", "osv"), registry("corp"))
    place.wait(READY, "mcpreg/corp")
    place.kubectl("delete", "mcpreg", "corp")
    kinds = "deployments,services,roles,rolebindings,networkpolicies,configmaps,serviceaccounts"

    def left() -> set[str]:
        found = place.kubectl("get", kinds, "-o", "name").split()
        return {name for name in found if "corp" in name}

    until("nothing is left", lambda: left() == {"configmap/corp-data"})


def test_objects_that_somebody_changes_are_repaired(place: Place) -> None:
    place.apply(content("corp-data", "osv"), registry("corp"))
    place.wait(READY, "mcpreg/corp")
    patch = '{"spec":{"ports":[{"name":"http","port":8080,"targetPort":1}]}}'
    place.kubectl("patch", "service", "corp-api", "--type=merge", "-p", patch)
    place.kubectl("delete", "role", "corp-api")
    place.kubectl("delete", "cm", "-l", "toolhive.stacklok.io/component=snapshot")

    def repaired() -> bool:
        (port,) = place.get("service", "corp-api")["spec"]["ports"]
        there = place.kubectl("get", "role,cm", "-o", "name").split()
        chunks = [name for name in there if name.startswith("configmap/corp-s-")]
        return port["targetPort"] != 1 and any("corp-api" in n for n in there) and bool(chunks)

    until("service, role and chunk are back", repaired)
    until("it is told", lambda: "DriftRepaired" in place.kubectl("get", "events"))


@pytest.mark.requirement("SYN-03")
def test_the_operator_stays_small(place: Place) -> None:
    items = [
        item
        for number in range(30)
        for item in (
            content(f"many-{number}-data", *(f"server-{number}-{each}" for each in range(10))),
            registry(f"many-{number}", api={"enabled": False}),
        )
    ]
    place.apply(*items)
    place.wait(READY, "mcpreg", "--all", seconds=60)
    peaks = place.cluster.kubelet.peak_memory(SYSTEM)
    assert peaks
    assert max(peaks.values()) < 85 * 1024 * 1024


def test_a_killed_operator_goes_on(place: Place) -> None:
    system = Place(place.cluster, SYSTEM)
    (pod,) = system.kubectl("get", "pods", "-o", "name").split()
    place.cluster.kubelet.kill(SYSTEM, pod.removeprefix("pod/"))
    place.apply(content("corp-data", "osv"), registry("corp"))
    place.wait(READY, "mcpreg/corp", seconds=60)
    assert names(place, "corp-api") == ["osv"]

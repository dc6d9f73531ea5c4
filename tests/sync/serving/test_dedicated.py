"""Pods of a registry's own, on a real API server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from tests.control_plane.plane import ControlPlane
from tests.sync.serving.cluster import (
    Cluster,
    a_cluster,
    bind,
    images_rewritten,
    limited,
    pointer,
    serving,
    unbind,
)
from thv.domain.canonical import JsonObject
from thv.domain.registry import Resources
from thv.domain.registry_status import ApiPhase
from thv.domain.resources import (
    DEPLOYMENT,
    MCP_REGISTRY,
    NETWORK_POLICY,
    ROLE,
    SERVICE,
    SERVICE_ACCOUNT,
    Kind,
    labels_of,
    resource_version_of,
)
from thv.sync.serving.roles import chunks_allowed
from thv.sync.serving.settings import PodExtras

pytestmark = [pytest.mark.anyio, pytest.mark.e2e]

EVERYTHING = [
    "deployments/corp-api",
    "networkpolicies/corp-api",
    "rolebindings/corp-api",
    "roles/corp-api",
    "serviceaccounts/corp-api",
    "services/corp-api",
]


@pytest.fixture
async def cluster(control_plane: ControlPlane, anyio_backend: str) -> AsyncIterator[Cluster]:
    async with a_cluster(control_plane) as opened:
        yield opened


@pytest.mark.requirement("API-01")
async def test_a_registry_is_deployed_and_becomes_ready(cluster: Cluster) -> None:
    registry, state = await cluster.ensure(await cluster.registry())
    assert (state.status.phase, state.reason) == (ApiPhase.DEPLOYING, "Deploying")
    assert state.status.endpoint == f"http://corp-api.{cluster.namespace}.svc:8080"
    assert await cluster.owned() == EVERYTHING
    assert await cluster.subjects() == ["corp-api"]
    await cluster.make_ready()
    _, state = await cluster.ensure(registry)
    assert (state.status.phase, state.reason) == (ApiPhase.READY, "Available")
    assert (state.status.ready_replicas, state.status.message) == (1, "")
    assert (state.again, state.drifted) == (None, ())


async def test_a_second_look_writes_nothing(cluster: Cluster) -> None:
    registry, _ = await cluster.ensure(await cluster.registry(api={"replicas": 2}))
    await cluster.make_ready()
    cluster.requests.take()
    await cluster.ensure(registry)
    assert cluster.requests.writes() == []
    cluster.start_operator()
    await cluster.ensure(registry)
    assert cluster.requests.writes() == []


async def test_what_watches_have_told_is_not_asked_for(cluster: Cluster) -> None:
    registry, _ = await cluster.ensure(await cluster.registry())
    await cluster.make_ready()
    registry, _ = await cluster.ensure(registry)
    await cluster.tell_watches()
    cluster.requests.take()
    _, state = await cluster.ensure(registry)
    assert cluster.requests.take() == []
    assert state.status.phase is ApiPhase.READY


async def test_what_watches_tell_is_looked_at(cluster: Cluster) -> None:
    registry, _ = await cluster.ensure(await cluster.registry())
    await cluster.tell_watches()
    await cluster.store.merge(
        SERVICE, cluster.namespace, "corp-api", {"spec": {"type": "NodePort"}}, manager="somebody"
    )
    await cluster.tell_watches()
    cluster.requests.take()
    _, state = await cluster.ensure(registry)
    assert "PATCH services/corp-api" in cluster.requests.take()
    assert state.drifted == ('service "corp-api"',)
    assert (await cluster.live(SERVICE))["spec"]["type"] == "ClusterIP"


@pytest.mark.parametrize(
    ("edit", "repaired"),
    [
        ({"spec": {"replicas": 3}}, 'deployment "corp-api"'),
        ({"metadata": {"labels": {"app.kubernetes.io/instance": None}}}, 'deployment "corp-api"'),
        ({"metadata": {"ownerReferences": None}}, None),
    ],
)
async def test_an_edited_deployment_is_repaired(
    cluster: Cluster, edit: JsonObject, repaired: str | None
) -> None:
    registry, _ = await cluster.ensure(await cluster.registry())
    await cluster.store.merge(DEPLOYMENT, cluster.namespace, "corp-api", edit, manager="somebody")
    registry, state = await cluster.ensure(registry)
    if repaired is None:  # it is nobody's now, and could be anybody's
        assert state.status.message == 'deployment "corp-api" is there and belongs to somebody else'
        return
    assert state.drifted == (repaired,)
    assert (await cluster.live(DEPLOYMENT))["spec"]["replicas"] == 1
    _, state = await cluster.ensure(registry)
    assert state.drifted == ()


async def test_every_removed_object_comes_back(cluster: Cluster) -> None:
    registry, _ = await cluster.ensure(await cluster.registry())
    for kind in (ROLE, SERVICE_ACCOUNT, NETWORK_POLICY, SERVICE, DEPLOYMENT):
        await cluster.store.delete(kind, cluster.namespace, "corp-api")
        registry, state = await cluster.ensure(registry)
        assert state.drifted == (kind.subject("corp-api"),)
    assert await cluster.owned() == EVERYTHING


async def test_what_the_spec_no_longer_asks_for_goes(cluster: Cluster) -> None:
    limits = {"limits": {"cpu": "1"}}
    registry, _ = await cluster.ensure(
        await cluster.registry(api={"replicas": 2, "resources": limits})
    )
    assert "poddisruptionbudgets/corp-api" in await cluster.owned()
    registry, state = await cluster.ensure(await cluster.edited(registry, api={"replicas": 1}))
    assert state.drifted == ()
    assert await cluster.owned() == EVERYTHING
    pod = (await cluster.live(DEPLOYMENT))["spec"]["template"]["spec"]
    assert pod["containers"][0]["resources"]["limits"] == {"memory": "128Mi"}
    assert "topologySpreadConstraints" not in pod


async def test_a_changed_trust_level_is_on_the_service(cluster: Cluster) -> None:
    registry, _ = await cluster.ensure(await cluster.registry())
    await cluster.ensure(await cluster.edited(registry, trustLevel="tested"))
    assert labels_of(await cluster.live(SERVICE))["toolhive.stacklok.io/trust-level"] == "tested"


async def test_https_is_turned_on_and_off_with_nothing_left_of_the_other(cluster: Cluster) -> None:
    registry, _ = await cluster.ensure(await cluster.registry())
    before = await cluster.live(DEPLOYMENT)
    cluster.start_operator(tls_secret="api-tls", extras=PodExtras(pod_labels={"a": "b"}))
    registry, state = await cluster.ensure(registry)
    (port,) = (await cluster.live(SERVICE))["spec"]["ports"]
    assert (port["name"], port["port"], port["appProtocol"]) == ("https", 8080, "https")
    assert state.status.endpoint == f"https://corp-api.{cluster.namespace}.svc:8080"
    assert state.drifted == ()
    pod = (await cluster.live(DEPLOYMENT))["spec"]["template"]["spec"]
    assert pod["volumes"][-1]["secret"]["secretName"] == "api-tls"
    cluster.start_operator()
    await cluster.ensure(registry)
    (port,) = (await cluster.live(SERVICE))["spec"]["ports"]
    assert (port["name"], port["appProtocol"]) == ("http", "http")
    assert (await cluster.live(DEPLOYMENT))["spec"] == before["spec"]


@pytest.mark.parametrize(
    ("chosen", "spec"),
    [(SERVICE, {"spec": {"ports": [{"port": 80}]}}), (SERVICE_ACCOUNT, {})],
    ids=lambda value: value.kind if isinstance(value, Kind) else "",
)
async def test_an_object_of_somebody_else_is_never_taken_over(
    cluster: Cluster, chosen: Kind, spec: JsonObject
) -> None:
    metadata = {"name": "corp-api", "namespace": cluster.namespace}
    foreign = {"apiVersion": "v1", "kind": chosen.kind, "metadata": metadata, **spec}
    there = await cluster.store.create(foreign, manager="somebody")
    registry, state = await cluster.ensure(await cluster.registry())
    assert state.status.phase is ApiPhase.ERROR
    assert state.reason == "APIDeploymentUnavailable"
    assert state.status.message == (
        f"{chosen.subject('corp-api')} is there and belongs to somebody else"
    )
    now = await cluster.live(chosen)
    assert resource_version_of(now) == resource_version_of(there)
    assert await cluster.find(DEPLOYMENT, "corp-api") is None
    await cluster.ensure(await cluster.edited(registry, api={"enabled": False}))
    assert await cluster.find(chosen, "corp-api") is not None
    assert await cluster.owned() == [f"{chosen.plural}/corp-api"]


async def test_objects_of_a_deleted_registry_of_the_name_are_waited_for(cluster: Cluster) -> None:
    old, _ = await cluster.ensure(await cluster.registry())
    await cluster.delete(old)
    new = await cluster.registry()
    new, state = await cluster.ensure(new)
    async with asyncio.timeout(90):  # the garbage collector is late with kinds that are new
        while state.status.phase is ApiPhase.NOT_STARTED:
            assert state.reason == "Deploying"
            assert "waits until the former" in state.status.message
            new, state = await cluster.ensure(new)
    assert state.status.phase is ApiPhase.DEPLOYING
    assert await cluster.owned() == EVERYTHING


async def test_a_disabled_api_leaves_nothing(cluster: Cluster) -> None:
    registry, _ = await cluster.ensure(await cluster.registry(api={"replicas": 2}))
    registry, state = await cluster.ensure(await cluster.edited(registry, api={"enabled": False}))
    assert (state.status.phase, state.reason) == (ApiPhase.NOT_STARTED, "Disabled")
    assert state.status.endpoint == ""
    assert await cluster.owned() == []
    assert await cluster.subjects() == []
    cluster.requests.take()
    await cluster.ensure(registry)
    assert cluster.requests.take() == []


async def test_a_registry_whose_api_was_always_off_costs_nothing(cluster: Cluster) -> None:
    registry = await cluster.registry(api={"enabled": False})
    cluster.requests.take()
    await cluster.ensure(registry)
    await cluster.api.admit(registry, [pointer("corp-s-1")])
    assert cluster.requests.take() == []


# Chunks ----------------------------------------------------------------------------------------------------


async def test_pods_may_read_new_chunks_before_the_pointer_names_them(cluster: Cluster) -> None:
    registry, _ = await cluster.ensure(await cluster.registry())
    assert chunks_allowed(await cluster.live(ROLE)) == set()
    cluster.requests.take()
    await cluster.api.admit(registry, [pointer("corp-s-1", "corp-s-2")])
    assert cluster.requests.writes() == ["PATCH roles/corp-api"]
    assert chunks_allowed(await cluster.live(ROLE)) == {"corp-s-1", "corp-s-2"}
    await cluster.ensure(registry)  # the pointer is not there yet
    assert chunks_allowed(await cluster.live(ROLE)) == {"corp-s-1", "corp-s-2"}


async def test_chunks_that_no_pointer_names_any_more_are_dropped(cluster: Cluster) -> None:
    registry, _ = await cluster.ensure(serving(await cluster.registry(), "corp-s-1"))
    await cluster.api.admit(registry, [pointer("corp-s-2"), pointer("corp-s-1")])
    registry = serving(registry, "corp-s-2", previous=pointer("corp-s-1"))
    await cluster.api.admit(registry, [pointer("corp-s-3"), pointer("corp-s-2")])
    assert chunks_allowed(await cluster.live(ROLE)) == {"corp-s-1", "corp-s-2", "corp-s-3"}
    registry = serving(registry, "corp-s-3", previous=pointer("corp-s-2"))
    _, state = await cluster.ensure(registry)
    assert chunks_allowed(await cluster.live(ROLE)) == {"corp-s-2", "corp-s-3"}
    assert state.drifted == ()


async def test_a_chunk_that_somebody_adds_is_taken_away(cluster: Cluster) -> None:
    registry, _ = await cluster.ensure(serving(await cluster.registry(), "corp-s-1"))
    role = await cluster.live(ROLE)
    role["rules"][-1]["resourceNames"].append("secret-plans")
    await cluster.store.merge(
        ROLE, cluster.namespace, "corp-api", {"rules": role["rules"]}, manager="somebody"
    )
    _, state = await cluster.ensure(registry)
    assert state.drifted == ('role "corp-api"',)
    assert chunks_allowed(await cluster.live(ROLE)) == {"corp-s-1"}


async def test_a_cluster_that_has_the_last_word_is_not_fought(cluster: Cluster) -> None:
    """A policy of the cluster that takes images from a mirror, say."""
    with images_rewritten(cluster.plane, cluster.namespace, "mirror.example/registry:1.0.0"):
        registry, _ = await cluster.ensure(await cluster.registry())
        async with asyncio.timeout(30):
            while "mirror" not in str(await cluster.live(DEPLOYMENT)):  # the policy is known late
                await cluster.store.delete(DEPLOYMENT, cluster.namespace, "corp-api")
                registry, _ = await cluster.ensure(registry)
        # The last word may have come with a write of a controller, which is somebody else's change, once.
        registry, _ = await cluster.ensure(registry)
        generation = (await cluster.live(DEPLOYMENT))["metadata"]["generation"]
        _, state = await cluster.ensure(registry)
        assert state.drifted == ()
        assert (await cluster.live(DEPLOYMENT))["metadata"]["generation"] == generation


# Trouble ---------------------------------------------------------------------------------------------------


async def test_a_quota_on_pods_is_told(cluster: Cluster) -> None:
    limited(cluster.plane, cluster.namespace, pods="0")
    registry, state = await cluster.ensure(await cluster.registry())
    async with asyncio.timeout(30):
        while state.status.phase is ApiPhase.DEPLOYING:
            registry, state = await cluster.ensure(registry)
    assert (state.status.phase, state.reason) == (ApiPhase.ERROR, "QuotaExceeded")
    assert state.status.message.startswith("exceeded quota: team, requested: pods=1")
    assert state.again is not None


async def test_a_quota_on_objects_is_told(cluster: Cluster) -> None:
    quota = limited(cluster.plane, cluster.namespace, **{"count/deployments.apps": "0"})
    registry, state = await cluster.ensure(await cluster.registry())
    assert (state.status.phase, state.reason) == (ApiPhase.ERROR, "QuotaExceeded")
    assert 'deployment "corp-api" exceeds the ResourceQuota "team"' in state.status.message
    cluster.plane.request("DELETE", quota)
    async with asyncio.timeout(30):
        while (await cluster.ensure(registry))[1].status.phase is ApiPhase.ERROR:
            pass
    _, state = await cluster.ensure(registry)
    assert state.drifted == ()


async def test_resources_that_contradict_themselves_are_told(cluster: Cluster) -> None:
    """Of a registry that is older than the rule which refuses them."""
    registry = await cluster.registry()
    contrary = {"requests": {"memory": "2Gi"}, "limits": {"memory": "1Gi"}}
    wrong = msgspec.convert(contrary, Resources)
    api = msgspec.structs.replace(registry.spec.api, resources=wrong)
    spec = msgspec.structs.replace(registry.spec, api=api)
    _, state = await cluster.ensure(msgspec.structs.replace(registry, spec=spec))
    assert state.status.phase is ApiPhase.ERROR
    assert "must be less than or equal to memory limit" in state.status.message


async def test_an_image_that_cannot_be_pulled_is_told(cluster: Cluster) -> None:
    registry, _ = await cluster.ensure(await cluster.registry())
    waiting = {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}
    container = {
        "name": "api",
        "image": "ghcr.io/example/registry:1.0.0",
        "imageID": "",
        "ready": False,
        "restartCount": 0,
        "state": {"waiting": waiting},
    }
    cluster.tell_pod((await cluster.pods())[0], containerStatuses=[container])
    _, state = await cluster.ensure(registry)
    assert (state.status.phase, state.reason) == (ApiPhase.UNHEALTHY, "APIDeploymentUnavailable")
    assert state.status.message == (
        'image "ghcr.io/example/registry:1.0.0" cannot be pulled (ImagePullBackOff)'
    )


async def test_a_missing_binding_is_told_unless_anybody_may_read(cluster: Cluster) -> None:
    unbind(cluster.plane)
    registry, state = await cluster.ensure(await cluster.registry())
    assert state.status.phase is ApiPhase.ERROR
    assert state.status.message == (
        'clusterrolebinding "toolhive-registry-api-auth" is missing: the API cannot check tokens'
    )
    registry, state = await cluster.ensure(
        await cluster.edited(registry, api={"anonymousRead": True})
    )
    assert state.status.phase is ApiPhase.DEPLOYING
    assert "is missing" in state.status.message


async def test_registries_of_one_moment_are_bound_by_few_writes(cluster: Cluster) -> None:
    registries = [await cluster.registry(f"r{number}") for number in range(10)]
    cluster.requests.take()
    await asyncio.gather(*(cluster.ensure(each) for each in registries))
    bound = [each for each in cluster.requests.writes() if "clusterrolebindings" in each]
    assert len(await cluster.subjects()) == 10
    assert len(bound) < 10


async def test_a_sweep_drops_accounts_of_registries_that_are_gone(cluster: Cluster) -> None:
    stays, _ = await cluster.ensure(await cluster.registry("stays"))
    goes, _ = await cluster.ensure(await cluster.registry("goes"))
    await cluster.delete(goes)
    late = await cluster.registry("late")
    await cluster.ensure(late)
    cluster.start_operator()
    await cluster.api.sweep([stays], namespaces=[cluster.namespace])
    assert await cluster.subjects() == ["late-api", "stays-api"]


async def test_a_sweep_gives_back_what_somebody_took(cluster: Cluster) -> None:
    registry, _ = await cluster.ensure(await cluster.registry())
    unbind(cluster.plane)
    bind(cluster.plane)
    await cluster.api.sweep([registry], namespaces=[cluster.namespace])
    assert await cluster.subjects() == ["corp-api"]


async def test_a_registry_that_left_takes_its_account_along(cluster: Cluster) -> None:
    registry, _ = await cluster.ensure(await cluster.registry())
    await cluster.delete(registry)
    await cluster.api.left(cluster.namespace, "corp")
    assert await cluster.subjects() == []


async def test_the_garbage_collector_removes_what_a_registry_owned(cluster: Cluster) -> None:
    registry, _ = await cluster.ensure(await cluster.registry())
    await cluster.store.delete(MCP_REGISTRY, cluster.namespace, registry.name)
    async with asyncio.timeout(90):
        while await cluster.owned():
            pass

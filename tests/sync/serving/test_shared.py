"""Pods that all shared registries of a namespace have in common, on a real API server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.control_plane.plane import ControlPlane
from tests.sync.serving.cluster import Cluster, a_cluster, limited, pointer, serving
from thv.domain.errors import Code, ThvError
from thv.domain.registry_status import ApiPhase
from thv.domain.resources import DEPLOYMENT, ROLE, ROLE_BINDING, SERVICE
from thv.sync.serving.network import target_port_of
from thv.sync.serving.roles import chunks_allowed

pytestmark = [pytest.mark.anyio, pytest.mark.e2e]

SHARED = "registry-api-shared"
COMMON = [
    f"deployments/{SHARED}",
    f"networkpolicies/{SHARED}",
    f"rolebindings/{SHARED}",
    f"roles/{SHARED}",
    f"serviceaccounts/{SHARED}",
]
API = {"mode": "shared"}


@pytest.fixture
async def cluster(control_plane: ControlPlane, anyio_backend: str) -> AsyncIterator[Cluster]:
    async with a_cluster(control_plane) as opened:
        yield opened


@pytest.mark.requirement("API-01")
async def test_two_registries_share_pods_and_have_a_port_each(cluster: Cluster) -> None:
    one, state = await cluster.ensure(await cluster.registry("one", api=API))
    two, other = await cluster.ensure(await cluster.registry("two", api=API))
    assert state.status.endpoint == f"http://one-api.{cluster.namespace}.svc:8080"
    assert (state.status.phase, state.reason) == (ApiPhase.DEPLOYING, "Deploying")
    assert await cluster.owned() == sorted([*COMMON, "services/one-api", "services/two-api"])
    assert await cluster.subjects() == [SHARED]
    ports = [target_port_of(await cluster.live(SERVICE, f"{name}-api")) for name in ("one", "two")]
    assert ports == [state.status.target_port, other.status.target_port]
    assert len({*ports, None}) == 3
    await cluster.make_ready(SHARED)
    for registry in (one, two):
        _, state = await cluster.ensure(registry)
        assert (state.status.phase, state.reason) == (ApiPhase.READY, "Available")


async def test_a_second_look_writes_nothing(cluster: Cluster) -> None:
    registry, _ = await cluster.ensure(await cluster.registry(api=API))
    registry = serving(registry, "corp-s-1")
    await cluster.api.admit(registry, [pointer("corp-s-1")])
    await cluster.make_ready(SHARED)
    registry, _ = await cluster.ensure(registry)
    cluster.requests.take()
    await cluster.ensure(registry)
    cluster.start_operator()
    await cluster.ensure(registry)
    assert cluster.requests.writes() == []


async def test_what_watches_have_told_is_not_asked_for(cluster: Cluster) -> None:
    registry, _ = await cluster.ensure(await cluster.registry(api=API))
    await cluster.make_ready(SHARED)
    registry, _ = await cluster.ensure(registry)
    await cluster.tell_watches()
    cluster.requests.take()
    _, state = await cluster.ensure(registry)
    assert cluster.requests.take() == []
    assert state.status.phase is ApiPhase.READY


async def test_ports_stay_when_the_operator_starts_anew(cluster: Cluster) -> None:
    names = [f"r{number}" for number in range(8)]
    before = [
        (await cluster.ensure(await cluster.registry(name, api=API)))[1].status.target_port
        for name in names
    ]
    assert len(set(before)) == len(names)
    cluster.start_operator()
    after = [
        (await cluster.ensure(await cluster.registry(name, api=API)))[1].status.target_port
        for name in reversed(names)
    ]
    assert after == before[::-1]


async def test_a_port_that_a_service_has_is_given_to_nobody_else(cluster: Cluster) -> None:
    registry, state = await cluster.ensure(await cluster.registry("one", api=API))
    port = state.status.target_port
    taken = {"spec": {"ports": [{"name": "http", "port": 8080, "targetPort": 20000}]}}
    await cluster.store.merge(SERVICE, cluster.namespace, "one-api", taken, manager="somebody")
    cluster.start_operator()
    _, state = await cluster.ensure(registry)
    assert port != 20000
    assert state.status.target_port == 20000
    assert target_port_of(await cluster.live(SERVICE, "one-api")) == 20000


async def test_rights_come_with_the_first_chunks(cluster: Cluster) -> None:
    registry, _ = await cluster.ensure(await cluster.registry(api=API))
    assert await cluster.find(ROLE, "corp-api") is None
    cluster.requests.take()
    await cluster.api.admit(registry, [pointer("corp-s-1")])
    assert cluster.requests.writes() == ["PATCH roles/corp-api", "PATCH rolebindings/corp-api"]
    role = await cluster.live(ROLE)
    assert [rule["resources"] for rule in role["rules"]] == [["configmaps"]]
    assert chunks_allowed(role) == {"corp-s-1"}
    subjects = (await cluster.live(ROLE_BINDING))["subjects"]
    assert [each["name"] for each in subjects] == [SHARED]
    _, state = await cluster.ensure(serving(registry, "corp-s-1"))
    assert state.drifted == ()


async def test_shared_objects_are_repaired(cluster: Cluster) -> None:
    registry, _ = await cluster.ensure(await cluster.registry(api=API))
    await cluster.store.merge(
        DEPLOYMENT, cluster.namespace, SHARED, {"spec": {"replicas": 4}}, manager="somebody"
    )
    await cluster.store.delete(ROLE, cluster.namespace, SHARED)
    _, state = await cluster.ensure(registry)
    assert state.drifted == (f'role "{SHARED}"', f'deployment "{SHARED}"')
    assert (await cluster.live(DEPLOYMENT, SHARED))["spec"]["replicas"] == 1


async def test_a_shared_deployment_of_somebody_else_is_not_taken_over(cluster: Cluster) -> None:
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": SHARED, "namespace": cluster.namespace},
    }
    await cluster.store.create(account, manager="somebody")
    _, state = await cluster.ensure(await cluster.registry(api=API))
    assert state.status.phase is ApiPhase.ERROR
    assert f'serviceaccount "{SHARED}" is there and belongs to' in state.status.message
    assert await cluster.subjects() == []


# Coming and going ------------------------------------------------------------------------------------------


async def test_the_last_shared_registry_takes_the_pods_with_it(cluster: Cluster) -> None:
    one, _ = await cluster.ensure(await cluster.registry("one", api=API))
    two, _ = await cluster.ensure(await cluster.registry("two", api=API))
    await cluster.ensure(await cluster.edited(one, api={"enabled": False}))
    assert await cluster.owned() == sorted([*COMMON, "services/two-api"])
    await cluster.ensure(await cluster.edited(two, api={"enabled": False}))
    assert await cluster.owned() == []
    assert await cluster.subjects() == []


async def test_a_deleted_registry_takes_the_pods_with_it_if_it_was_the_last(
    cluster: Cluster,
) -> None:
    one, _ = await cluster.ensure(await cluster.registry("one", api=API))
    two, _ = await cluster.ensure(await cluster.registry("two", api=API))
    await cluster.delete(one)
    await cluster.api.left(cluster.namespace, "one")
    assert await cluster.find(DEPLOYMENT, SHARED) is not None
    await cluster.delete(two)
    await cluster.api.left(cluster.namespace, "two")
    assert await cluster.find(DEPLOYMENT, SHARED) is None


@pytest.mark.parametrize("act", ["delete", "merge"])
async def test_a_removal_that_failed_is_made_when_it_is_tried_again(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    """Not by the next sweep, which may be long after."""

    async def fails(*_: object, **__: object) -> None:
        raise ThvError(Code.STORE_UNAVAILABLE, "no answer")

    registry, _ = await cluster.ensure(await cluster.registry(api=API))
    await cluster.delete(registry)
    monkeypatch.setattr(cluster.operator, act, fails)
    with pytest.raises(ThvError):
        await cluster.api.left(cluster.namespace, registry.name)
    monkeypatch.undo()
    await cluster.api.left(cluster.namespace, registry.name)
    assert await cluster.find(DEPLOYMENT, SHARED) is None
    assert await cluster.subjects() == []


async def test_a_registry_that_this_process_has_not_met_keeps_the_pods(cluster: Cluster) -> None:
    one, _ = await cluster.ensure(await cluster.registry("one", api=API))
    await cluster.registry("unmet", api=API)
    await cluster.delete(one)
    await cluster.api.left(cluster.namespace, "one")
    assert await cluster.find(DEPLOYMENT, SHARED) is not None


async def test_a_sweep_removes_pods_that_nobody_needs(cluster: Cluster) -> None:
    registry, _ = await cluster.ensure(await cluster.registry(api=API))
    cluster.start_operator()
    await cluster.api.sweep([registry], namespaces=[cluster.namespace])
    assert await cluster.find(DEPLOYMENT, SHARED) is not None
    await cluster.delete(registry)
    await cluster.api.sweep([], namespaces=[cluster.namespace])
    assert await cluster.find(DEPLOYMENT, SHARED) is None
    assert await cluster.subjects() == []


async def test_a_sweep_keeps_pods_for_a_registry_that_came_meanwhile(cluster: Cluster) -> None:
    await cluster.ensure(await cluster.registry(api=API))
    await cluster.api.sweep([], namespaces=[cluster.namespace])
    assert await cluster.find(DEPLOYMENT, SHARED) is not None
    assert await cluster.subjects() == [SHARED]


@pytest.mark.parametrize("anew", [False, True], ids=["same process", "new process"])
async def test_from_dedicated_to_shared_and_back(cluster: Cluster, *, anew: bool) -> None:
    def perhaps_anew() -> None:
        if anew:
            cluster.start_operator()

    registry, _ = await cluster.ensure(serving(await cluster.registry(), "corp-s-1"))
    perhaps_anew()
    registry, state = await cluster.ensure(await cluster.edited(registry, api=API))
    own = ["rolebindings/corp-api", "roles/corp-api", "services/corp-api"]
    assert await cluster.owned() == sorted([*COMMON, *own])
    assert await cluster.subjects() == [SHARED]
    assert target_port_of(await cluster.live(SERVICE)) == state.status.target_port
    assert state.drifted == ()
    perhaps_anew()
    registry, state = await cluster.ensure(
        await cluster.edited(registry, api={"mode": "dedicated"})
    )
    assert state.status.target_port is None
    assert SHARED not in " ".join(await cluster.owned())
    assert await cluster.subjects() == ["corp-api"]
    assert state.drifted == ()


async def test_the_setting_decides_for_registries_that_say_nothing(cluster: Cluster) -> None:
    registry, _ = await cluster.ensure(await cluster.registry())
    cluster.start_operator(mode="shared")
    registry, state = await cluster.ensure(registry)
    assert await cluster.owned() == sorted([*COMMON, "services/corp-api"])
    assert state.drifted == ()


async def test_what_a_dedicated_start_left_behind_goes_with_the_change(cluster: Cluster) -> None:
    """The operator ended before it could say that it had made anything."""
    registry = await cluster.registry()
    await cluster.ensure(registry)
    cluster.start_operator()
    await cluster.ensure(await cluster.edited(registry, api=API))
    assert await cluster.owned() == sorted([*COMMON, "services/corp-api"])
    assert await cluster.subjects() == [SHARED]


# Many ------------------------------------------------------------------------------------------------------


async def test_many_registries_of_one_moment_make_the_pods_once(cluster: Cluster) -> None:
    registries = [await cluster.registry(f"r{number}", api=API) for number in range(30)]
    cluster.requests.take()
    states = await asyncio.gather(*(cluster.ensure(each) for each in registries))
    writes = cluster.requests.writes()
    assert len({state.status.target_port for _, state in states}) == 30
    # six objects in common with the binding of the cluster, and one Service each
    assert len(writes) == len(set(writes)) == 36


async def test_a_quota_concerns_every_registry_of_the_namespace(cluster: Cluster) -> None:
    limited(cluster.plane, cluster.namespace, **{"count/deployments.apps": "0"})
    for name in ("one", "two"):
        _, state = await cluster.ensure(await cluster.registry(name, api=API))
        assert (state.status.phase, state.reason) == (ApiPhase.ERROR, "QuotaExceeded")

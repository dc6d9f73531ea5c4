"""What only a real API server can show of the Kubernetes store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from tests.contracts.cluster import a_namespace, install_kinds
from tests.contracts.resource_store.objects import a_config_map, a_registry
from tests.control_plane.plane import ControlPlane
from thv.clients.kube.config import from_environment
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.domain.resources import CONFIG_MAP, LEASE, MCP_REGISTRY, Kind
from thv.stores.resources.base import EventType
from thv.stores.resources.kubernetes import KubernetesStore

pytestmark = pytest.mark.anyio

PATIENCE = 60.0


@pytest.fixture
def place(control_plane: ControlPlane) -> Iterator[str]:
    install_kinds(control_plane)
    with a_namespace(control_plane) as namespace:
        yield namespace


def a_store(kubeconfig: Path) -> KubernetesStore:
    return KubernetesStore(from_environment({}, kubeconfig=str(kubeconfig)))


@pytest.fixture
async def store(control_plane: ControlPlane, anyio_backend: str) -> AsyncIterator[KubernetesStore]:
    opened = a_store(control_plane.kubeconfig)
    yield opened
    await opened.close()


async def test_a_watch_outlives_an_api_server_that_restarts(
    control_plane: ControlPlane, place: str, store: KubernetesStore
) -> None:
    since = (await store.list(CONFIG_MAP, place)).resource_version
    watch = store.watch(CONFIG_MAP, place, since=since)
    async with aclosing(watch) as events, asyncio.timeout(PATIENCE):
        await store.apply(a_config_map(place, data={"a": "1"}), manager="test")
        assert (await anext(events)).type is EventType.ADDED
        control_plane.stop_api()
        with pytest.raises(ThvError, match="connection refused") as error:
            await store.get(CONFIG_MAP, place, "servers")
        assert error.value.code is Code.STORE_UNAVAILABLE
        control_plane.start_api()  # in this thread, whose end would end the server
        await store.apply(a_config_map(place, data={"a": "2"}), manager="test")
        changed = await anext(events)
    assert (changed.type, changed.object["data"]) == (EventType.MODIFIED, {"a": "2"})


async def test_who_may_not_is_told_what_is_missing(control_plane: ControlPlane, place: str) -> None:
    store = a_store(control_plane.user("jane"))
    with pytest.raises(ThvError) as error:
        await store.list(MCP_REGISTRY, place)
    assert error.value.code is Code.FORBIDDEN
    assert 'User "jane" cannot list resource "mcpregistries"' in error.value.message
    with pytest.raises(ThvError) as error:
        await anext(store.watch(CONFIG_MAP, None, since="1"))
    assert error.value.code is Code.FORBIDDEN
    await store.close()


async def test_a_token_that_nobody_gave_is_refused(control_plane: ControlPlane) -> None:
    path = control_plane._write_kubeconfig("stranger", {"token": "made-up"})
    store = a_store(path)
    with pytest.raises(ThvError, match="does not accept our credentials") as error:
        await store.list(CONFIG_MAP, "default")
    assert error.value.code is Code.STORE_UNAVAILABLE
    await store.close()


async def test_a_namespace_or_kind_that_is_missing_is_named(store: KubernetesStore) -> None:
    with pytest.raises(ThvError, match='namespace "nowhere" not found') as error:
        await store.create(a_config_map("nowhere"), manager="test")
    assert error.value.code is Code.NOT_FOUND
    other = Kind(group="example.com", version="v1", kind="Thing", plural="things")
    with pytest.raises(ThvError, match=r"knows no kind Thing of example\.com/v1") as error:
        await store.list(other)
    assert error.value.code is Code.NOT_FOUND


async def test_a_kind_without_unconditional_update_is_replaced_all_the_same(
    place: str, store: KubernetesStore
) -> None:
    lease: JsonObject = {
        "apiVersion": LEASE.api_version,
        "kind": LEASE.kind,
        "metadata": {"name": "leader", "namespace": place},
        "spec": {"holderIdentity": "one"},
    }
    await store.create(lease, manager="test")
    replaced = await store.replace({**lease, "spec": {"holderIdentity": "two"}}, manager="test")
    assert replaced["spec"] == {"holderIdentity": "two"}


async def test_a_policy_of_the_cluster_speaks_for_itself(
    control_plane: ControlPlane, place: str, store: KubernetesStore
) -> None:
    names = _deny(control_plane, place, "ask the owner first")
    try:
        async with asyncio.timeout(PATIENCE):
            error = await _refusal(store, a_registry(place))
        assert error.code in {Code.INVALID, Code.FORBIDDEN}
        assert error.message == 'mcpregistry "corp" is refused by a policy: ask the owner first'
    finally:
        for path in names:
            control_plane.request("DELETE", path)


async def _refusal(store: KubernetesStore, obj: JsonObject) -> ThvError:
    """How a write is refused once the policy is at work."""
    while True:
        try:
            await store.create(obj, manager="test", dry_run=True)
        except ThvError as error:
            return error
        await asyncio.sleep(0.1)


def _deny(plane: ControlPlane, namespace: str, message: str) -> list[str]:
    """A policy that lets no registry into a namespace; where its parts are."""
    root = "/apis/admissionregistration.k8s.io/v1"
    rule = {
        "apiGroups": ["toolhive.stacklok.io"],
        "apiVersions": ["*"],
        "operations": ["CREATE"],
        "resources": ["mcpregistries"],
    }
    policy = {
        "metadata": {"name": namespace},
        "spec": {
            "matchConstraints": {"resourceRules": [rule]},
            "validations": [
                {
                    "expression": f"request.namespace != '{namespace}'",
                    "message": message,
                }
            ],
        },
    }
    binding = {
        "metadata": {"name": namespace},
        "spec": {"policyName": namespace, "validationActions": ["Deny"]},
    }
    made = []
    for plural, body in (
        ("validatingadmissionpolicies", policy),
        ("validatingadmissionpolicybindings", binding),
    ):
        plane.request("POST", f"{root}/{plural}", body)
        made.append(f"{root}/{plural}/{namespace}")
    return made

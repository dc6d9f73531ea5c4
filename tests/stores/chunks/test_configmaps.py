"""Chunks as ConfigMaps: what they look like, what else may stand in their place, and how many there may be."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.contracts.chunk_store.kinds import a_registry, replace_bytes
from tests.contracts.chunk_store.test_chunks import a_chunk
from tests.contracts.cluster import a_client, a_namespace, install_kinds
from tests.control_plane.plane import ControlPlane
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.domain.resources import CONFIG_MAP
from thv.domain.snapshot import CHUNK_LIMIT, Chunk
from thv.stores.chunks.base import Owner
from thv.stores.chunks.configmaps import ConfigMapChunks
from thv.stores.resources.kubernetes import KubernetesStore
from thv.stores.resources.memory import MemoryStore

pytestmark = pytest.mark.anyio


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def store(anyio_backend: str) -> AsyncIterator[MemoryStore]:
    opened = MemoryStore()
    yield opened
    await opened.close()


@pytest.fixture
async def owner(store: MemoryStore) -> Owner:
    return await a_registry(store, "team", "corp")


async def test_a_chunk_is_an_immutable_config_map_that_its_registry_owns(
    store: MemoryStore, owner: Owner
) -> None:
    chunk = a_chunk("a")
    ref = await ConfigMapChunks(store).put(owner, chunk)
    obj = await store.get(CONFIG_MAP, "team", ref.name)
    assert obj["immutable"] is True
    assert obj["binaryData"] == {"entries.jsonl.gz": base64.b64encode(chunk.packed).decode()}
    assert obj["metadata"]["labels"] == {
        "app.kubernetes.io/managed-by": "toolhive-registry",
        "toolhive.stacklok.io/component": "snapshot",
        "toolhive.stacklok.io/registry-name": "corp",
    }
    assert obj["metadata"]["annotations"] == {
        "toolhive.stacklok.io/digest": chunk.digest,
        "toolhive.stacklok.io/entries": "1",
        "toolhive.stacklok.io/bytes": str(len(chunk.packed)),
    }
    assert obj["metadata"]["ownerReferences"] == [
        {
            "apiVersion": "toolhive.stacklok.io/v1alpha1",
            "kind": "MCPRegistry",
            "name": "corp",
            "uid": owner.uid,
            "controller": True,
            "blockOwnerDeletion": False,
        }
    ]


# ---------------------------------------------------------------- what else has the name


async def test_other_bytes_in_the_place_of_a_chunk_are_replaced(
    store: MemoryStore, owner: Owner
) -> None:
    chunks = ConfigMapChunks(store)
    ref = await chunks.put(owner, a_chunk("a"))
    await replace_bytes(store, owner, ref, "c3BvaWx0")
    assert await chunks.put(owner, a_chunk("a")) == ref
    assert await chunks.get(owner, ref)


@pytest.mark.parametrize(
    "change",
    [
        {"metadata": {"ownerReferences": None}},
        {"metadata": {"labels": {"toolhive.stacklok.io/component": None}}},
    ],
)
async def test_a_chunk_that_would_be_lost_is_replaced(
    store: MemoryStore, owner: Owner, change: JsonObject
) -> None:
    chunks = ConfigMapChunks(store)
    ref = await chunks.put(owner, a_chunk("a"))
    await store.merge(CONFIG_MAP, "team", ref.name, change, manager="somebody")
    assert ref.name not in {each.name for each in await chunks.list(owner)}
    await chunks.put(owner, a_chunk("a"))
    assert [each.name for each in await chunks.list(owner)] == [ref.name]


async def test_chunks_of_an_earlier_registry_of_the_name_are_left_alone(
    store: MemoryStore, owner: Owner
) -> None:
    chunks = ConfigMapChunks(store)
    ref = await chunks.put(owner, a_chunk("a"))
    successor = Owner("team", "corp", "another-uid")
    assert await chunks.list(successor) == []
    await chunks.delete(successor, ref.name)
    assert [each.name for each in await chunks.list(owner)] == [ref.name]


async def test_nothing_but_chunks_is_deleted(store: MemoryStore, owner: Owner) -> None:
    foreign = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "corp-s-0123456789abcdef", "namespace": "team"},
        "data": {"mine": "1"},
    }
    await store.create(foreign, manager="somebody")
    await ConfigMapChunks(store).delete(owner, "corp-s-0123456789abcdef")
    assert (await store.get(CONFIG_MAP, "team", "corp-s-0123456789abcdef"))["data"] == {"mine": "1"}


@pytest.mark.parametrize("content", [{}, {"binaryData": {"other": "eA=="}}, {"data": {"a": "b"}}])
async def test_a_config_map_without_the_key_is_a_damaged_chunk(
    store: MemoryStore, owner: Owner, content: JsonObject
) -> None:
    ref = a_chunk("a").ref("corp-s-0123456789abcdef")
    head = {"apiVersion": "v1", "kind": "ConfigMap"}
    metadata = {"name": ref.name, "namespace": "team"}
    await store.create({**head, "metadata": metadata, **content}, manager="somebody")
    with pytest.raises(ThvError, match=r"corp-s-0123456789abcdef .*entries.jsonl.gz") as error:
        await ConfigMapChunks(store).get(owner, ref)
    assert error.value.code is Code.SNAPSHOT_DAMAGED


# ---------------------------------------------------------------- how much


async def test_a_chunk_too_large_for_a_config_map_is_refused(
    store: MemoryStore, owner: Owner
) -> None:
    chunk = Chunk("sha256:" + "5" * 64, 1, b"x" * (CHUNK_LIMIT + 1))
    with pytest.raises(ThvError, match=str(CHUNK_LIMIT)) as error:
        await ConfigMapChunks(store).put(owner, chunk)
    assert error.value.code is Code.SNAPSHOT_TOO_LARGE


async def test_chunks_of_a_cluster_have_a_limit_that_deletions_make_room_below(
    store: MemoryStore, owner: Owner
) -> None:
    mebibyte, clock = 2**20, Clock()
    chunks = ConfigMapChunks(store, limit=2 * mebibyte, clock=clock)
    parts = [Chunk("sha256:" + digit * 64, 1, b"x" * (900 * 1024)) for digit in "123"]
    first, second = [await chunks.put(owner, part) for part in parts[:2]]
    with pytest.raises(ThvError, match=r"have 1\.8 MiB, corp-s-3333333333333333 .* 2 MiB") as error:
        await chunks.put(owner, parts[2])
    assert error.value.code is Code.SNAPSHOT_TOO_LARGE
    assert await chunks.put(owner, parts[1]) == second  # what is there already needs no room
    await chunks.delete(owner, first.name)
    clock.now += 10.0
    await chunks.put(owner, parts[2])


async def test_another_process_counts_what_is_there(store: MemoryStore, owner: Owner) -> None:
    part = Chunk("sha256:" + "1" * 64, 1, b"x" * 1000)
    await ConfigMapChunks(store).put(owner, part)
    with pytest.raises(ThvError, match="snapshots of all registries"):
        await ConfigMapChunks(store, limit=1500).put(
            owner, Chunk("sha256:" + "2" * 64, 1, b"y" * 1000)
        )


# ---------------------------------------------------------------- a real cluster


@pytest.fixture
def place(control_plane: ControlPlane) -> Iterator[str]:
    install_kinds(control_plane)
    with a_namespace(control_plane) as namespace:
        yield namespace


async def test_a_quota_of_the_namespace_is_named(control_plane: ControlPlane, place: str) -> None:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "few-maps"},
        "spec": {"hard": {"count/configmaps": "0"}},
    }
    path = f"/api/v1/namespaces/{place}/resourcequotas"
    control_plane.request("POST", path, quota)
    control_plane._await(
        "usage",
        lambda: "used" in control_plane.request("GET", f"{path}/few-maps").get("status", {}),
    )
    store = KubernetesStore(a_client(control_plane))
    owner = await a_registry(store, place, "corp")
    with pytest.raises(ThvError, match=f'ResourceQuota "few-maps" of namespace "{place}"') as error:
        await ConfigMapChunks(store).put(owner, a_chunk("a"))
    assert error.value.code is Code.STORE_FULL
    assert "count/configmaps" in error.value.message
    await store.close()

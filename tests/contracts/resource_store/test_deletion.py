"""Deletion: preconditions, finalizers, and what an owner takes along."""

from __future__ import annotations

import pytest

from tests.contracts.resource_store.objects import (
    a_config_map,
    a_registry,
    changes,
    exists,
    owned_by,
    refused,
    until_gone,
    version,
)
from thv.domain.errors import Code
from thv.domain.resources import CONFIG_MAP, MCP_REGISTRY
from thv.stores.resources.base import EventType, ResourceStore

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("REG-13")]


async def test_deleted_object_is_gone_and_its_name_is_free(
    store: ResourceStore, namespace: str
) -> None:
    first = await store.create(a_registry(namespace), manager="test")
    await store.delete(MCP_REGISTRY, namespace, "corp")
    assert not await exists(store, MCP_REGISTRY, namespace, "corp")
    second = await store.create(a_registry(namespace), manager="test")
    assert second["metadata"]["uid"] != first["metadata"]["uid"]
    assert second["metadata"]["generation"] == 1


async def test_deletion_of_a_missing_object_is_not_found(
    store: ResourceStore, namespace: str
) -> None:
    with refused(Code.NOT_FOUND):
        await store.delete(MCP_REGISTRY, namespace, "nothing")


async def test_preconditions_of_a_deletion_must_hold(store: ResourceStore, namespace: str) -> None:
    live = await store.create(a_registry(namespace), manager="test")
    with refused(Code.CONFLICT):
        await store.delete(MCP_REGISTRY, namespace, "corp", uid="another")
    with refused(Code.CONFLICT):
        await store.delete(MCP_REGISTRY, namespace, "corp", resource_version=version(live) + "0")
    uid = live["metadata"]["uid"]
    await store.delete(MCP_REGISTRY, namespace, "corp", uid=uid, resource_version=version(live))
    assert not await exists(store, MCP_REGISTRY, namespace, "corp")


# ---------------------------------------------------------------- finalizers


async def test_an_object_with_a_finalizer_waits(store: ResourceStore, namespace: str) -> None:
    await store.create(
        a_registry(namespace, metadata={"finalizers": ["example.com/hold"]}), manager="test"
    )
    await store.delete(MCP_REGISTRY, namespace, "corp")
    waiting = await store.get(MCP_REGISTRY, namespace, "corp")
    assert waiting["metadata"]["deletionTimestamp"] > "2026"
    assert waiting["metadata"]["deletionGracePeriodSeconds"] == 0
    assert waiting["metadata"]["generation"] == 2


async def test_a_second_deletion_changes_nothing(store: ResourceStore, namespace: str) -> None:
    await store.create(
        a_registry(namespace, metadata={"finalizers": ["example.com/hold"]}), manager="test"
    )
    await store.delete(MCP_REGISTRY, namespace, "corp")
    waiting = await store.get(MCP_REGISTRY, namespace, "corp")
    await store.delete(MCP_REGISTRY, namespace, "corp")
    assert await store.get(MCP_REGISTRY, namespace, "corp") == waiting


async def test_the_last_finalizer_lets_go(store: ResourceStore, namespace: str) -> None:
    created = await store.create(
        a_registry(namespace, metadata={"finalizers": ["example.com/hold"]}), manager="test"
    )
    await store.delete(MCP_REGISTRY, namespace, "corp")
    await store.merge(
        MCP_REGISTRY, namespace, "corp", {"metadata": {"finalizers": None}}, manager="test"
    )
    assert not await exists(store, MCP_REGISTRY, namespace, "corp")
    seen = await changes(store, MCP_REGISTRY, namespace, version(created), 2)
    assert [event.type for event in seen] == [EventType.MODIFIED, EventType.DELETED]


async def test_no_finalizer_can_be_added_to_what_is_being_deleted(
    store: ResourceStore, namespace: str
) -> None:
    await store.create(
        a_registry(namespace, metadata={"finalizers": ["example.com/hold"]}), manager="test"
    )
    await store.delete(MCP_REGISTRY, namespace, "corp")
    more = {"metadata": {"finalizers": ["example.com/hold", "example.com/more"]}}
    with refused(Code.INVALID, "metadata.finalizers"):
        await store.merge(MCP_REGISTRY, namespace, "corp", more, manager="test")


async def test_what_is_being_deleted_can_still_be_changed(
    store: ResourceStore, namespace: str
) -> None:
    await store.create(
        a_registry(namespace, metadata={"finalizers": ["example.com/hold"]}), manager="test"
    )
    await store.delete(MCP_REGISTRY, namespace, "corp")
    merged = await store.merge(
        MCP_REGISTRY, namespace, "corp", {"spec": {"displayName": "Corp"}}, manager="test"
    )
    assert "deletionTimestamp" in merged["metadata"]


# ---------------------------------------------------------------- owners


async def test_what_an_object_owned_follows_it(store: ResourceStore, namespace: str) -> None:
    owner = await store.create(a_registry(namespace), manager="test")
    chunk = await store.create(
        a_config_map(namespace, "chunk", metadata=owned_by(owner)), manager="test"
    )
    await store.delete(MCP_REGISTRY, namespace, "corp")
    await until_gone(store, CONFIG_MAP, namespace, "chunk", version(chunk))
    assert not await exists(store, CONFIG_MAP, namespace, "chunk")


async def test_what_was_owned_takes_along_what_it_owned(
    store: ResourceStore, namespace: str
) -> None:
    owner = await store.create(a_registry(namespace), manager="test")
    child = await store.create(
        a_config_map(namespace, "child", metadata=owned_by(owner)), manager="test"
    )
    grandchild = await store.create(
        a_config_map(namespace, "grandchild", metadata=owned_by(child)), manager="test"
    )
    await store.delete(MCP_REGISTRY, namespace, "corp")
    await until_gone(store, CONFIG_MAP, namespace, "grandchild", version(grandchild))


async def test_another_owner_keeps_the_object(store: ResourceStore, namespace: str) -> None:
    first = await store.create(a_registry(namespace, "first"), manager="test")
    second = await store.create(a_registry(namespace, "second"), manager="test")
    both = await store.create(
        a_config_map(namespace, "both", metadata=owned_by(first, second)), manager="test"
    )
    await store.delete(MCP_REGISTRY, namespace, "first")
    (event,) = await changes(store, CONFIG_MAP, namespace, version(both), 1)
    assert event.type is EventType.MODIFIED
    assert event.object["metadata"]["ownerReferences"] == owned_by(second)["ownerReferences"]


async def test_an_object_made_for_an_owner_that_is_gone_goes_too(
    store: ResourceStore, namespace: str
) -> None:
    owner = await store.create(a_registry(namespace), manager="test")
    await store.delete(MCP_REGISTRY, namespace, "corp")
    late = await store.create(
        a_config_map(namespace, "late", metadata=owned_by(owner)), manager="test"
    )
    await until_gone(store, CONFIG_MAP, namespace, "late", version(late))

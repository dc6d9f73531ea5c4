"""Status lives beside the spec: its own writer, its own owners, no generation."""

from __future__ import annotations

import pytest

from tests.contracts.resource_store.objects import (
    a_condition,
    a_registry,
    a_status,
    fields_by_manager,
    refused,
    version,
)
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code
from thv.domain.resources import MCP_REGISTRY
from thv.stores.resources.base import ResourceStore

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("REG-10")]


async def test_status_is_applied_and_leaves_the_generation(
    store: ResourceStore, namespace: str
) -> None:
    created = await store.create(a_registry(namespace), manager="test")
    written = await store.apply_status(
        a_status(namespace, phase="Ready", serverCount=3), manager="operator"
    )
    assert written["status"] == {"phase": "Ready", "serverCount": 3}
    assert written["metadata"]["generation"] == 1
    assert written["spec"] == created["spec"]
    assert version(written) != version(created)


async def test_status_has_an_owner_of_its_own(store: ResourceStore, namespace: str) -> None:
    await store.apply(a_registry(namespace), manager="operator")
    written = await store.apply_status(
        a_status(namespace, conditions=[a_condition("Ready")]), manager="operator"
    )
    entries = {
        entry.get("subresource", ""): entry for entry in written["metadata"]["managedFields"]
    }
    members: JsonObject = {
        f"f:{key}": {} for key in ("lastTransitionTime", "message", "reason", "status", "type")
    }
    assert entries["status"]["operation"] == "Apply"
    assert entries["status"]["fieldsV1"] == {
        "f:status": {"f:conditions": {'k:{"type":"Ready"}': {".": {}, **members}}}
    }
    assert "f:status" not in entries[""]["fieldsV1"]


async def test_status_applied_again_keeps_the_version(store: ResourceStore, namespace: str) -> None:
    await store.create(a_registry(namespace), manager="test")
    first = await store.apply_status(a_status(namespace, phase="Ready"), manager="operator")
    assert await store.apply_status(a_status(namespace, phase="Ready"), manager="operator") == first


async def test_what_is_no_longer_applied_goes(store: ResourceStore, namespace: str) -> None:
    await store.create(a_registry(namespace), manager="test")
    both = [a_condition("Ready"), a_condition("Stalled")]
    await store.apply_status(
        a_status(namespace, phase="Failed", conditions=both), manager="operator"
    )
    written = await store.apply_status(a_status(namespace, conditions=both[:1]), manager="operator")
    assert written["status"] == {"conditions": both[:1]}


async def test_status_cannot_change_spec_or_labels(store: ResourceStore, namespace: str) -> None:
    created = await store.create(a_registry(namespace), manager="test")
    sent = a_status(namespace, phase="Ready")
    sent["spec"] = {"displayName": "from status"}
    sent["metadata"]["labels"] = {"from": "status"}
    written = await store.apply_status(sent, manager="operator")
    assert written["spec"] == created["spec"]
    assert "labels" not in written["metadata"]
    assert "f:spec" not in fields_by_manager(written)["operator Apply"]


async def test_a_later_write_of_the_spec_keeps_the_status(
    store: ResourceStore, namespace: str
) -> None:
    await store.create(a_registry(namespace), manager="test")
    await store.apply_status(a_status(namespace, phase="Ready"), manager="operator")
    replaced = await store.replace(a_registry(namespace, displayName="Corp"), manager="test")
    assert replaced["status"] == {"phase": "Ready"}
    applied = await store.apply(
        {**a_registry(namespace, displayName="Corp"), "status": {"phase": "Failed"}}, manager="test"
    )
    assert applied["status"] == {"phase": "Ready"}


async def test_status_of_another_writer_is_a_conflict_unless_forced(
    store: ResourceStore, namespace: str
) -> None:
    await store.create(a_registry(namespace), manager="test")
    await store.apply_status(a_status(namespace, phase="Ready"), manager="one")
    with refused(Code.CONFLICT, ".status.phase"):
        await store.apply_status(a_status(namespace, phase="Failed"), manager="two", force=False)
    written = await store.apply_status(a_status(namespace, phase="Failed"), manager="two")
    assert written["status"] == {"phase": "Failed"}


async def test_status_is_validated(store: ResourceStore, namespace: str) -> None:
    await store.create(a_registry(namespace), manager="test")
    with refused(Code.INVALID, "status.phase", "Pending"):
        await store.apply_status(a_status(namespace, phase="Asleep"), manager="operator")
    with refused(Code.INVALID, "status.bogus"):
        await store.apply_status(a_status(namespace, bogus=1), manager="operator")


async def test_status_of_a_missing_object_is_not_found(
    store: ResourceStore, namespace: str
) -> None:
    with refused(Code.NOT_FOUND):
        await store.apply_status(a_status(namespace, "nothing", phase="Ready"), manager="operator")
    with refused(Code.NOT_FOUND):
        await store.get(MCP_REGISTRY, namespace, "nothing")


async def test_status_at_a_stale_version_is_a_conflict(
    store: ResourceStore, namespace: str
) -> None:
    first = await store.create(a_registry(namespace), manager="test")
    await store.replace(a_registry(namespace, displayName="Corp"), manager="test")
    sent = a_status(namespace, phase="Ready")
    sent["metadata"]["resourceVersion"] = version(first)
    with refused(Code.CONFLICT):
        await store.apply_status(sent, manager="operator")

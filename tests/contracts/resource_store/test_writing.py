"""Create, replace and merge: what is stored of what was sent."""

from __future__ import annotations

import pytest

from tests.contracts.resource_store.objects import (
    SOURCE,
    a_config_map,
    a_registry,
    fields_by_manager,
    refused,
    version,
)
from thv.domain.errors import Code
from thv.domain.resources import CONFIG_MAP, MCP_REGISTRY
from thv.stores.resources.base import ResourceStore

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("REG-13")]


async def test_created_object_is_read_back_as_it_was_answered(
    store: ResourceStore, namespace: str
) -> None:
    created = await store.create(a_registry(namespace), manager="test")
    assert await store.get(MCP_REGISTRY, namespace, "corp") == created


async def test_create_writes_the_metadata_of_a_new_object(
    store: ResourceStore, namespace: str
) -> None:
    sent = a_registry(
        namespace,
        metadata={"uid": "mine", "generation": 9, "creationTimestamp": "2020-01-01T00:00:00Z"},
    )
    metadata = (await store.create(sent, manager="test"))["metadata"]
    assert metadata["generation"] == 1
    assert metadata["uid"] not in {"", "mine"}
    assert metadata["creationTimestamp"] > "2026"
    assert int(metadata["resourceVersion"]) > 0


async def test_create_writes_the_defaults_of_the_schema(
    store: ResourceStore, namespace: str
) -> None:
    spec = (await store.create(a_registry(namespace), manager="test"))["spec"]
    assert spec == {
        "source": SOURCE,
        "trustLevel": "raw",
        "syncPolicy": {
            "enabled": True,
            "interval": "1h",
            "onUpdate": "update",
            "timeout": "30s",
            "retry": {"maxRetries": 3, "backoffInterval": "30s"},
        },
        "enforceServers": False,
        "enforceTools": False,
        "api": {"enabled": True, "replicas": 1, "anonymousRead": False},
    }


async def test_create_drops_the_status(store: ResourceStore, namespace: str) -> None:
    sent = {**a_registry(namespace), "status": {"phase": "Ready"}}
    assert "status" not in await store.create(sent, manager="test")


async def test_create_owns_what_was_sent_and_what_was_filled_in(
    store: ResourceStore, namespace: str
) -> None:
    created = await store.create(
        a_config_map(namespace, data={"a": "1"}, metadata={"labels": {"x": "y"}}), manager="test"
    )
    assert fields_by_manager(created) == {
        "test Update": {
            "f:data": {".": {}, "f:a": {}},
            "f:metadata": {"f:labels": {".": {}, "f:x": {}}},
        }
    }


async def test_create_of_an_object_that_exists_is_refused(
    store: ResourceStore, namespace: str
) -> None:
    await store.create(a_registry(namespace), manager="test")
    with refused(Code.ALREADY_EXISTS, '"corp" already exists'):
        await store.create(a_registry(namespace), manager="test")


async def test_create_with_a_resource_version_is_refused(
    store: ResourceStore, namespace: str
) -> None:
    with refused(Code.INVALID, "resourceVersion"):
        await store.create(a_registry(namespace, metadata={"resourceVersion": "1"}), manager="test")


async def test_generated_names_begin_as_asked_and_differ(
    store: ResourceStore, namespace: str
) -> None:
    sent = a_config_map(namespace, metadata={"generateName": "chunk-"})
    del sent["metadata"]["name"]
    names = [(await store.create(sent, manager="test"))["metadata"]["name"] for _ in range(5)]
    assert len(set(names)) == 5
    assert all(name.startswith("chunk-") and len(name) == 11 for name in names)


async def test_object_without_namespace_is_in_default(store: ResourceStore) -> None:
    sent = a_config_map("", "contract-without-namespace")
    del sent["metadata"]["namespace"]
    created = await store.create(sent, manager="test")
    assert created["metadata"]["namespace"] == "default"
    await store.delete(CONFIG_MAP, "default", "contract-without-namespace")


async def test_dry_run_answers_and_writes_nothing(store: ResourceStore, namespace: str) -> None:
    planned = await store.create(a_registry(namespace), manager="test", dry_run=True)
    assert planned["spec"]["trustLevel"] == "raw"
    assert "resourceVersion" not in planned["metadata"]
    with refused(Code.NOT_FOUND):
        await store.get(MCP_REGISTRY, namespace, "corp")


async def test_dry_run_of_an_impossible_write_is_refused(
    store: ResourceStore, namespace: str
) -> None:
    with refused(Code.INVALID):
        await store.create(a_registry(namespace, "Corp"), manager="test", dry_run=True)


async def test_dry_run_of_a_change_keeps_the_version(store: ResourceStore, namespace: str) -> None:
    created = await store.create(a_registry(namespace), manager="test")
    planned = await store.replace(
        a_registry(namespace, displayName="Corp"), manager="test", dry_run=True
    )
    assert planned["spec"]["displayName"] == "Corp"
    assert planned["metadata"]["generation"] == 2
    assert version(planned) == version(created)
    assert await store.get(MCP_REGISTRY, namespace, "corp") == created


async def test_missing_object_is_not_found(store: ResourceStore, namespace: str) -> None:
    with refused(Code.NOT_FOUND, '"nothing" not found'):
        await store.get(MCP_REGISTRY, namespace, "nothing")
    with refused(Code.NOT_FOUND):
        await store.replace(a_registry(namespace, "nothing"), manager="test")
    with refused(Code.NOT_FOUND):
        await store.merge(MCP_REGISTRY, namespace, "nothing", {}, manager="test")


# ---------------------------------------------------------------- replace


async def test_replace_removes_what_is_not_sent_and_fills_defaults_again(
    store: ResourceStore, namespace: str
) -> None:
    await store.create(
        a_registry(namespace, displayName="Corp", syncPolicy={"interval": "2h"}), manager="test"
    )
    replaced = await store.replace(a_registry(namespace), manager="test")
    assert "displayName" not in replaced["spec"]
    assert replaced["spec"]["syncPolicy"]["interval"] == "1h"


async def test_replace_keeps_what_only_the_store_writes(
    store: ResourceStore, namespace: str
) -> None:
    created = await store.create(a_registry(namespace), manager="test")
    sent = a_registry(
        namespace,
        displayName="Corp",
        metadata={"generation": 77, "creationTimestamp": "2020-01-01T00:00:00Z"},
    )
    replaced = await store.replace(sent, manager="test")
    assert replaced["metadata"]["uid"] == created["metadata"]["uid"]
    assert replaced["metadata"]["creationTimestamp"] == created["metadata"]["creationTimestamp"]
    assert replaced["metadata"]["generation"] == 2


async def test_replace_at_a_stale_version_is_a_conflict(
    store: ResourceStore, namespace: str
) -> None:
    first = await store.create(a_registry(namespace), manager="test")
    await store.replace(a_registry(namespace, displayName="Corp"), manager="test")
    with refused(Code.CONFLICT):
        await store.replace(first, manager="test")


async def test_replace_of_another_uid_is_a_conflict(store: ResourceStore, namespace: str) -> None:
    await store.create(a_registry(namespace), manager="test")
    with refused(Code.CONFLICT):
        await store.replace(a_registry(namespace, metadata={"uid": "another"}), manager="test")


async def test_replace_at_the_live_version_succeeds(store: ResourceStore, namespace: str) -> None:
    live = await store.create(a_registry(namespace), manager="test")
    live["spec"]["displayName"] = "Corp"
    replaced = await store.replace(live, manager="test")
    assert replaced["spec"]["displayName"] == "Corp"


async def test_replace_that_changes_nothing_keeps_the_version(
    store: ResourceStore, namespace: str
) -> None:
    live = await store.create(a_registry(namespace), manager="test")
    assert await store.replace(live, manager="another") == live


async def test_replace_of_labels_alone_keeps_the_generation(
    store: ResourceStore, namespace: str
) -> None:
    created = await store.create(a_registry(namespace), manager="test")
    replaced = await store.replace(
        a_registry(namespace, metadata={"labels": {"a": "b"}}), manager="test"
    )
    assert replaced["metadata"]["generation"] == 1
    assert version(replaced) != version(created)


async def test_replace_moves_changed_fields_to_the_new_manager(
    store: ResourceStore, namespace: str
) -> None:
    await store.create(a_config_map(namespace, data={"a": "1", "b": "1"}), manager="one")
    replaced = await store.replace(
        a_config_map(namespace, data={"a": "1", "b": "2"}), manager="two"
    )
    assert fields_by_manager(replaced) == {
        "one Update": {"f:data": {".": {}, "f:a": {}}},
        "two Update": {"f:data": {"f:b": {}}},
    }


async def test_replace_cannot_set_a_deletion_time(store: ResourceStore, namespace: str) -> None:
    await store.create(a_registry(namespace), manager="test")
    with refused(Code.INVALID, "metadata.deletionTimestamp"):
        await store.replace(
            a_registry(namespace, metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}),
            manager="test",
        )


# ---------------------------------------------------------------- merge


async def test_merge_changes_only_what_it_names(store: ResourceStore, namespace: str) -> None:
    await store.create(a_registry(namespace, displayName="Corp", description="All"), manager="test")
    merged = await store.merge(
        MCP_REGISTRY,
        namespace,
        "corp",
        {"spec": {"description": None, "api": {"replicas": 2}}},
        manager="test",
    )
    assert merged["spec"]["displayName"] == "Corp"
    assert "description" not in merged["spec"]
    assert merged["spec"]["api"] == {"enabled": True, "replicas": 2, "anonymousRead": False}


async def test_merge_of_null_brings_the_default_back(store: ResourceStore, namespace: str) -> None:
    await store.create(a_registry(namespace, syncPolicy={"interval": "2h"}), manager="test")
    merged = await store.merge(
        MCP_REGISTRY, namespace, "corp", {"spec": {"syncPolicy": None}}, manager="test"
    )
    assert merged["spec"]["syncPolicy"]["interval"] == "1h"


async def test_merge_replaces_lists_whole(store: ResourceStore, namespace: str) -> None:
    await store.create(
        a_registry(namespace, filter={"include": {"names": ["a", "b"]}}), manager="test"
    )
    merged = await store.merge(
        MCP_REGISTRY,
        namespace,
        "corp",
        {"spec": {"filter": {"include": {"names": ["c"]}}}},
        manager="test",
    )
    assert merged["spec"]["filter"] == {"include": {"names": ["c"]}}


async def test_merge_at_a_stale_version_is_a_conflict(store: ResourceStore, namespace: str) -> None:
    first = await store.create(a_registry(namespace), manager="test")
    await store.replace(a_registry(namespace, displayName="Corp"), manager="test")
    patch = {"metadata": {"resourceVersion": version(first)}, "spec": {"displayName": "Other"}}
    with refused(Code.CONFLICT):
        await store.merge(MCP_REGISTRY, namespace, "corp", patch, manager="test")


async def test_merge_never_touches_status(store: ResourceStore, namespace: str) -> None:
    created = await store.create(a_registry(namespace), manager="test")
    merged = await store.merge(
        MCP_REGISTRY, namespace, "corp", {"status": {"phase": "Ready"}}, manager="test"
    )
    assert merged == created


async def test_merge_that_changes_nothing_keeps_the_version(
    store: ResourceStore, namespace: str
) -> None:
    created = await store.create(a_registry(namespace, displayName="Corp"), manager="test")
    assert (
        await store.merge(
            MCP_REGISTRY, namespace, "corp", {"spec": {"displayName": "Corp"}}, manager="two"
        )
        == created
    )


async def test_merge_annotates(store: ResourceStore, namespace: str) -> None:
    await store.create(a_registry(namespace), manager="test")
    patch = {"metadata": {"annotations": {"toolhive.stacklok.io/sync-requested-at": "now"}}}
    merged = await store.merge(MCP_REGISTRY, namespace, "corp", patch, manager="cli")
    assert merged["metadata"]["annotations"] == {"toolhive.stacklok.io/sync-requested-at": "now"}
    assert merged["metadata"]["generation"] == 1

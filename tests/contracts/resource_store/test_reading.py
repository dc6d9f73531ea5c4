"""Lists and watches."""

from __future__ import annotations

from contextlib import aclosing

import anyio
import pytest

from tests.contracts.resource_store.objects import (
    PATIENCE,
    a_config_map,
    a_registry,
    a_status,
    changes,
    refused,
    version,
)
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code
from thv.domain.resources import CONFIG_MAP, MCP_REGISTRY
from thv.stores.resources.base import EventType, ResourceStore

pytestmark = pytest.mark.anyio


async def _make(
    store: ResourceStore, namespace: str, *names: str, labels: dict[str, str] | None = None
) -> None:
    for name in names:
        metadata = {"labels": labels} if labels else None
        await store.create(a_config_map(namespace, name, metadata=metadata), manager="test")


async def _names(store: ResourceStore, namespace: str | None, selector: str = "") -> list[str]:
    listed = await store.list(CONFIG_MAP, namespace, selector=selector)
    return [
        item["metadata"]["name"]
        for item in listed.items
        if "kube-root" not in item["metadata"]["name"]
    ]


async def test_list_is_ordered_by_name(store: ResourceStore, namespace: str) -> None:
    await _make(store, namespace, "b", "a-2", "a", "c")
    assert await _names(store, namespace) == ["a", "a-2", "b", "c"]


async def test_list_holds_whole_objects_of_one_kind(store: ResourceStore, namespace: str) -> None:
    created = await store.create(a_registry(namespace), manager="test")
    await _make(store, namespace, "a")
    listed = await store.list(MCP_REGISTRY, namespace)
    assert listed.items == [created]
    assert int(listed.resource_version) >= int(version(created))


async def test_list_of_one_namespace_shows_no_other(store: ResourceStore, namespace: str) -> None:
    await _make(store, namespace, "a")
    await _make(store, "default", "contract-in-default")
    assert await _names(store, namespace) == ["a"]
    assert {"a", "contract-in-default"} <= set(await _names(store, None))
    await store.delete(CONFIG_MAP, "default", "contract-in-default")


async def test_list_is_selected_by_labels(store: ResourceStore, namespace: str) -> None:
    await _make(store, namespace, "a", labels={"tier": "Official", "x": "1"})
    await _make(store, namespace, "b", labels={"tier": "Community"})
    await _make(store, namespace, "c", labels={"x": "2"})
    assert await _names(store, namespace, "tier=Official") == ["a"]
    assert await _names(store, namespace, "tier in (Official, Community)") == ["a", "b"]
    assert await _names(store, namespace, "tier,tier!=Official") == ["b"]
    assert await _names(store, namespace, "x notin (1),x") == ["c"]


async def test_selector_that_cannot_be_read_is_refused(
    store: ResourceStore, namespace: str
) -> None:
    with refused(Code.INVALID):
        await store.list(CONFIG_MAP, namespace, selector="a in (")


async def test_pages_hold_each_object_once(store: ResourceStore, namespace: str) -> None:
    names = [f"item-{number}" for number in range(7)]
    await _make(store, namespace, *names, labels={"page": "me"})
    seen: list[str] = []
    versions: set[str] = set()
    token = ""
    while True:
        page = await store.list(CONFIG_MAP, namespace, selector="page=me", limit=3, continue_=token)
        seen += [item["metadata"]["name"] for item in page.items]
        versions.add(page.resource_version)
        token = page.continue_
        if not token:
            break
    assert seen == names
    assert len(versions) == 1


async def test_continue_token_that_nobody_gave_is_refused(
    store: ResourceStore, namespace: str
) -> None:
    with refused(Code.INVALID):
        await store.list(CONFIG_MAP, namespace, limit=1, continue_="nonsense")


# ---------------------------------------------------------------- watch


async def test_watch_tells_every_change_after_the_list(
    store: ResourceStore, namespace: str
) -> None:
    await _make(store, namespace, "before")
    since = (await store.list(CONFIG_MAP, namespace)).resource_version
    await store.create(a_config_map(namespace, "a", data={"x": "1"}), manager="test")
    await store.replace(a_config_map(namespace, "a", data={"x": "2"}), manager="test")
    await store.delete(CONFIG_MAP, namespace, "a")
    seen = await changes(store, CONFIG_MAP, namespace, since, 3)
    assert [event.type for event in seen] == [
        EventType.ADDED,
        EventType.MODIFIED,
        EventType.DELETED,
    ]
    assert [event.object["data"] for event in seen] == [{"x": "1"}, {"x": "2"}, {"x": "2"}]
    assert [event.object["kind"] for event in seen] == ["ConfigMap"] * 3


async def test_versions_of_a_watch_only_grow(store: ResourceStore, namespace: str) -> None:
    since = (await store.list(CONFIG_MAP, namespace)).resource_version
    await _make(store, namespace, "a", "b", "c")
    await store.delete(CONFIG_MAP, namespace, "b")
    seen = await changes(store, CONFIG_MAP, namespace, since, 4)
    versions = [int(event.resource_version) for event in seen]
    assert versions == sorted(set(versions))
    assert versions[0] > int(since)


async def test_watch_resumes_behind_any_of_its_events(store: ResourceStore, namespace: str) -> None:
    since = (await store.list(CONFIG_MAP, namespace)).resource_version
    await _make(store, namespace, "a", "b", "c")
    first, second, third = await changes(store, CONFIG_MAP, namespace, since, 3)
    assert await changes(store, CONFIG_MAP, namespace, first.resource_version, 2) == [second, third]


async def test_watch_tells_nothing_of_other_kinds_and_namespaces(
    store: ResourceStore, namespace: str
) -> None:
    since = (await store.list(CONFIG_MAP, namespace)).resource_version
    await store.create(a_registry(namespace), manager="test")
    await _make(store, "default", "contract-elsewhere")
    await _make(store, namespace, "here")
    await store.delete(CONFIG_MAP, "default", "contract-elsewhere")
    (event,) = await changes(store, CONFIG_MAP, namespace, since, 1)
    assert event.object["metadata"]["name"] == "here"


async def test_watch_of_all_namespaces_tells_of_each(store: ResourceStore, namespace: str) -> None:
    since = (await store.list(MCP_REGISTRY)).resource_version
    mine: JsonObject = {"labels": {"whose": namespace}}  # namespaces of other tests still go
    await store.create(a_registry(namespace, metadata=mine), manager="test")
    elsewhere = a_registry("default", "contract-elsewhere", metadata=mine)
    await store.create(elsewhere, manager="test")
    seen = await changes(store, MCP_REGISTRY, None, since, 2, selector=f"whose={namespace}")
    assert {event.object["metadata"]["namespace"] for event in seen} == {namespace, "default"}
    await store.delete(MCP_REGISTRY, "default", "contract-elsewhere")


async def test_watch_with_a_selector_tells_what_matches_and_what_ceases_to(
    store: ResourceStore, namespace: str
) -> None:
    since = (await store.list(CONFIG_MAP, namespace)).resource_version
    await store.create(a_config_map(namespace, "other"), manager="test")
    mine = a_config_map(namespace, "mine", metadata={"labels": {"whose": "ours"}})
    await store.create(mine, manager="test")
    lost: JsonObject = {"metadata": {"labels": {"whose": "theirs"}}}
    await store.merge(CONFIG_MAP, namespace, "mine", lost, manager="test")
    seen = await changes(store, CONFIG_MAP, namespace, since, 2, selector="whose=ours")
    assert [(event.type, event.object["metadata"]["name"]) for event in seen] == [
        (EventType.ADDED, "mine"),
        (EventType.DELETED, "mine"),
    ]


async def test_one_object_is_read_by_name_alone(store: ResourceStore, namespace: str) -> None:
    since = (await store.list(CONFIG_MAP, namespace)).resource_version
    await _make(store, namespace, "a", "ab", "b")
    await store.merge(CONFIG_MAP, namespace, "ab", {"data": {"k": "new"}}, manager="test")
    await store.merge(CONFIG_MAP, namespace, "a", {"data": {"k": "new"}}, manager="test")
    (listed,) = (await store.list(CONFIG_MAP, namespace, name="a")).items
    assert listed["metadata"]["name"] == "a"
    seen = await changes(store, CONFIG_MAP, namespace, since, 2, name="a")
    assert [(event.type, event.object["metadata"]["name"]) for event in seen] == [
        (EventType.ADDED, "a"),
        (EventType.MODIFIED, "a"),
    ]


async def test_partial_reading_keeps_metadata(store: ResourceStore, namespace: str) -> None:
    since = (await store.list(CONFIG_MAP, namespace)).resource_version
    labelled = a_config_map(namespace, "a", metadata={"labels": {"x": "y"}}, data={"k": "v"})
    made = await store.create(labelled, manager="test")
    (listed,) = (await store.list(CONFIG_MAP, namespace, name="a", partial=True)).items
    (event,) = await changes(store, CONFIG_MAP, namespace, since, 1, partial=True)
    for obj in (listed, event.object):
        assert {**obj["metadata"], "managedFields": None} == {
            **made["metadata"],
            "managedFields": None,
        }
        assert (obj["apiVersion"], obj["kind"]) == ("v1", "ConfigMap")


async def test_watch_waits_for_what_is_written_later(store: ResourceStore, namespace: str) -> None:
    since = (await store.list(CONFIG_MAP, namespace)).resource_version
    seen: list[str] = []
    started = anyio.Event()

    async def watch() -> None:
        started.set()
        seen.extend(
            e.object["metadata"]["name"]
            for e in await changes(store, CONFIG_MAP, namespace, since, 2)
        )

    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch)
            await started.wait()
            await _make(store, namespace, "a", "b")
    assert seen == ["a", "b"]


async def test_two_watches_see_the_same(store: ResourceStore, namespace: str) -> None:
    since = (await store.list(CONFIG_MAP, namespace)).resource_version
    seen: list[list[str]] = []

    async def watch() -> None:
        found = await changes(store, CONFIG_MAP, namespace, since, 2)
        seen.append([event.object["metadata"]["name"] for event in found])

    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch)
            tasks.start_soon(watch)
            await _make(store, namespace, "a", "b")
    assert seen == [["a", "b"], ["a", "b"]]


async def test_a_write_that_changes_nothing_tells_nothing(
    store: ResourceStore, namespace: str
) -> None:
    await store.apply(a_registry(namespace), manager="one")
    written = await store.apply_status(a_status(namespace, phase="Ready"), manager="operator")
    await store.apply(a_registry(namespace), manager="one")
    await store.apply_status(a_status(namespace, phase="Ready"), manager="operator")
    await store.delete(MCP_REGISTRY, namespace, "corp")
    (event,) = await changes(store, MCP_REGISTRY, namespace, version(written), 1)
    assert event.type is EventType.DELETED


async def test_a_watch_can_be_left(store: ResourceStore, namespace: str) -> None:
    since = (await store.list(CONFIG_MAP, namespace)).resource_version
    await _make(store, namespace, "a")
    async with aclosing(store.watch(CONFIG_MAP, namespace, since=since)) as events:
        assert (await anext(events)).object["metadata"]["name"] == "a"
    await _make(store, namespace, "b")

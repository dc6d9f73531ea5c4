"""Writing what was generated: all of it, or nothing that stays, wherever it is interrupted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.catalog.generate.mortal import KilledError, Mortal
from tests.catalog.generate.requests import NAMESPACE, generated, osv, request, wanted
from thv.catalog.generate.create import create, replace
from thv.catalog.generate.manifests import Generation
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.domain.pending import COMPLETABLE, OF_REGISTRY, PATIENCE, PENDING, is_pending
from thv.domain.registry import load_registry
from thv.domain.resources import (
    CONFIG_MAP,
    MCP_REGISTRY,
    TOOL_CONFIG,
    annotations_of,
    metadata_of,
    uid_of,
)
from thv.domain.times import parse_time
from thv.stores.resources.memory import MemoryStore
from thv.sync.expire import expire

pytestmark = pytest.mark.anyio

KINDS = (CONFIG_MAP, TOOL_CONFIG, MCP_REGISTRY)


def selection(**more: Any) -> Generation:
    """Two servers, of which one has chosen tools."""
    other = osv(tools=["a"])
    other = type(other)(server={**other.server, "name": "io.example/b"})
    chosen = wanted("osv", tools_filter=["scan"], tool_overrides={"scan": {"name": "corp"}})
    return generated(request(chosen, wanted("io.example/b"), **more), osv(), other)


def now() -> datetime:
    return datetime.now(UTC)


async def state(store: MemoryStore) -> dict[str, JsonObject]:
    """Everything of the namespace, without what differs from run to run."""
    found: dict[str, JsonObject] = {}
    for kind in KINDS:
        for obj in (await store.list(kind, NAMESPACE)).items:
            annotations = {k: v for k, v in annotations_of(obj).items() if k != OF_REGISTRY}
            metadata = metadata_of(obj)
            found[f"{kind.kind}/{metadata['name']}"] = {
                "labels": metadata["labels"],
                "annotations": annotations,
                **{key: obj[key] for key in ("data", "spec") if key in obj},
            }
    return found


async def undisturbed() -> dict[str, JsonObject]:
    store = MemoryStore()
    await create(store, selection(), now())
    return await state(store)


async def test_everything_is_written_and_the_mark_goes() -> None:
    store = MemoryStore()
    written = await create(store, selection(), now())
    assert written.objects == (
        "ConfigMap/mine-data",
        "MCPToolConfig/mine-osv",
        "MCPRegistry/mine",
    )
    found = await state(store)
    assert set(found) == set(written.objects)
    assert PENDING not in found["MCPRegistry/mine"]["annotations"]
    live = await store.get(MCP_REGISTRY, NAMESPACE, "mine")
    for kind, name in ((CONFIG_MAP, "mine-data"), (TOOL_CONFIG, "mine-osv")):
        obj = await store.get(kind, NAMESPACE, name)
        assert annotations_of(obj)[OF_REGISTRY] == uid_of(live)
        assert "ownerReferences" not in metadata_of(obj)
    for manifest in selection().manifests:
        assert (
            metadata_of(manifest)["annotations"].items()
            <= found[f"{manifest['kind']}/{metadata_of(manifest)['name']}"]["annotations"].items()
        )


async def test_a_dry_run_checks_everything_and_writes_nothing() -> None:
    store = MemoryStore()
    await create(store, selection(), now(), dry_run=True)
    assert await state(store) == {}
    await create(store, selection(), now())
    with pytest.raises(ThvError) as caught:
        await create(store, selection(), now(), dry_run=True)
    assert caught.value.code is Code.ALREADY_EXISTS


async def test_a_name_that_is_taken_is_not_touched() -> None:
    store = MemoryStore()
    await create(store, selection(), now())
    before = await state(store)
    with pytest.raises(ThvError) as caught:
        await create(store, selection(), now())
    assert caught.value.code is Code.ALREADY_EXISTS
    assert caught.value.details["field"] == "metadata.registry_name"
    assert await state(store) == before


@pytest.mark.parametrize("place", [0, 1])
async def test_what_belongs_to_somebody_else_is_not_touched(place: int) -> None:
    store = MemoryStore()
    foreign = selection().manifests[place]
    await store.create(
        {**foreign, "metadata": {**foreign["metadata"], "annotations": {}}}, manager="else"
    )
    before = await state(store)
    with pytest.raises(ThvError) as caught:
        await create(store, selection(), now())
    assert caught.value.code is Code.ALREADY_EXISTS
    assert await state(store) == before


async def _writes() -> int:
    mortal = Mortal(MemoryStore())
    await create(mortal, selection(), now())
    return len(mortal.written)


@pytest.mark.requirement("CAT-07")
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_killed_at_any_write_the_same_request_completes_it(after: bool) -> None:
    whole = await undisturbed()
    for writes in range(await _writes()):
        store = MemoryStore()
        with pytest.raises(KilledError):
            await create(Mortal(store, writes, after=after), selection(), now())
        if (await state(store)).get("MCPRegistry/mine", {}).get("annotations", {}).get(
            PENDING, ""
        ) or not await state(store):
            await create(store, selection(), now())
        assert await state(store) == whole


@pytest.mark.requirement("CAT-07")
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_killed_at_any_write_nothing_is_left_after_ten_minutes(after: bool) -> None:
    whole = await undisturbed()
    for writes in range(await _writes()):
        store = MemoryStore()
        with pytest.raises(KilledError):
            await create(Mortal(store, writes, after=after), selection(), now())
        for obj in (await store.list(MCP_REGISTRY, NAMESPACE)).items:
            registry = load_registry(obj)
            if is_pending(registry):
                made = parse_time(registry.created_at) or datetime.now(UTC)
                assert await expire(store, registry, made + timedelta(minutes=9)) == made + PATIENCE
                await expire(store, registry, made + PATIENCE)
        assert await state(store) in ({}, whole)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_the_end_of_one_that_expires_may_be_interrupted_too(after: bool) -> None:
    for writes in range(3):
        store = MemoryStore()
        with pytest.raises(KilledError):
            await create(Mortal(store, 3), selection(), now())
        late = datetime.now(UTC) + timedelta(hours=1)
        with pytest.raises(KilledError):
            await expire(Mortal(store, writes, after=after), await _registry(store), late)
        if await state(store):
            await expire(store, await _registry(store), late)
        assert await state(store) == {}


async def test_one_that_is_about_to_expire_is_completed_by_nobody() -> None:
    store = MemoryStore()
    with pytest.raises(KilledError):
        await create(Mortal(store, 2), selection(), now())
    with pytest.raises(ThvError) as caught:
        await create(store, selection(), now() + COMPLETABLE)
    assert caught.value.code is Code.ALREADY_EXISTS


async def test_another_request_does_not_complete_it() -> None:
    store = MemoryStore()
    with pytest.raises(KilledError):
        await create(Mortal(store, 2), selection(), now())
    with pytest.raises(ThvError) as caught:
        await create(store, selection(configuration={"auto_sync": True}), now())
    assert caught.value.code is Code.ALREADY_EXISTS


async def test_what_fails_takes_back_what_it_made() -> None:
    class Refusing(MemoryStore):
        async def create(self, obj: JsonObject, **options: Any) -> JsonObject:
            if obj["kind"] == "MCPToolConfig" and not options.get("dry_run"):
                raise ThvError(Code.FORBIDDEN, "no")
            return await super().create(obj, **options)

    store = Refusing()
    with pytest.raises(ThvError, match="no"):
        await create(store, selection(), now())
    assert await state(store) == {}


async def test_whatever_somebody_writes_on_a_registry_that_is_whole_it_stays() -> None:
    store = MemoryStore()
    await create(store, selection(), now())
    patch = {"metadata": {"annotations": {PENDING: "x"}}}
    await store.merge(MCP_REGISTRY, NAMESPACE, "mine", patch, manager="somebody")
    await store.apply_status(
        {
            "apiVersion": MCP_REGISTRY.api_version,
            "kind": MCP_REGISTRY.kind,
            "metadata": {"name": "mine", "namespace": NAMESPACE},
            "status": {"observedGeneration": 1},
        },
        manager="toolhive-registry",
    )
    assert not is_pending(await _registry(store))


async def test_the_status_may_be_written_meanwhile() -> None:
    class Busy(MemoryStore):
        async def replace(self, obj: JsonObject, **options: Any) -> JsonObject:
            if self.busy:
                self.busy -= 1
                patch = {"metadata": {"labels": {"beat": str(self.busy)}}}
                await self.merge(MCP_REGISTRY, NAMESPACE, "mine", patch, manager="operator")
            return await super().replace(obj, **options)

        busy = 3

    store = Busy()
    await create(store, selection(), now())
    live = await store.get(MCP_REGISTRY, NAMESPACE, "mine")
    assert PENDING not in annotations_of(live)
    assert metadata_of(live)["labels"]["beat"] == "0"


async def _registry(store: MemoryStore) -> Any:
    return load_registry(await store.get(MCP_REGISTRY, NAMESPACE, "mine"))


# ---------------------------------------------------------------- replace


async def test_a_replacement_changes_all_and_removes_what_is_not_needed() -> None:
    store = MemoryStore()
    await create(store, selection(), now())
    live = await store.get(MCP_REGISTRY, NAMESPACE, "mine")
    smaller = generated(request(wanted("osv"), configuration={"auto_sync": True}), osv())
    dry = await replace(store, smaller, live, dry_run=True)
    assert dry.objects == ("ConfigMap/mine-data", "MCPRegistry/mine")
    assert set(await state(store)) == {
        "ConfigMap/mine-data",
        "MCPToolConfig/mine-osv",
        "MCPRegistry/mine",
    }
    await replace(store, smaller, live)
    found = await state(store)
    assert set(found) == {"ConfigMap/mine-data", "MCPRegistry/mine"}
    assert found["MCPRegistry/mine"]["spec"]["syncPolicy"]["enabled"] is True
    assert "io.example/b" not in found["ConfigMap/mine-data"]["data"]["registry.json"]


async def test_a_replacement_loses_against_an_edit_but_not_against_a_status() -> None:
    store = MemoryStore()
    await create(store, selection(), now())
    live = await store.get(MCP_REGISTRY, NAMESPACE, "mine")
    patch: JsonObject = {"metadata": {"labels": {"a": "b"}}}
    await store.merge(MCP_REGISTRY, NAMESPACE, "mine", patch, manager="somebody")
    await replace(store, selection(), {**live, "metadata": {**live["metadata"]}})
    kept = await store.get(MCP_REGISTRY, NAMESPACE, "mine")
    assert metadata_of(kept)["labels"]["a"] == "b"
    patch = {"spec": {"displayName": "mine alone"}}
    await store.merge(MCP_REGISTRY, NAMESPACE, "mine", patch, manager="somebody")
    with pytest.raises(ThvError) as caught:
        await replace(store, selection(), kept)
    assert caught.value.code is Code.CONFLICT

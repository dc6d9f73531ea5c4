"""What a reconcile does beside syncing: its API, its chunks, its news, and writes that meet those of others."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

import pytest

from tests.builders import server
from tests.sync.world import World
from thv.domain.errors import Code, ThvError
from thv.domain.registry_status import ApiPhase, ApiStatus
from thv.domain.resources import MCP_REGISTRY
from thv.stores.chunks.base import Owner
from thv.sync.api import ApiState
from thv.sync.record import StatusRecord

MOMENT = timedelta(seconds=1)
ENDPOINT = "http://corp-api.default.svc:8080"


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(story)


def deploying(message: str = "0 of 1 pods are ready") -> ApiState:
    status = ApiStatus(phase=ApiPhase.DEPLOYING, endpoint=ENDPOINT, message=message)
    return ApiState(status=status, reason="Deploying")


def available() -> ApiState:
    status = ApiStatus(phase=ApiPhase.READY, endpoint=ENDPOINT, ready_replicas=1)
    return ApiState(status=status)


async def synced() -> World:
    world = World()
    world.publish(server("a/one"))
    await world.apply()
    await world.reconcile()
    return world


@pytest.mark.requirement("API-01")
def test_a_registry_is_ready_when_its_api_is() -> None:
    async def story() -> None:
        world = World()
        world.publish(server("a/one"))
        world.api.state = deploying()
        await world.apply()
        await world.reconcile()
        assert await world.condition("Ready") == "False APINotReady"
        assert await world.condition("APIReady") == "False Deploying"
        assert await world.condition("Reconciling") == "True APINotReady"
        assert (await world.registry()).status.phase == "Pending"
        world.api.state = available()
        await world.reconcile(after=MOMENT)
        assert await world.condition("Ready") == "True Succeeded"
        assert await world.condition("APIReady") == "True Available"
        assert await world.condition("Reconciling") == ""
        status = (await world.registry()).status
        assert (status.phase, status.api_status.endpoint) == ("Ready", ENDPOINT)
        assert world.told.reasons == ["Synced", "APIDeployed"]

    run(story())


def test_an_api_that_stays_as_it_is_is_written_once() -> None:
    async def story() -> None:
        world = await synced()
        world.api.state = available()
        await world.reconcile(after=MOMENT)
        before = (await world.registry()).resource_version
        await world.reconcile(after=MOMENT)
        assert (await world.registry()).resource_version == before

    run(story())


def test_an_api_that_breaks_while_the_source_fails_tells_both_and_comes_back() -> None:
    async def story() -> None:
        world = await synced()
        world.api.state = available()
        world.source.fail(ThvError(Code.SOURCE_UNREACHABLE, "nobody there"))
        await world.reconcile()
        assert await world.condition("Ready") == "True ServingLastGood"
        world.api.state = deploying()
        await world.reconcile(after=MOMENT)
        assert await world.condition("Ready") == "False APINotReady"
        assert await world.condition("SyncSucceeded") == "False Retrying"
        world.api.state = available()
        await world.reconcile(after=MOMENT)
        assert await world.condition("Ready") == "True ServingLastGood"

    run(story())


def test_the_api_is_let_in_before_the_pointer_names_new_chunks() -> None:
    async def story() -> None:
        world = await synced()
        world.publish(server("a/one"), server("a/two"))
        await world.reconcile()
        status = (await world.registry()).status
        pointers = (status.snapshot, status.previous_snapshot)
        named = {ref.name for pointer in pointers if pointer for ref in pointer.chunks}
        assert world.api.admitted[-1] == named
        assert len(world.api.admitted) == 2

    run(story())


def test_a_refused_api_leaves_the_old_pointer() -> None:
    async def story() -> None:
        world = await synced()
        before = (await world.registry()).status.snapshot

        async def refuse(*_: object) -> None:
            raise ThvError(Code.STORE_UNAVAILABLE, "no")

        world.publish(server("a/two"))
        world.api.admit = refuse  # type: ignore[method-assign,assignment] # one call of it fails
        with pytest.raises(ThvError):
            await world.reconcile()
        assert (await world.registry()).status.snapshot == before

    run(story())


def test_repaired_objects_are_told() -> None:
    async def story() -> None:
        world = await synced()
        state = available()
        world.api.state = ApiState(status=state.status, drifted=('service "corp-api"',))
        await world.reconcile(after=MOMENT)
        assert "DriftRepaired" in world.told.reasons

    run(story())


# ---------------------------------------------------------------- chunks


def test_a_chunk_that_is_lost_is_made_again() -> None:
    async def story() -> None:
        world = await synced()
        registry = await world.registry()
        owner = Owner(registry.namespace, registry.name, registry.uid)
        (chunk,) = await world.chunks.list(owner)
        await world.chunks.delete(owner, chunk.name)
        world.now += MOMENT
        await world.reconciler.reconcile(("default", "corp"), chunks_lost=True)
        assert await world.served() == {"a/one": ["1.0.0*"]}

    run(story())


def test_a_chunk_that_was_lost_while_nobody_looked_is_made_again() -> None:
    async def story() -> None:
        world = await synced()
        registry = await world.registry()
        owner = Owner(registry.namespace, registry.name, registry.uid)
        (chunk,) = await world.chunks.list(owner)
        await world.chunks.delete(owner, chunk.name)
        world.forget_working_state()
        await world.reconcile(after=MOMENT)
        assert await world.served() == {"a/one": ["1.0.0*"]}

    run(story())


async def unnamed(world: World) -> set[str]:
    """Chunks that no pointer names."""
    registry = await world.registry()
    owner = Owner(registry.namespace, registry.name, registry.uid)
    status = registry.status
    pointers = (status.snapshot, status.previous_snapshot)
    named = {ref.name for pointer in pointers if pointer for ref in pointer.chunks}
    return {chunk.name for chunk in await world.chunks.list(owner)} - named


def test_old_chunks_go_although_nothing_changes_any_more() -> None:
    async def story() -> None:
        world = await synced()
        for version in ("2.0.0", "3.0.0", "4.0.0"):
            world.publish(server("a/one", version))
            await world.annotate(sync_requested_at=version)
            again = await world.reconcile(after=MOMENT)
        assert len(await unnamed(world)) == 1
        assert again is not None
        assert again - world.now <= timedelta(minutes=10)
        await world.reconcile(after=timedelta(minutes=10))
        assert not await unnamed(world)

    run(story())


def test_old_chunks_go_although_the_first_look_at_them_failed() -> None:
    async def story() -> None:
        world = await synced()
        look = world.chunks.list

        async def fails(owner: Owner) -> Any:
            raise ThvError(Code.STORE_UNAVAILABLE, "no answer")

        for version in ("2.0.0", "3.0.0"):
            world.publish(server("a/one", version))
            await world.annotate(sync_requested_at=version)
            await world.reconcile(after=MOMENT)
        world.publish(server("a/one", "4.0.0"))
        await world.annotate(sync_requested_at="now")
        world.chunks.list = fails  # type: ignore[method-assign] # behind the new pointer
        with pytest.raises(ThvError):
            await world.reconcile(after=MOMENT)
        world.chunks.list = look  # type: ignore[method-assign]
        assert len(await unnamed(world)) == 1
        await world.reconcile(after=timedelta(minutes=11))
        assert not await unnamed(world)

    run(story())


def test_a_chunk_of_a_sync_that_ended_half_way_goes_although_its_content_went_before() -> None:
    async def story() -> None:
        world = await synced()
        admit = world.api.admit

        async def refuse(*_: object) -> None:
            raise ThvError(Code.STORE_UNAVAILABLE, "no")

        world.publish(server("a/one", "2.0.0"))
        world.api.admit = refuse  # type: ignore[method-assign,assignment] # one call of it fails
        with pytest.raises(ThvError):
            await world.reconcile()
        world.api.admit = admit  # type: ignore[method-assign]
        assert len(await unnamed(world)) == 1
        world.publish(server("a/one"))
        await world.reconcile()
        assert not await unnamed(world)

    run(story())


# ---------------------------------------------------------------- news


def test_each_change_is_told_once() -> None:
    async def story() -> None:
        world = await synced()
        await world.reconcile()
        world.publish(server("a/one"), server("a/two"))
        await world.reconcile()
        world.publish(server("a/two"))
        await world.reconcile()
        assert world.told.reasons == [
            "Synced",
            *("Synced", "ServersAdded"),
            *("Synced", "ServersRemoved"),
        ]

    run(story())


def test_a_failure_is_told_once_a_reason_and_hour() -> None:
    async def story() -> None:
        world = await synced()
        for code in (*[Code.SOURCE_UNREACHABLE] * 3, Code.FORMAT_INVALID):
            world.source.fail(ThvError(code, f"failed at {world.now}"))
            await world.annotate(sync_requested_at=str(world.now))
            await world.reconcile(after=timedelta(minutes=5))
        assert world.told.reasons == ["Synced", "SourceUnreachable", "SyncFailed"]

    run(story())


# ---------------------------------------------------------------- writes of others


def test_an_edit_meanwhile_does_not_keep_a_status_from_being_written() -> None:
    async def story() -> None:
        world = await synced()
        registry = await world.registry()
        record = StatusRecord(world.store, registry)
        await world.annotate(sync_requested_at="meanwhile")
        assert await record.write(registry.status)
        assert (await world.registry()).annotations

    run(story())


def test_a_status_is_not_written_over_a_newer_one() -> None:
    async def story() -> None:
        world = await synced()
        stale = StatusRecord(world.store, await world.registry())
        old = (await world.registry()).status
        world.publish(server("a/two"))
        await world.reconcile()
        with pytest.raises(ThvError) as error:
            await stale.write(old)
        assert error.value.code is Code.CONFLICT
        assert await world.served() == {"a/two": ["1.0.0*"]}

    run(story())


def test_the_status_of_a_registry_that_is_gone_is_written_nowhere() -> None:
    async def story() -> None:
        world = await synced()
        registry = await world.registry()
        record = StatusRecord(world.store, registry)
        await world.store.delete(MCP_REGISTRY, "default", "corp")
        assert not await record.write(registry.status)
        await world.apply()  # another one of the same name
        assert not await StatusRecord(world.store, registry).write(registry.status)
        assert (await world.registry()).status.snapshot is None

    run(story())


# ---------------------------------------------------------------- objects of another version


@pytest.mark.parametrize(
    ("part", "junk"),
    [("spec", {"source": {"type": "pigeon"}}), ("status", {"phase": "Flying", "conditions": 3})],
)
def test_an_object_that_cannot_be_read_says_so_and_concerns_nobody_else(
    part: str, junk: dict[str, Any]
) -> None:
    async def story() -> None:
        world = await synced()
        get = world.store.get

        async def strange(*key: Any) -> Any:
            obj = await get(*key)
            return {**obj, part: junk} if key[-1] == "corp" else obj

        world.store.get = strange  # type: ignore[method-assign,assignment] # the schema lets no such object in
        await world.reconcile()
        world.store.get = get  # type: ignore[method-assign]
        stalled = (await world.registry()).status.conditions
        (told,) = [each for each in stalled if each.type == "Stalled"]
        assert told.reason == "Invalid"
        assert f"{part}." in told.message

    run(story())

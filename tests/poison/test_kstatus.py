"""Every status that a sync can leave reads right: current only what is served and up to date, failed only what is stalled."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.builders import server
from tests.poison.kstatus import Reading, reading
from tests.sync.world import OPENED, World
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.domain.reasons import REASONS, ReasonWord
from thv.domain.registry_status import ApiPhase, ApiStatus, Trigger
from thv.domain.resources import MCP_REGISTRY
from thv.sync.api import ApiState
from thv.sync.fetch import Progress
from thv.sync.record import StatusRecord
from thv.sync.status import syncing

CURRENT, IN_PROGRESS = Reading.CURRENT, Reading.IN_PROGRESS
FAILED, TERMINATING = Reading.FAILED, Reading.TERMINATING
EXPLAINED = {(reason.type, reason.status, reason.word) for reason in REASONS}
STALLED = {Code.INVALID, Code.SOURCE_TYPE_UNSUPPORTED, Code.REGISTRY_CYCLE}


@pytest.fixture(autouse=True)
def _close_what_worlds_opened() -> Iterator[None]:
    yield
    while OPENED:
        OPENED.pop().close()


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(story)


async def read(world: World) -> Reading:
    """What kstatus makes of the registry, each of whose conditions the reference explains."""
    obj = await world.store.get(MCP_REGISTRY, "default", "corp")
    said = {(each["type"], each["status"], each["reason"]) for each in _conditions(obj)}
    assert said <= EXPLAINED
    return reading(obj)


def _conditions(obj: JsonObject) -> list[JsonObject]:
    conditions: list[JsonObject] = obj.get("status", {}).get("conditions", [])
    return conditions


async def synced(**spec: Any) -> World:
    world = World()
    world.publish(server("a/one"))
    await world.apply(**spec)
    await world.reconcile()
    return world


def api(phase: ApiPhase, reason: ReasonWord, *, message: str = "why") -> ApiState:
    endpoint = "http://corp-api.default.svc:8080"
    return ApiState(
        status=ApiStatus(phase=phase, endpoint=endpoint, message=message), reason=reason
    )


def test_a_registry_is_in_progress_until_its_first_sync_is_done() -> None:
    async def story() -> None:
        world = World()
        world.publish(server("a/one"))
        await world.apply()
        obj = await world.store.get(MCP_REGISTRY, "default", "corp")
        assert (
            "status" not in obj
        )  # reads as current for the moment until it is looked at: nothing can be said of it
        await world.reconcile()
        assert await read(world) is CURRENT

    run(story())


def test_a_new_spec_is_in_progress_until_it_is_served() -> None:
    async def story() -> None:
        world = await synced()
        await world.apply(filter={"exclude": {"names": ["b"]}})
        assert await read(world) is IN_PROGRESS
        await world.reconcile()
        assert await read(world) is CURRENT

    run(story())


@pytest.mark.parametrize("code", Code)
@pytest.mark.parametrize("served", [False, True])
@pytest.mark.parametrize("attempts", [1, 6])
def test_a_failed_sync_is_never_current(code: Code, served: bool, attempts: int) -> None:
    """Neither while retries are left, nor later: what is served is not what the source holds."""

    async def story() -> None:
        world = await synced() if served else World()
        await world.apply()
        for _ in range(attempts):
            world.source.fail(ThvError(code, "it failed"))
            await world.reconcile()
        assert await read(world) is (FAILED if code in STALLED else IN_PROGRESS)
        assert await world.condition("Ready") != ""
        world.publish(server("a/one"), server("a/two"))
        await world.apply(displayName="mended")
        await world.reconcile()
        assert await read(world) is CURRENT

    run(story())


@pytest.mark.parametrize("document", [b"[]", b"<html>", b"{", b"\xff", b""])
@pytest.mark.parametrize("served", [False, True])
def test_content_that_cannot_be_served_is_never_current(document: bytes, served: bool) -> None:
    async def story() -> None:
        world = await synced() if served else World()
        world.source.publish(document)
        await world.apply()
        await world.reconcile()
        assert await read(world) is IN_PROGRESS
        assert await world.condition("DataValid") != "True Parsed"

    run(story())


@pytest.mark.parametrize(
    ("state", "wanted"),
    [
        (api(ApiPhase.NOT_STARTED, "Deploying"), IN_PROGRESS),
        (api(ApiPhase.DEPLOYING, "Deploying"), IN_PROGRESS),
        (api(ApiPhase.UNHEALTHY, "APIDeploymentUnavailable"), IN_PROGRESS),
        (api(ApiPhase.ERROR, "QuotaExceeded"), IN_PROGRESS),
        (api(ApiPhase.READY, "Available"), CURRENT),
        (None, CURRENT),
    ],
)
@pytest.mark.parametrize("later", [False, True])
def test_content_without_an_api_that_answers_is_not_current(
    state: ApiState | None, wanted: Reading, later: bool
) -> None:
    async def story() -> None:
        world = World()
        world.publish(server("a/one"))
        if later:
            await world.apply()
            await world.reconcile()
        world.api.state = state
        await world.apply()
        await world.reconcile()
        assert await read(world) is wanted
        world.api.state = api(ApiPhase.READY, "Available", message="")
        await world.reconcile(after=timedelta(seconds=1))
        assert await read(world) is CURRENT

    run(story())


@pytest.mark.parametrize("served", [False, True])
def test_a_long_sync_is_in_progress(served: bool) -> None:
    async def story() -> None:
        world = await synced() if served else World()
        await world.apply()
        registry = await world.registry()
        status = syncing(registry, Trigger.INTERVAL, world.now, world.now, Progress(entries=7))
        assert await StatusRecord(world.store, registry).write(status)
        assert await read(world) is IN_PROGRESS
        world.publish(server("a/two"))
        await world.reconcile()
        assert await read(world) is CURRENT

    run(story())


@pytest.mark.parametrize(("served", "wanted"), [(True, CURRENT), (False, IN_PROGRESS)])
def test_a_suspended_registry_is_current_when_it_serves_something(
    served: bool, wanted: Reading
) -> None:
    async def story() -> None:
        world = await synced() if served else World()
        world.publish(server("a/one"))
        await world.apply(syncPolicy={"enabled": False})
        await world.reconcile()
        assert await read(world) is wanted

    run(story())


def test_a_registry_that_is_stalled_and_suspended_is_not_current() -> None:
    async def story() -> None:
        world = World()
        world.source.fail(ThvError(Code.REGISTRY_CYCLE, "round and round"))
        await world.apply()
        await world.reconcile()
        assert await read(world) is FAILED
        await world.apply(syncPolicy={"enabled": False})
        await world.reconcile()
        assert await read(world) is not CURRENT

    run(story())


def test_a_registry_that_is_held_while_it_is_deleted_is_terminating() -> None:
    async def story() -> None:
        world = await synced()
        held = {"metadata": {"finalizers": ["example.com/mine"]}}
        await world.store.merge(MCP_REGISTRY, "default", "corp", held, manager="test")
        await world.store.delete(MCP_REGISTRY, "default", "corp")
        await world.reconcile()
        assert await read(world) is TERMINATING

    run(story())


def test_an_empty_selection_and_a_governed_registry_are_current() -> None:
    async def story() -> None:
        world = await synced(filter={"include": {"names": ["nothing"]}})
        assert await read(world) is CURRENT
        policy = {"approvalRequired": True}
        await world.apply(trustLevel="trusted", validationPolicy=policy)
        await world.reconcile()
        assert await read(world) is CURRENT

    run(story())

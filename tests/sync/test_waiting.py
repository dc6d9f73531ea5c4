"""A first sync that comes too early: its source has nothing to give yet."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

import pytest

from tests.builders import registry, server
from tests.sync.test_due import NOW, stored
from tests.sync.world import World
from thv.domain.errors import Code, ThvError
from thv.domain.registry_status import Phase, SyncPhase
from thv.sync.due import look_for_source, waits_for_source

NOT_READY = ThvError(Code.SOURCE_NOT_READY, 'the registry "raw" has not served anything yet')
MESSAGE = 'it waits: the registry "raw" has not served anything yet'
SOON = timedelta(seconds=40)


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(story)


async def waiting(**spec: Any) -> World:
    world = World()
    world.source.fail(NOT_READY, times=2)
    await world.apply(**spec)
    await world.reconcile()
    return world


def test_it_waits_and_does_not_fail() -> None:
    async def story() -> None:
        world = await waiting()
        status = (await world.registry()).status
        sync = status.sync_status
        assert (status.phase, sync.phase, sync.error) == (Phase.PENDING, SyncPhase.IDLE, None)
        assert (sync.history, sync.attempt_count) == ((), 0)
        assert status.waits_because == MESSAGE
        assert await world.condition("Ready") == "False Progressing"
        assert await world.condition("Reconciling") == "True Progressing"
        assert await world.condition("SyncSucceeded") == ""
        assert world.told.reasons == []

    run(story())


def test_it_looks_again_soon_says_so_once_and_forgets_that_it_waited() -> None:
    async def story() -> None:
        world = await waiting()
        before = (await world.registry()).resource_version
        again = await world.reconcile(after=SOON)
        assert again is not None
        assert again - world.now <= SOON
        await world.reconcile(after=timedelta(seconds=1))
        assert world.source.fetches == 2
        assert (await world.registry()).resource_version == before
        world.publish(server("a/one"))
        await world.reconcile(after=SOON)
        status = (await world.registry()).status
        assert await world.served() == {"a/one": ["1.0.0*"]}
        assert [each.outcome for each in status.sync_status.history] == ["Succeeded"]
        assert (status.waits_because, status.phase) == ("", Phase.READY)

    run(story())


def test_whoever_asks_for_a_sync_meanwhile_is_answered() -> None:
    async def story() -> None:
        world = await waiting()
        await world.annotate(sync_requested_at="now")
        await world.reconcile(after=timedelta(seconds=1))
        status = (await world.registry()).status
        assert (status.last_handled_sync_request, status.waits_because) == ("now", MESSAGE)

    run(story())


def test_a_failure_before_it_is_no_news_any_more() -> None:
    async def story() -> None:
        world = World()
        world.source.fail(ThvError(Code.SOURCE_NOT_FOUND, "there is no such registry"))
        await world.apply()
        await world.reconcile()
        assert await world.condition("SourceAvailable") == "False NotFound"
        world.source.fail(NOT_READY)
        await world.reconcile()
        assert await world.condition("SourceAvailable") == ""
        assert (await world.registry()).status.waits_because == MESSAGE

    run(story())


def test_one_that_serves_something_fails_when_its_source_has_nothing_any_more() -> None:
    async def story() -> None:
        world = World()
        world.publish(server("a/one"))
        await world.apply()
        await world.reconcile()
        world.source.fail(NOT_READY)
        await world.reconcile()
        assert await world.condition("Ready") == "True ServingLastGood"
        assert await world.served() == {"a/one": ["1.0.0*"]}

    run(story())


def test_suspended_it_waits_for_nothing() -> None:
    async def story() -> None:
        world = await waiting()
        await world.apply(syncPolicy={"enabled": False})
        await world.reconcile(after=SOON)
        assert (await world.registry()).status.waits_because == ""

    run(story())


@pytest.mark.parametrize(
    ("code", "waits"), [(Code.SOURCE_NOT_READY, True), (Code.SOURCE_UNREACHABLE, False)]
)
def test_only_a_source_that_has_nothing_yet_is_waited_for(code: Code, *, waits: bool) -> None:
    assert waits_for_source(registry(), ThvError(code, "nothing")) is waits


def test_the_next_look_is_near() -> None:
    assert timedelta(seconds=25) < look_for_source(stored(), NOW) - NOW < SOON

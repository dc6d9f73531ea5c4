"""A source that is looked at every second is read when it shows something new, and only then."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.builders import server
from tests.sync.world import World
from thv.sources.memory import MemorySource

pytestmark = pytest.mark.anyio

SECOND = timedelta(seconds=1)
FILE = {"type": "file", "file": {"path": "/registry.json"}}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Glanced(MemorySource):
    """Shows what it is told to show."""

    sight = "first"

    async def glance(self) -> str:
        return self.sight


@pytest.fixture
async def world() -> World:
    world = World()
    world.source = Glanced()
    world.publish(server("io.example/a"))
    await world.apply(source=FILE)
    for _ in range(3):
        await world.reconcile(after=SECOND)
    return world


def glanced(world: World) -> Glanced:
    assert isinstance(world.source, Glanced)
    return world.source


async def test_what_is_broken_is_read_once_and_its_repair_is_noticed(world: World) -> None:
    source = glanced(world)
    source.publish(b'{"servers": {')
    source.sight, before = "broken", source.fetches
    for _ in range(5):
        await world.reconcile(after=SECOND)
    assert source.fetches == before + 1
    assert (await world.registry()).status.sync_status.attempt_count == 1
    assert await world.served() == {"io.example/a": ["1.0.0*"]}
    world.publish(server("io.example/b"))
    source.sight = "repaired"
    await world.reconcile(after=SECOND)
    assert await world.served() == {"io.example/b": ["1.0.0*"]}


async def test_what_shows_nothing_new_is_not_read(world: World) -> None:
    before = world.source.fetches
    for _ in range(5):
        await world.reconcile(after=SECOND)
    assert world.source.fetches == before

"""A URL that leads to one page of an API is not taken for the whole registry in silence."""

from __future__ import annotations

import msgspec
import pytest

from tests.builders import item, server
from tests.sync.world import World
from thv.sources.base import Pages
from thv.sources.memory import MemorySource

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Remote(MemorySource):
    """As a URL: where it is, there may be an API."""

    async def discover(self) -> Pages | None:
        return None


@pytest.mark.parametrize("member", ["nextCursor", "next_cursor"])
async def test_one_page_of_several_is_named(member: str) -> None:
    world = World()
    world.source = Remote()
    page = {"servers": [item(server("io.example/a"))], "metadata": {"count": 1, member: "more"}}
    world.source.publish(msgspec.json.encode(page))
    await world.apply()
    await world.reconcile()
    assert await world.served() == {"io.example/a": ["1.0.0*"]}
    conditions = (await world.registry()).status.conditions
    (valid,) = (condition for condition in conditions if condition.type == "DataValid")
    assert valid.reason == "ParsedWithSkips"
    assert "one page of several" in valid.message
    page["metadata"].pop(member)  # type: ignore[attr-defined] # it is a dict
    world.source.publish(msgspec.json.encode(page))
    await world.reconcile()
    assert await world.condition("DataValid") == "True Parsed"

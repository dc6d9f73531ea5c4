"""What a registry would take, told before there is one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.builders import item, manifest, server
from tests.sync.world import World
from thv.domain.errors import Code, ThvError
from thv.domain.left_out import LeftOut
from thv.domain.registry import load_registry
from thv.sources.base import Known
from thv.stores.mirrors.base import Problem
from thv.sync.flow import Tools
from thv.sync.preview import Limits, Preview, preview

pytestmark = pytest.mark.requirement("REG-09")


def looked(world: World, limits: Limits = Limits(), **spec: Any) -> Preview:  # noqa: B008
    tools: Tools = world.reconciler._tools
    return asyncio.run(preview(load_registry(manifest("new", **spec)), tools, limits))


def test_what_filter_and_policy_take_and_leave_is_told() -> None:
    world = World()
    world.publish(server("a/one"), server("a/two"), server("b/three"), server("c/four"))
    found = looked(
        world,
        filter={"include": {"names": ["a/*", "c/*"]}},
        validationPolicy={"blockedPatterns": ["c/*"]},
    )
    assert found == Preview(
        cut="",
        format="upstream",
        entries=4,
        taken=2,
        filtered=1,
        blocked=1,
        first=("a/one", "a/two"),
        left_out=(
            LeftOut("b/three", 1, ("filter.include.names",)),
            LeftOut("c/four", 1, ("validationPolicy.blockedPatterns",)),
        ),
    )
    assert world.chunks.puts == 0, "nothing is kept"


def test_the_first_problems_are_told() -> None:
    world = World()
    world.publish(server("a/one"), {"name": "b/two"}, {"version": "1.0.0"})
    found = looked(world)
    assert (found.taken, found.rejected, len(found.problems)) == (1, 2, 2)
    assert isinstance(found.problems[0], Problem)


def test_no_more_than_the_limit_is_read() -> None:
    world = World()
    world.publish(*(server(f"a/n{number:03}") for number in range(200)))
    found = looked(world, Limits(entries=50))
    assert (found.cut, found.entries, found.taken) == ("entries", 50, 50)
    assert len(found.first) == 10
    pages = [[item(server(f"p/{page}-{n}")) for n in range(30)] for page in range(5)]
    world.mirror = "pages"
    world.publish_pages(*pages)
    assert looked(world, Limits(entries=50)).cut == "entries"


def test_a_source_that_brings_nothing_in_time_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()

    async def never(_: Known) -> Any:
        await asyncio.Event().wait()

    monkeypatch.setattr(world.source, "fetch", never)
    with pytest.raises(ThvError) as caught:
        looked(world, Limits(seconds=0.01))
    assert caught.value.code is Code.SOURCE_TIMEOUT


def test_what_a_source_refuses_is_what_a_sync_would_fail_with() -> None:
    world = World()
    world.publish()
    with pytest.raises(ThvError) as caught:
        looked(world)
    assert caught.value.code is Code.EMPTY

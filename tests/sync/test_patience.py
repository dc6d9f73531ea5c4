"""How long a sync waits for a source that brings nothing."""

from __future__ import annotations

import asyncio

import pytest

from tests.builders import registry, server
from tests.sync.world import START, World
from thv.sources.base import Document, Known, Unchanged
from thv.sync.fetch import Progress
from thv.sync.flow import Run, _renewing

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Silent:
    """A source that never answers."""

    origin = "silent"

    async def fetch(self, _known: Known) -> Document | Unchanged:
        await asyncio.Event().wait()
        raise AssertionError


async def test_what_is_brought_renews_the_patience() -> None:
    told: list[Progress] = []
    run = Run(registry=registry(), not_before=START, report=told.append, patience=60)
    async with asyncio.timeout(60) as limit:  # noqa: ASYNC100 # it is looked at, not waited for
        before = limit.when()
        _renewing(run, limit).report(Progress(entries=1))
        after = limit.when()
    assert before is not None
    assert after is not None
    assert after > before
    assert told == [Progress(entries=1)]


@pytest.mark.flows
async def test_a_source_that_stays_silent_is_given_up_and_the_content_kept() -> None:
    world = World()
    world.publish(server("io.example/a"))
    await world.apply(syncPolicy={"timeout": "1s"})
    await world.reconcile()
    held = (await world.registry()).status.snapshot
    world.source = Silent()  # type: ignore[assignment] # as much of a source as is asked
    await world.reconcile()
    status = (await world.registry()).status
    assert status.snapshot == held is not None
    assert status.sync_status.error is not None
    assert "brought nothing for spec.syncPolicy.timeout (1s)" in status.sync_status.error.message

"""A sync succeeds although three requests of ten fail.

THV_FAULT_RUNS=100 makes a hundred syncs of them.
"""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.faults.world import World
from tests.upstream import Corpus, Play, Reply, Seen, Upstream, Writer, reset, status
from thv.apps.kit.home import Home

pytestmark = [pytest.mark.anyio, pytest.mark.flows]

RUNS = int(os.environ.get("THV_FAULT_RUNS", "3"))
PAGES = 50


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    corpus = Corpus.synthetic(PAGES * 100 - 50, lambda: datetime(2026, 6, 1, tzinfo=UTC))
    with Upstream(corpus) as running:
        yield running


def sometimes(chance: random.Random) -> Play:
    """Fails three times of ten, in one of four ways."""
    ways = [reset(), status(503), status(429, retry_after="0"), status(429)]

    async def play(writer: Writer, seen: Seen, reply: Reply) -> Reply | None:
        if chance.random() >= 0.3:
            return reply
        return await chance.choice(ways)(writer, seen, reply)

    return play


@pytest.mark.requirement("SYN-02")
async def test_every_sync_of_an_upstream_that_fails_often_succeeds(
    tmp_path: Path, upstream: Upstream
) -> None:
    asked = 0
    for run in range(RUNS):
        upstream.heal()
        upstream.requests.clear()
        upstream.fault(sometimes(random.Random(run)), times=-1)
        async with World(tmp_path / str(run), upstream, fetch_backoff=0.01) as world:
            await world.add("faulty", world.api())
            await world.sync("faulty")
            status_ = (await world.registry("faulty")).status
            assert status_.phase == "Ready", status_.sync_status.error
            assert status_.version_count == PAGES * 100 - 50
        asked += len(upstream.requests)
    print(f"\n{RUNS} syncs of {PAGES} pages: all succeeded with {asked} requests")
    assert asked > RUNS * PAGES * 1.2


@pytest.mark.e2e
async def test_the_pause_between_tries_comes_from_the_environment(
    tmp_path: Path, upstream: Upstream
) -> None:
    async with World(tmp_path, upstream) as world:
        await world.add("faulty", world.api())
    Home(tmp_path).allow_hosts([upstream.place])
    upstream.fault(sometimes(random.Random(1)), times=-1)
    environ = {**os.environ, "THV_DATA": str(tmp_path), "THV_FETCH_BACKOFF": "10ms"}
    command = [str(Path(sys.executable).with_name("thv")), "registry", "sync", "faulty"]
    done = await asyncio.to_thread(
        subprocess.run, command, env=environ, check=False, capture_output=True, timeout=60
    )
    assert done.returncode == 0, done.stderr.decode()

"""Our `registry` source follows the official registry itself, through whatever publishers do there.

`THV_CASES=1000` makes that many changes instead of a few, and looks at 20 moments; `THV_SEED` says which changes.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.peers.changes import Publishers
from tests.peers.comparing import Held, differences, latest_differences
from tests.peers.official import Key, Official
from tests.peers.ours import Follower, follower
from tests.peers.postgres import Postgres
from tests.peers.waiting import PATIENCE, until

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.xdist_group("official"),
    pytest.mark.requirement("REG-05"),
]

ASKED = os.environ.get("THV_CASES", "60")
CHANGES = int(ASKED) if ASKED.isdigit() else 1000
MOMENTS = min(20, max(4, CHANGES // 50))
SEED = int(os.environ.get("THV_SEED", "20261121"))
MEANWHILE = 5
"""Changes while a sync runs."""
TIME_PASSES = "UPDATE servers SET updated_at = updated_at - interval '1 hour'"
"""What was changed before is then older than what an increment reads once more to be sure."""


class Watched:
    """Two followers of one registry: of all versions, and of the latest ones."""

    def __init__(self, official: Official, service: Follower) -> None:
        self._official = official
        self._service = service
        self._every = service.add("every", official.url, "--versions", "all")
        self._latest = service.add("latest", official.url)
        self._seen: set[Key] = set()

    def sync(self) -> None:
        self._service.sync("every", "latest")
        self._seen |= Held.of(self._every).alive.keys()

    def differences(self) -> list[str]:
        """None once the service answers from its newest snapshots."""
        theirs = Held.of(self._official)
        ours = Held.of(self._every)
        self._seen |= ours.alive.keys()
        found = differences(theirs, ours, self._seen)
        return found + [
            f"latest: {each}" for each in latest_differences(theirs, Held.of(self._latest))
        ]


def test_a_follower_holds_what_the_registry_holds(
    official: Official, postgres: Postgres, tmp_path: Path
) -> None:
    publishers = Publishers(official, SEED)
    repeat(20, publishers.change)
    postgres.sql(official.database, TIME_PASSES)
    with follower(tmp_path) as service:
        watched = Watched(official, service)
        assert settled(watched) == []
        for part in parts(random.Random(SEED)):
            repeat(part, publishers.change)
            with ThreadPoolExecutor(1) as other:
                syncing = other.submit(watched.sync)
                repeat(MEANWHILE, publishers.change)
                syncing.result(PATIENCE)
            watched.sync()
            assert settled(watched) == [], "\n".join(publishers.done)
            postgres.sql(official.database, TIME_PASSES)


def parts(rnd: random.Random) -> list[int]:
    """How many changes there are before each moment at which the follower is looked at."""
    cuts = sorted(rnd.sample(range(1, CHANGES), MOMENTS - 1))
    sizes = [after - before for before, after in zip([0, *cuts], [*cuts, CHANGES], strict=True)]
    return [max(0, size - MEANWHILE) for size in sizes]


def settled(watched: Watched) -> list[str]:
    """The differences that stay; none as soon as there are none."""
    found: list[str] = []

    def look() -> bool:
        found[:] = watched.differences()
        return not found

    try:
        until(look)
    except AssertionError:
        return found
    return []


def repeat(times: int, change: Callable[[], None]) -> None:
    for _ in range(times):
        change()

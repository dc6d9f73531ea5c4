"""Readers see one snapshot, whole, whatever happens to the process that writes the next one."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.apps.registry_api.places import Place
from tests.crash.points import killed_at, points_of
from tests.stores.models.applying import apply, keys
from tests.stores.models.world import World
from thv.domain.snapshot import Key
from thv.stores.models.folder import Folder

COMMAND = (sys.executable, "-m", "tests.stores.models.applying")
ROOT = Path(__file__).parents[3]
POINTS = os.environ.get("THV_CASES", "8")


class Reader:
    """A door over a model that another process writes; after each page it looks what is new."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._place = Place(path, World())
        self._client = self._place.client()

    async def walked(self, limit: int) -> tuple[list[Key], set[str]]:
        """Everybody on all pages, and what they say."""
        found: list[Key] = []
        said: set[str] = set()
        address = f"/api/v1/servers?version=all&format=upstream&limit={limit}"
        following = address
        while True:
            reply = await self._client.get(following)
            assert reply.status == 200, reply.json
            servers = [item["server"] for item in reply.json["servers"]]
            found += [(server["name"], server["version"]) for server in servers]
            said |= {server["description"] for server in servers}
            cursor = reply.json["metadata"].get("nextCursor")
            if cursor is None:
                return found, said
            following = f"{address}&cursor={cursor}"
            self._follow()

    def _follow(self) -> None:
        model = self._place.served.model
        rebuilt = model is None or model.build != Folder(self._path).current()
        self._place.served.changed(rebuilt=rebuilt)

    async def served(self, limit: int) -> int:
        """The number of the one snapshot that a walk shows; it must be one, and whole."""
        self._follow()
        found, said = await self.walked(limit)
        assert len(said) == 1, f"a walk shows {sorted(said)}"
        number = int(said.pop().removeprefix("n"))
        assert found == keys(number)
        return number


def served(path: Path) -> int:
    """The number of the snapshot that a process which starts now shows."""
    return asyncio.run(Reader(path).served(100))


@contextmanager
def writing(path: Path, first: int) -> Iterator[subprocess.Popen[str]]:
    """A process that applies one snapshot after the other until it is killed."""
    process = subprocess.Popen(
        [*COMMAND, str(path), str(first), "1000000"], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()


@pytest.mark.flows
@pytest.mark.requirement("API-02", "SYN-02", "OPS-06")
def test_a_walk_shows_one_snapshot_while_others_are_applied_and_writers_die(
    tmp_path: Path,
) -> None:
    path, chance = tmp_path / "corp", random.Random(20261121)
    asyncio.run(apply(path, 0))
    reader, first, seen = Reader(path), 1, list[int]()
    for _ in range(5):
        with writing(path, first) as process:
            assert process.stdout is not None
            assert process.stdout.readline(), "the writer begins"
            for _ in range(chance.randint(2, 10)):
                seen.append(asyncio.run(reader.served(chance.choice([1, 7, 100]))))
        # Killed wherever it was. What is served then is one of those that it applied.
        now = served(path)
        assert now >= first
        first = now + 1
    assert seen == sorted(seen), "nobody goes back"
    assert len(set(seen)) >= 5, "the readers saw many snapshots"
    assert asyncio.run(apply(path, first)) in ("delta", "full")
    assert served(path) == asyncio.run(reader.served(7)) == first


@pytest.mark.e2e
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.parametrize(("kind", "number"), [("delta", 1), ("full", 3)])
def test_an_apply_that_is_killed_at_a_durable_write_shows_the_old_or_the_new_snapshot(
    tmp_path: Path, kind: str, number: int
) -> None:
    template, path = tmp_path / "template", tmp_path / "corp"
    asyncio.run(apply(template, number - 1))
    command = (*COMMAND, str(path), str(number), str(number))
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")])}

    def begin() -> None:
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(template, path)

    begin()
    every = points_of(command, path, environ)
    assert served(path) == number
    chosen = every if POINTS == "all" else every[:: max(1, len(every) // min(int(POINTS), 8))]
    reached, after = 0, set[int]()
    for point in chosen:
        begin()
        reached += killed_at(point, command, path, environ)
        after.add(served(path))
        asyncio.run(apply(path, number))
        assert served(path) == number, str(point)
    print(f"\n{kind}: {len(every)} durable writes, killed at {reached} of {len(chosen)} tried")
    assert after <= {number - 1, number}
    assert reached >= len(chosen) // 2

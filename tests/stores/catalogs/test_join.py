"""What is joined is what the registries serve, whatever happens to them, and for whoever sees a part of them."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stores.catalogs.joining import Library, library
from tests.stores.models.world import World, an_entry
from thv.stores.catalogs import listing
from thv.stores.catalogs.folder import working_folder
from thv.stores.catalogs.query import ListQuery, Page
from thv.stores.catalogs.tools import ToolQuery, ToolSort, page

pytestmark = pytest.mark.anyio
NAMES = ("a", "b", "c")


@pytest.fixture
def shelves(tmp_path: Path) -> Iterator[Library]:
    with library(tmp_path) as made:
        yield made


def told(joined: Library, found: Page) -> list[tuple[str, str, list[str]]]:
    by_id = {each.id: each.name for each in joined.joined.values()}
    rows = [
        (row.name, by_id[row.registry], [by_id[each] for each in row.also]) for row in found.rows
    ]
    return sorted(rows)


def some_name(dice: random.Random) -> str:
    return f"com.example/s{dice.randrange(12)}"


def change(world: World, dice: random.Random) -> None:
    for _ in range(dice.randrange(1, 5)):
        name = some_name(dice)
        known = [key for key in world.entries if key[0] == name]
        if known and dice.random() < 0.4:
            world.remove(*known)
        else:
            text = f"says {dice.randrange(1000)}"
            world.put(an_entry(name, f"1.{dice.randrange(3)}.0", description=text))


@pytest.mark.parametrize("seed", range(6))
async def test_every_part_is_what_its_registries_serve(shelves: Library, seed: int) -> None:
    dice = random.Random(seed)
    worlds = {name: World(an_entry(f"com.example/{name}")) for name in NAMES}
    for _ in range(14):
        name = dice.choice(NAMES)
        is_known = ("default", name) in shelves.joined
        if is_known and dice.random() < 0.15:
            await shelves.drop(name)
        elif is_known and dice.random() < 0.2:
            await shelves.stand(name, trust=dice.randrange(3))
        else:
            change(worlds[name], dice)
            known = shelves.joined.get(("default", name))
            trust = known.trust if known else dice.randrange(3)
            await shelves.put(worlds[name], name, trust=trust, delta=dice.random() < 0.7)
        there = sorted(each.name for each in shelves.joined.values())
        for part in (there, there[:1], there[1:], dice.sample(there, len(there) // 2)):
            expected = shelves.expected(part)
            found = shelves.page(ListQuery(), *part)
            assert told(shelves, found) == expected
            assert found.counts.total == found.filtered == len(expected)
            validated = sum(shelves.joined["default", best].trust == 0 for _, best, _ in expected)
            assert found.counts.validated == validated
            rows = sum(1 + len(others) for _, _, others in expected)
            assert shelves.page(ListQuery(every=True), *part).filtered == rows


async def test_only_what_differs_is_written(shelves: Library) -> None:
    world = World(*(an_entry(f"com.example/s{number}") for number in range(50)))
    await shelves.put(world, "a")
    before = dict(shelves.shelf.ask("SELECT name, id FROM entry").fetchall())
    world.put(an_entry("com.example/s7", description="something else"))
    await shelves.put(world, "a", delta=True)
    after = dict(shelves.shelf.ask("SELECT name, id FROM entry").fetchall())
    assert {name for name in after if after[name] != before[name]} == {"com.example/s7"}


async def test_what_is_read_in_between_is_the_state_before(shelves: Library) -> None:
    await shelves.put(World(an_entry("com.example/one")), "a")
    seen = shelves.sight("a")
    digest = shelves.shelf.digest(seen.seen)
    world = shelves.worlds["default", "a"]
    world.put(an_entry("com.example/two"))
    await shelves.put(world, "a")
    assert shelves.shelf.digest(shelves.sight("a").seen) != digest
    assert shelves.page(ListQuery(), "a").filtered == 2


async def test_a_page_goes_on_behind_its_last_row_whatever_changed(shelves: Library) -> None:
    world = World(*(an_entry(f"com.example/s{number}") for number in range(6)))
    await shelves.put(world, "a")
    first = shelves.page(ListQuery(), "a", limit=3)
    assert first.following is not None
    world.remove(("com.example/s0", "1.0.0"), ("com.example/s3", "1.0.0"))
    world.put(an_entry("com.example/s33"))
    await shelves.put(world, "a", delta=True)
    rest = listing.page(shelves.shelf, shelves.sight("a"), ListQuery(), first.following, 10)
    assert [row.key for row in rest.rows] == ["com.example/s33", "com.example/s4", "com.example/s5"]


async def test_tools_are_counted_within_what_is_seen(shelves: Library) -> None:
    block = {"tools": ["scan", "report"], "custom_metadata": {"category": "security"}}
    other = {"tools": ["scan"], "custom_metadata": {"category": "web"}}
    await shelves.put(World(an_entry("com.example/one", block=block)), "a")
    await shelves.put(
        World(an_entry("com.example/two", block=other), an_entry("com.example/one", block=block)),
        "b",
    )
    whole = page(shelves.shelf, shelves.sight("a", "b"), ToolQuery(), None, 10)
    assert [(tool.name, tool.usage) for tool in whole.tools] == [("report", 1), ("scan", 2)]
    assert whole.total == 2
    part = page(shelves.shelf, shelves.sight("a"), ToolQuery(sort=ToolSort.USAGE), None, 10)
    assert [(tool.name, tool.servers) for tool in part.tools] == [
        ("report", ("com.example/one",)),
        ("scan", ("com.example/one",)),
    ]
    assert part.categories == {"security": 2}


def test_a_folder_of_a_process_that_was_killed_is_removed(tmp_path: Path) -> None:
    dead = tmp_path / "dead"
    dead.mkdir()
    (dead / "catalog.db").touch()
    with working_folder(tmp_path) as mine:
        assert _folders(tmp_path) == {mine}
        with working_folder(tmp_path) as other:
            assert _folders(tmp_path) == {mine, other}
    assert not _folders(tmp_path)


def test_processes_that_begin_together_take_no_folder_from_each_other(tmp_path: Path) -> None:
    script = (
        "import sys, pathlib\n"
        "from thv.stores.catalogs.folder import working_folder\n"
        "for _ in range(100):\n"
        "    with working_folder(pathlib.Path(sys.argv[1])) as folder:\n"
        "        (folder / 'catalog.db').touch()\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    processes = [subprocess.Popen(command) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    assert not _folders(tmp_path)


def _folders(parent: Path) -> set[Path]:
    return {path for path in parent.iterdir() if path.is_dir()}

"""Searches of the official list, whichever way they are looked for."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.stores.models.reference import officially_listed
from tests.stores.models.test_against_reference import walk
from tests.stores.models.world import NOW, World, an_entry, look
from thv.stores.models import official
from thv.stores.models.folder import Folder, connect
from thv.stores.models.prune import GRACE, prune
from thv.stores.models.query import OfficialQuery
from thv.stores.models.tables import COMMON
from thv.stores.models.words import grams_expression

pytestmark = pytest.mark.anyio

SEARCHES = [
    "a",
    "se",
    "ser",
    "server-1",
    "/server-07",
    'a "quoted" text',
    "ünï",
    "strasse",
    "50%_off",
    "x" * 200,
]


def a_world() -> World:
    said = ['A "quoted" text', "Ünïcode", "Straße", "50%_off", "x" * 250, "plain"]
    return World(
        *(
            an_entry(f"com.example/server-{number:02}", version, description=said[number % 6])
            for number in range(24)
            for version in ("1.0.0", "1.1.0")
        )
    )


async def test_a_search_finds_what_holds_it(tmp_path: Path) -> None:
    world = a_world()
    await world.apply(tmp_path, world.snapshot())
    check(tmp_path, world)
    world.put(an_entry("com.example/server-07", "2.0.0", description="seven"))
    world.put(an_entry("com.example/a-server", description="Straße"))
    world.remove(("com.example/server-08", "1.1.0"))
    world.forget(("com.example/server-09", "1.1.0"), ("com.example/server-09", "1.0.0"))
    await world.apply(tmp_path, world.snapshot(delta=True))
    check(tmp_path, world)


def check(path: Path, world: World) -> None:
    view = look(path)
    for search in SEARCHES:
        for version in ("all", "latest"):
            query = OfficialQuery(search=search, version=version)
            found = walk(view, official.page, query, 7)
            assert found == officially_listed(world, query), search
    view.model.close()


async def test_what_nobody_can_ask_for_any_more_is_in_no_index(tmp_path: Path) -> None:
    world = a_world()
    await world.apply(tmp_path, world.snapshot())
    world.forget(("com.example/server-09", "1.1.0"), ("com.example/server-09", "1.0.0"))
    await world.apply(tmp_path, world.snapshot(delta=True))
    build = Folder(tmp_path).current()
    assert build is not None
    connection = connect(build, write=True)
    assert matches(connection, "r-09") == 1
    prune(connection, NOW + 2 * GRACE)
    assert matches(connection, "r-09") == 0
    connection.close()


def matches(connection: sqlite3.Connection, text: str) -> int:
    sql = "SELECT count(*) FROM grams WHERE grams MATCH ?"
    (count,) = connection.execute(sql, (grams_expression(text, {}),)).fetchone()
    return int(count)


async def test_grams_that_many_texts_hold_are_known(tmp_path: Path) -> None:
    world = World(*(an_entry(f"com.example/server-{number:04}") for number in range(COMMON)))
    await world.apply(tmp_path, world.snapshot())
    view = look(tmp_path)
    common = view.common_grams()
    assert common["ser"] == common["r-0"] == COMMON
    assert "r-1" not in common
    view.model.close()


def test_the_rarest_grams_of_a_search_are_asked_for() -> None:
    assert grams_expression("ab", {}) == ""
    assert grams_expression("abc", {}) == '"abc"'
    assert grams_expression('a"bc', {}) == '"""bc" AND "a""b"'
    common = {"ser": 9, "erv": 9, "rve": 8, "ver": 7}
    assert grams_expression("server-1", common) == '"er-" AND "r-1" AND "ver"'
    assert grams_expression("server", common) == '"ver" AND "rve" AND "erv"'

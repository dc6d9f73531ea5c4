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
from thv.stores.models.words import GRAM_LIMIT, grams_expression

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


@pytest.fixture(params=[1, 5, official.BROAD], ids=["walked", "both", "looked up"])
def broad(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """From how many texts on the list is walked."""
    monkeypatch.setattr(official, "BROAD", request.param)


@pytest.mark.usefixtures("broad")
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
    (count,) = connection.execute(sql, (grams_expression(text),)).fetchone()
    return int(count)


def test_a_few_grams_of_a_long_search_are_enough() -> None:
    assert grams_expression("ab") == ""
    assert grams_expression("abc") == '"abc"'
    assert grams_expression('a"bc') == '"a""b" AND """bc"'
    long = grams_expression("abcdefghijklmnopqrstuvwxyz").split(" AND ")
    assert len(long) == GRAM_LIMIT
    assert (long[0], long[-1]) == ('"abc"', '"xyz"')

"""Applying snapshots: in proportion to the change, whole or not at all."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.stores.models.test_against_reference import OWN, keys_of, walk
from tests.stores.models.world import NOW, World, an_entry, look
from thv.domain.entry import GROUPS_META
from thv.domain.errors import Code, ThvError
from thv.domain.taxonomy import Category, Taxonomy
from thv.stores.models import servers
from thv.stores.models.cache import Cache
from thv.stores.models.folder import Folder
from thv.stores.models.log import position_of, read
from thv.stores.models.lookup import server as find
from thv.stores.models.query import (
    START,
    Form,
    ListQuery,
    Sort,
    Where,
    parse_search,
)
from thv.stores.models.view import Model

pytestmark = pytest.mark.anyio

EVERY = ListQuery(own=OWN)


def a_world(count: int = 20) -> World:
    return World(*(an_entry(f"com.example/s{number:03}") for number in range(count)))


def listed(path: Path) -> list[str]:
    view = look(path)
    return [name for name, _ in walk(view, servers.page, EVERY, 100)]


def searched(path: Path, text: str) -> list[str]:
    query = ListQuery(own=OWN, where=Where(search=parse_search(text)), sort=Sort.RELEVANCE)
    return [name for name, _ in walk(look(path), servers.page, query, 100)]


async def test_the_same_snapshot_again_does_nothing(tmp_path: Path) -> None:
    world = a_world()
    ref = world.snapshot()
    await world.apply(tmp_path, ref)
    world.fetched.clear()
    assert (await world.apply(tmp_path, ref)).how == "nothing"
    assert world.fetched == []


async def test_a_change_reads_only_the_chunks_that_are_new(tmp_path: Path) -> None:
    world = a_world()
    await world.apply(tmp_path, world.snapshot())
    known = set(world.chunks)
    world.put(an_entry("com.example/s007", description="other"))
    world.fetched.clear()
    outcome = await world.apply(tmp_path, world.snapshot())
    assert (outcome.how, outcome.changed) == ("delta", 1)
    assert len(world.fetched) == 1
    assert known.isdisjoint(world.fetched)
    assert searched(tmp_path, "other") == ["com.example/s007"]


async def test_a_delta_chunk_is_the_only_one_read(tmp_path: Path) -> None:
    world = a_world()
    await world.apply(tmp_path, world.snapshot())
    world.put(an_entry("com.example/s007", description="other"))
    world.forget(("com.example/s008", "1.0.0"))
    world.fetched.clear()
    ref = world.snapshot(delta=True)
    assert (await world.apply(tmp_path, ref)).changed == 2
    assert world.fetched == [ref.chunks[-1].name]


async def test_what_a_delta_no_longer_says_falls_back_to_the_base(tmp_path: Path) -> None:
    world = a_world()
    original = world.entries["com.example/s007", "1.0.0"]
    await world.apply(tmp_path, world.snapshot())
    world.put(an_entry("com.example/s007", description="other"), an_entry("com.example/zzz"))
    await world.apply(tmp_path, world.snapshot(delta=True))
    world.put(original)
    world.forget(("com.example/zzz", "1.0.0"))
    world.fetched.clear()
    outcome = await world.apply(tmp_path, world.snapshot(delta=True))
    assert (outcome.how, outcome.changed) == ("delta", 2)
    assert len(world.fetched) == 1
    assert searched(tmp_path, "other") == []
    assert len(listed(tmp_path)) == 20


async def test_folding_a_delta_writes_no_row(tmp_path: Path) -> None:
    world = a_world()
    await world.apply(tmp_path, world.snapshot())
    world.put(an_entry("com.example/s007", description="other"))
    await world.apply(tmp_path, world.snapshot(delta=True))
    outcome = await world.apply(tmp_path, world.snapshot())
    assert (outcome.how, outcome.changed) == ("delta", 0)


async def test_many_changes_build_the_model_anew(tmp_path: Path) -> None:
    world = a_world(1500)
    await world.apply(tmp_path, world.snapshot())
    world.put(*(an_entry(f"com.example/s{number:03}", description="x") for number in range(1100)))
    assert (await world.apply(tmp_path, world.snapshot())).how == "full"
    assert len(listed(tmp_path)) == 1500


async def test_an_empty_snapshot_is_served_as_an_empty_list(tmp_path: Path) -> None:
    world = a_world(2)
    await world.apply(tmp_path, World().snapshot())
    assert listed(tmp_path) == []
    await world.apply(tmp_path, world.snapshot())
    assert listed(tmp_path) == ["com.example/s000", "com.example/s001"]
    await world.apply(tmp_path, World().snapshot())
    assert listed(tmp_path) == []


async def test_another_taxonomy_makes_other_rows(tmp_path: Path) -> None:
    world = a_world(3)
    ref = world.snapshot()
    await world.apply(tmp_path, ref)
    category = Category(name="demo", display_name="", description="", words=("what",))
    assert (await world.apply(tmp_path, ref, taxonomy=Taxonomy([category]))).how == "full"
    demo = ListQuery(own=OWN, where=Where(categories=("demo",)))
    assert servers.page(look(tmp_path), demo, START, 10).filtered == 3


# ---------------------------------------------------------------- generations


async def test_an_old_generation_is_readable_for_ten_minutes(tmp_path: Path) -> None:
    world = a_world()
    await world.apply(tmp_path, world.snapshot())
    old = look(tmp_path)
    first = servers.page(old, EVERY, START, 5)
    world.forget(*((f"com.example/s{number:03}", "1.0.0") for number in range(4, 9)))
    await world.apply(tmp_path, world.snapshot(delta=True), now=NOW + 1)
    model = Model.open(tmp_path, Cache(1 << 20))
    assert model is not None
    late = model.view_of(old.generation.content, NOW + 599)
    assert late is not None
    assert first.following is not None
    following = servers.page(late, EVERY, first.following, 5)
    assert [name for name, _ in keys_of(late, following)] == [
        f"com.example/s{number:03}" for number in range(5, 10)
    ]
    query = ListQuery(own=OWN, where=Where(search=parse_search("s00")), sort=Sort.RELEVANCE)
    assert servers.page(late, query, START, 50).filtered == 10
    assert servers.page(model.view(), query, START, 50).filtered == 5
    assert model.view_of(old.generation.content, NOW + 602) is None


async def test_rows_that_nobody_can_see_are_removed(tmp_path: Path) -> None:
    world = World(an_entry("com.example/a", block={"tools": ["scan"], "tags": ["x"]}))
    await world.apply(tmp_path, world.snapshot())
    for round_ in range(3):
        block = {"tools": [f"t{round_}"], "tags": ["x"]}
        world.put(an_entry("com.example/a", description=f"round{round_}", block=block))
        await world.apply(tmp_path, world.snapshot(), now=NOW + 700 * (round_ + 1))
    view = look(tmp_path)
    tables = ("version", "server", "wording", "fact", "tool", "tool_use")
    counts = {name: view.ask(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables}
    assert counts == dict.fromkeys(tables, 2)
    assert searched(tmp_path, "round1") == []
    assert view.ask("SELECT count(*) FROM words WHERE words MATCH 'round0'").fetchone() == (0,)


async def test_a_new_version_counts_in_the_latest_one(tmp_path: Path) -> None:
    world = World(an_entry("com.example/a", "2.0.0"))
    await world.apply(tmp_path, world.snapshot())
    world.put(an_entry("com.example/a", "1.0.0"))
    await world.apply(tmp_path, world.snapshot(delta=True))
    view = look(tmp_path)
    found = find(view, "com.example/a")
    assert found is not None
    assert found.versions == 2
    assert b'"versions_count":2,' in view.model.body(Form.TOOLHIVE, found.place, found.size)
    assert searched(tmp_path, "example") == ["com.example/a"]


# ---------------------------------------------------------------- changes


async def test_the_change_log_says_what_happened(tmp_path: Path) -> None:
    world = World(*(an_entry(f"com.example/{name}") for name in "abcd"))
    await world.apply(tmp_path, world.snapshot())
    start = look(tmp_path).generation.content
    world.put(
        an_entry("com.example/a", description="other"),
        an_entry("com.example/b", status="deprecated"),
        an_entry("com.example/e"),
    )
    world.remove(("com.example/c", "1.0.0"))
    await world.apply(tmp_path, world.snapshot(delta=True))
    world.put(an_entry("com.example/c"))
    world.forget(("com.example/d", "1.0.0"))
    await world.apply(tmp_path, world.snapshot())
    view = look(tmp_path)
    after = position_of(view.model.connection, start)
    assert after is not None
    assert [(c.type, c.name[-1]) for c in read(view.model.connection, after, 100)] == [
        ("changed", "a"),
        ("deprecated", "b"),
        ("removed", "c"),
        ("added", "e"),
        ("restored", "c"),
        ("removed", "d"),
    ]


async def test_the_change_log_survives_a_full_build(tmp_path: Path) -> None:
    world = a_world(1200)
    await world.apply(tmp_path, world.snapshot())
    start = look(tmp_path).generation.content
    world.put(*(an_entry(f"com.example/s{n:03}", description="x") for n in range(1001)))
    world.forget(("com.example/s1100", "1.0.0"))
    assert (await world.apply(tmp_path, world.snapshot())).how == "full"
    view = look(tmp_path)
    after = position_of(view.model.connection, start)
    assert after is not None
    changes = read(view.model.connection, after, 2000)
    assert len(changes) == 1002
    assert [change.name for change in changes if change.type == "removed"] == ["com.example/s1100"]


async def test_the_change_log_is_bounded(tmp_path: Path) -> None:
    world = World(an_entry("com.example/a"))
    contents = []
    for number in range(60):
        world.put(an_entry("com.example/a", description=str(number)))
        await world.apply(tmp_path, world.snapshot(), now=NOW + number)
        contents.append(look(tmp_path).generation.content)
    view = look(tmp_path)
    assert position_of(view.model.connection, contents[0]) is None
    assert position_of(view.model.connection, contents[11]) is not None
    await world.apply(tmp_path, World().snapshot(), now=NOW + 8 * 86_400)
    world.put(an_entry("com.example/b"))
    await world.apply(tmp_path, world.snapshot(), now=NOW + 16 * 86_400)
    view = look(tmp_path)
    assert position_of(view.model.connection, contents[-1]) is None
    assert [change.seq for change in read(view.model.connection, 0, 10)] == [61, 62]


# ---------------------------------------------------------------- damage


async def test_chunks_that_are_not_what_the_pointer_says_change_nothing(tmp_path: Path) -> None:
    world = a_world(3)
    await world.apply(tmp_path, world.snapshot())
    other = World(an_entry("com.example/zzz"))
    wrong = other.snapshot()
    lying = type(wrong)(
        **{field: getattr(wrong, field) for field in wrong.__struct_fields__ if field != "digest"},
        digest="sha256:" + "0" * 64,
    )
    with pytest.raises(ThvError) as raised:
        await other.apply(tmp_path, lying)
    assert raised.value.code is Code.SNAPSHOT_DAMAGED
    assert len(listed(tmp_path)) == 3
    assert sorted(os.listdir(tmp_path)) == ["1", "current", "lock"]


async def test_a_missing_chunk_changes_nothing(tmp_path: Path) -> None:
    world = a_world(3)
    await world.apply(tmp_path, world.snapshot())
    world.put(an_entry("com.example/zzz"))
    ref = world.snapshot(delta=True)
    del world.chunks[ref.chunks[-1].name]
    with pytest.raises(KeyError):
        await world.apply(tmp_path, ref)
    assert len(listed(tmp_path)) == 3


@pytest.mark.parametrize(
    "damage",
    [
        lambda build: (build / "official").write_bytes(b""),
        lambda build: (build / "toolhive").unlink(),
        lambda build: (build / "model.db").write_bytes(b"x" * 4096),
        lambda build: (build / "model.db").unlink(),
        lambda build: _overwrite_middle(build / "model.db"),
        lambda build: _execute(build, "UPDATE version SET digest=x'00' WHERE id=1"),
        lambda build: _execute(build, "DELETE FROM version WHERE id=2"),
        lambda build: _execute(build, "UPDATE state SET edition='0'"),
        lambda build: _execute(build, "DROP TABLE state"),
        lambda build: _execute(build, "DELETE FROM chunk"),
        lambda build: (build.parent / "current").write_text("99"),
        lambda build: (build.parent / "current").write_text("../../etc"),
    ],
)
async def test_a_damaged_model_is_built_anew(tmp_path: Path, damage: object) -> None:
    world = a_world(300)
    await world.apply(tmp_path, world.snapshot())
    world.put(an_entry("com.example/zzz"))
    build = Folder(tmp_path).current()
    assert build is not None
    assert callable(damage)
    damage(build)
    await world.apply(tmp_path, world.snapshot(delta=True))
    assert len(listed(tmp_path)) == 301
    assert len(searched(tmp_path, "s1")) == 100


def _overwrite_middle(path: Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2 // 4096 * 4096)
        file.write(b"\xff" * 16384)


def _execute(build: Path, statement: str) -> None:
    connection = sqlite3.connect(build / "model.db")
    connection.execute(statement)
    connection.commit()
    connection.close()


async def test_one_writer_at_a_time(tmp_path: Path) -> None:
    world = a_world(2)
    with Folder(tmp_path).writing(), pytest.raises(ThvError) as raised:
        await world.apply(tmp_path, world.snapshot())
    assert raised.value.code is Code.LOCKED


async def test_wasted_space_leads_to_a_full_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("thv.stores.models.apply._LEAST_WASTE", 0)
    world = a_world(4)
    hows = []
    for number in range(5):
        world.put(*(an_entry(f"com.example/s{n:03}", description=str(number)) for n in range(4)))
        hows.append((await world.apply(tmp_path, world.snapshot())).how)
    assert hows == ["full", "delta", "delta", "full", "delta"]


async def test_an_apply_gives_way_to_others(tmp_path: Path) -> None:
    world = a_world(1000)
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    task = asyncio.create_task(others())
    await world.apply(tmp_path, world.snapshot())
    task.cancel()
    assert turns >= 10


@pytest.mark.parametrize(
    "block",
    [
        {"tools": ["scan"], "tool_definitions": [{"name": {"a": 1}}, {"name": ["scan"]}, {}]},
        {"tool_definitions": [{"name": {"a": 1}}]},
        {"metadata": {"stars": 10**30, "pulls": -(10**30)}},
    ],
)
async def test_nobody_can_keep_a_registry_from_being_served_by_what_they_publish(
    tmp_path: Path, block: dict[str, Any]
) -> None:
    world = World(an_entry("com.example/strange", block=block))
    await world.apply(tmp_path, world.snapshot())
    assert listed(tmp_path) == ["com.example/strange"]


async def test_a_place_in_a_group_that_no_table_takes_is_none(tmp_path: Path) -> None:
    member = {"group": {"name": "team"}, "position": 10**30}
    world = World(an_entry("com.example/strange", _meta={GROUPS_META: [member]}))
    await world.apply(tmp_path, world.snapshot())
    assert listed(tmp_path) == ["com.example/strange"]

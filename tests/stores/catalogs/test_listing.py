"""The list of servers is what a plain look at every row says, for every order, search and part that is seen."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.stores.catalogs.joining import Library, library
from tests.stores.catalogs.plain import facets_of, found_by, rows_of
from tests.stores.models.world import World, an_entry
from thv import data
from thv.domain.entry import Entry
from thv.stores.catalogs import listing
from thv.stores.catalogs.query import Listed, ListQuery
from thv.stores.catalogs.scope import Sight
from thv.stores.catalogs.wishes import Wishes, load_vocabulary
from thv.stores.models.query import Sort, Where

pytestmark = pytest.mark.anyio
NAMES = ("a", "b", "c")
OWNERS = ("io.github.gina", "io.github.stacklok", "com.example", "ai.smithery")
SHORTS = (
    "git",
    "gitlab",
    "git-hub",
    "github",
    "Gist",
    "search",
    "s",
    "sea",
    "weather",
    "élan",
    "pullRequest",
)
WORDS = ("a", "search", "server", "git", "github", "gitlab", "issues", "weather", "sea", "élan", "pg", "pull")  # fmt: skip
TEXTS = (
    *("a", "s", "g", "gi", "git", "i", "io", "é", "w", "se", "sea", "github", "io.", "search", "issue", "pg", "db"),
    *("github issues", "search the web", '"github issues"', '"io github"', "com.example/git", "git-hub", "pullRequest"),
)  # fmt: skip


@pytest.fixture
def shelves(tmp_path: Path) -> Iterator[Library]:
    with library(tmp_path) as made:
        yield made


def an_entry_of(dice: random.Random) -> Entry:
    tags = [dice.choice(("db", "Sql", "web", "x,y", "")) for _ in range(dice.randrange(3))]
    outbound = dice.choice(({}, {"allow_host": ["a.example"]}, {"insecure_allow_all": True}))
    block = {
        "tier": dice.choice(("Official", "Community")),
        "permissions": {"network": {"outbound": outbound}},
        "tags": [*tags, f"own{dice.randrange(200)}"],
        "tools": dice.sample(("search_web", "list_issues", "get"), dice.randrange(3)),
        "metadata": {"stars": dice.choice((0, 0, 0, 5, 70)), "pulls": dice.randrange(3)},
        "custom_metadata": {"category": dice.choice(("web", "data"))},
    }
    return an_entry(
        f"{dice.choice(OWNERS)}/{dice.choice(SHORTS)}{dice.choice(('', '', '-1', '2'))}",
        f"1.{dice.randrange(2)}.0",
        description=" ".join(dice.choices(WORDS, k=dice.randrange(1, 5))),
        status=dice.choice(("active", "active", "deprecated")),
        updated=f"2026-11-0{dice.randrange(1, 4)}T08:00:00Z",
        block=dice.choice((block, None)),
    )


async def fill(shelves: Library, dice: random.Random) -> None:
    for name in NAMES:
        world = World(*(an_entry_of(dice) for _ in range(dice.randrange(2, 60))))
        await shelves.put(world, name, trust=dice.randrange(3))


def some_query(dice: random.Random) -> ListQuery:
    text = dice.choice((*TEXTS, None))
    sorts = [sort for sort in Sort if text or sort is not Sort.RELEVANCE]
    sort = Sort.RELEVANCE if text and dice.random() < 0.5 else dice.choice(sorts)
    wishes = Wishes(load_vocabulary(data.read("search.json")))
    return ListQuery(
        where=Where(
            transports=dice.choice(((), (), ("stdio",))),
            statuses=dice.choice(((), (), ("active",))),
            tags=dice.choice(((), (), (), ("db",))),
        ),
        classes=dice.choice(((), (), ("validated",))),
        trust=dice.choice(((), (), (1, 2))),
        reaches=dice.choice(((), (), ("any-host", "undeclared"), ("none",))),
        wish=wishes.wish(text) if text else None,
        every=dice.random() < 0.3,
        sort=sort,
        descending=dice.random() < 0.5,
    )


def walked(shelves: Library, sight: Sight, query: ListQuery, limit: int) -> list[Listed]:
    """The rows of all pages."""
    page = listing.page(shelves.shelf, sight, query, None, limit)
    rows = list(page.rows)
    while page.following is not None:
        page = listing.page(shelves.shelf, sight, query, page.following, limit)
        rows += page.rows
    return rows


@pytest.mark.parametrize("seed", range(8))
async def test_every_order_search_and_part_is_what_a_plain_look_says(
    shelves: Library, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    dice = random.Random(seed)
    monkeypatch.setattr(listing, "_MANY", dice.choice((0, 20, 10_000)))
    await fill(shelves, dice)
    for _ in range(60):
        query = some_query(dice)
        sight = shelves.sight(*dice.sample(NAMES, dice.randrange(1, 4)))
        rows = rows_of(shelves.shelf, sight.seen)
        expected = found_by(rows, query)
        page = listing.page(shelves.shelf, sight, query, None, 3)
        if page.partial:
            assert not expected
            continue
        found = walked(shelves, sight, query, dice.choice((1, 7, 1000)))
        titles = {each.id: f"{each.namespace}/{each.name}" for each in sight.seen.registries}
        assert [(row.name, titles[row.registry]) for row in found] == [
            (row.name, row.title) for row in expected
        ], query
        assert page.filtered == len(expected)
        facets = listing.facets(shelves.shelf, sight.chosen, query)
        counted = facets_of(expected)
        if expected:
            held = found_by(rows, msgspec.structs.replace(query, every=True))
            counted["registry"] = facets_of(held)["registry"]
        assert facets == counted, query
        assert [list(each) for each in facets.values()] == [list(each) for each in counted.values()]


@pytest.mark.parametrize("seed", range(3))
async def test_what_has_only_some_of_the_words_is_counted_as_it_is_listed(
    shelves: Library, seed: int
) -> None:
    dice = random.Random(seed)
    await fill(shelves, dice)
    wishes = Wishes(load_vocabulary(data.read("search.json")))
    for words in ("github xyzzy", "weather issues sea xyzzy", '"git search" weather xyzzy'):
        query = ListQuery(wish=wishes.wish(words), sort=Sort.RELEVANCE)
        sight = shelves.sight(*dice.sample(NAMES, dice.randrange(1, 4)))
        facets = listing.facets(shelves.shelf, sight.chosen, query)
        page = listing.page(shelves.shelf, sight, query, None, 1000)
        assert page.partial is bool(page.rows)
        assert sum(facets["category"].values()) == page.filtered == len(page.rows)
        assert walked(shelves, sight, query, 4) == list(page.rows)


async def test_tags_are_counted_anew_when_an_entry_has_others(shelves: Library) -> None:
    world = World(an_entry("com.example/one", block={"tags": ["old", "both"]}))
    await shelves.put(world, "a")
    world.put(an_entry("com.example/one", block={"tags": ["both", "new"]}))
    await shelves.put(world, "a", delta=True)
    sight = shelves.sight("a")
    facets = listing.facets(shelves.shelf, sight.chosen, ListQuery())
    assert facets["tags"] == {"both": 1, "new": 1}


@pytest.mark.parametrize("sort", [Sort.NAME, Sort.UPDATED, Sort.STARS, Sort.PULLS])
@pytest.mark.parametrize("descending", [False, True])
async def test_a_page_of_many_rows_is_read_in_their_order(
    shelves: Library, monkeypatch: pytest.MonkeyPatch, sort: Sort, *, descending: bool
) -> None:
    monkeypatch.setattr(listing, "_MANY", 0)
    names = ("com.example/b", "com.example/a")
    await shelves.put(World(*(an_entry(name, block={"tags": ["web"]}) for name in names)), "a")
    await shelves.put(World(an_entry("com.example/c")), "b")
    plans = list[str]()
    ask = shelves.shelf.ask

    def explained(sql: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:
        if "INDEXED BY" in sql:
            plans.extend(row[3] for row in ask(f"EXPLAIN QUERY PLAN {sql}", values))
        return ask(sql, values)

    monkeypatch.setattr(shelves.shelf, "ask", explained)
    query = ListQuery(where=Where(tags=("web",)), sort=sort, descending=descending)
    found = [row.name for row in shelves.page(query, "a").rows]
    assert found == sorted(names, reverse=sort is Sort.NAME and descending)
    assert any(plan.startswith("SCAN s USING INDEX") for plan in plans)
    assert "USE TEMP B-TREE FOR ORDER BY" not in plans

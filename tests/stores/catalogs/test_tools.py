"""The list of tools is what a plain look at every offer says, for every search and part that is seen."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from tests.stores.catalogs.joining import Library, library
from tests.stores.catalogs.plain import Row, best_of, rows_of
from tests.stores.models.world import World, an_entry
from thv import data
from thv.domain.entry import Entry
from thv.stores.catalogs import tools
from thv.stores.catalogs.query import Wish
from thv.stores.catalogs.scope import Sight
from thv.stores.catalogs.tools import Tool, ToolQuery, ToolSort
from thv.stores.catalogs.wishes import Wishes, load_vocabulary
from thv.stores.models.words import words_of

pytestmark = pytest.mark.anyio
NAMES = ("a", "b", "c")
TOOLS = ("search", "search_web", "listIssues", "get", "query", "s", "élan")
TEXTS = ("s", "se", "search", "issue", "issues", "é", '"search web"', "web search", "nothing")


@pytest.fixture
def shelves(tmp_path: Path) -> Iterator[Library]:
    with library(tmp_path) as made:
        yield made


class Offer(msgspec.Struct, frozen=True):
    """A tool of a server."""

    server: Row
    name: str
    description: str
    words: str


def an_entry_of(dice: random.Random) -> Entry:
    block = {
        "tools": dice.sample(TOOLS, dice.randrange(len(TOOLS))),
        "custom_metadata": {"category": dice.choice(("web", "data", "", "ops"))},
    }
    return an_entry(f"com.example/s{dice.randrange(30)}", block=block)


def offers_of(shelves: Library, sight: Sight) -> list[Offer]:
    by_name = {row.name: row for row in best_of(rows_of(shelves.shelf, sight.seen))}
    found = shelves.shelf.ask(
        "SELECT e.name, e.registry, t.name, t.description, t.words FROM tool t JOIN entry e ON e.id = t.item"
    )
    return [
        Offer(by_name[server], *told)
        for server, registry, *told in found
        if server in by_name and by_name[server].registry.id == registry
    ]


def counted(name: str, offers: list[Offer]) -> Tool:
    """The category that most servers share says the description, too; one that has none counts last."""
    uses = Counter(each.server.traits.category for each in offers)
    category = min(uses, key=lambda each: (-uses[each] if each else 0, each))
    described = [each.description for each in offers if each.server.traits.category == category]
    servers = sorted(each.server.key for each in offers)
    return Tool(name, len(offers), category, max(described), tuple(servers))


def spells(words: str, wish: Wish) -> bool:
    return all(
        any(all(f" {word}" in words for word in way) for way in term.spellings)
        for term in wish.terms
    ) and all(f" {' '.join(phrase)} " in words for phrase in wish.phrases)


def expected(offers: list[Offer], query: ToolQuery) -> list[Tool]:
    by_name: dict[str, list[Offer]] = {}
    for offer in offers:
        by_name.setdefault(offer.name, []).append(offer)
    kept = [
        counted(name, each)
        for name, each in by_name.items()
        if (not query.servers or any(offer.server.key in query.servers for offer in each))
        and (query.wish is None or any(spells(offer.words, query.wish) for offer in each))
    ]
    if query.categories:
        kept = [tool for tool in kept if tool.category in query.categories]
    sign = -1 if query.descending else 1
    match query.sort:
        case ToolSort.NAME:
            return sorted(kept, key=lambda tool: tool.name, reverse=query.descending)
        case ToolSort.USAGE:
            return sorted(kept, key=lambda tool: (sign * tool.usage, tool.name))
        case ToolSort.RELEVANCE:
            assert query.wish is not None
            kept = [replace(tool, rank=rank(tool.name, query.wish)) for tool in kept]
            return sorted(kept, key=lambda tool: (sign * tool.rank, -tool.usage, tool.name))


def rank(name: str, wish: Wish) -> int:
    """The name itself, names that begin so, names with all of its words, and the rest."""
    words, text = (
        f" {' '.join(re.split('[_.-]', name.lower()))} ",
        f" {' '.join(words_of(wish.text))}",
    )
    if words == f"{text} ":
        return 0
    if words.startswith(text):
        return 1
    return 2 if spells(words, wish) else 3


def some_query(dice: random.Random) -> ToolQuery:
    wishes = Wishes(load_vocabulary(data.read("search.json")))
    text = dice.choice((*TEXTS, None))
    return ToolQuery(
        wish=wishes.wish(text) if text else None,
        categories=dice.choice(((), (), ("web", "data"))),
        servers=dice.choice(((), (), ("com.example/s1", "com.example/s2"))),
        sort=dice.choice(list(ToolSort) if text else (ToolSort.NAME, ToolSort.USAGE)),
        descending=dice.random() < 0.5,
    )


@pytest.mark.parametrize("seed", range(4))
async def test_every_search_and_part_is_what_a_plain_look_says(shelves: Library, seed: int) -> None:
    dice = random.Random(seed)
    for name in NAMES:
        world = World(*(an_entry_of(dice) for _ in range(dice.randrange(1, 30))))
        await shelves.put(world, name, trust=dice.randrange(3))
    for _ in range(40):
        query = some_query(dice)
        sight = shelves.sight(*dice.sample(NAMES, dice.randrange(1, 4)))
        offers = offers_of(shelves, sight)
        page = tools.page(shelves.shelf, sight, query, None, 100)
        wanted = expected(offers, query)
        assert list(page.tools) == wanted, query
        assert (page.filtered, page.total) == (len(wanted), len({each.name for each in offers}))

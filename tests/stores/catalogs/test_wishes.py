"""What somebody means who searches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stores.catalogs.joining import Library, library
from tests.stores.models.world import World, an_entry
from thv import data
from thv.stores.catalogs.query import ListQuery
from thv.stores.catalogs.wishes import Vocabulary, Wishes, load_vocabulary, singulars
from thv.stores.models.query import Sort

WISHES = Wishes(load_vocabulary(data.read("search.json")))


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("databases", ["database"]),
        ("queries", ["query"]),
        ("boxes", ["box"]),
        ("branches", ["branch"]),
        ("classes", ["class"]),
        ("status", []),
        ("aws", []),
        ("redis", []),
        ("slack", []),
    ],
)
def test_a_plural_has_a_singular(word: str, found: list[str]) -> None:
    assert list(singulars(word)) == found


def test_a_word_has_others_that_mean_the_same() -> None:
    wishes = Wishes(Vocabulary(same=(("pr", "pull request"),)))
    (term,) = wishes.wish("PR").terms
    assert term.expression == '("pr"* OR ("pull"* AND "request"*))'


def test_words_in_humps_are_found_in_parts() -> None:
    (term,) = Wishes(Vocabulary()).wish("pullRequest").terms
    assert term.spellings == (("pullrequest",), ("pull", "request"))


def test_words_of_a_request_are_no_words_of_what_is_sought() -> None:
    wish = WISHES.wish("find me a server to query a postgres database")
    sought = [term.spellings[0][0] for term in wish.terms if not term.idle]
    assert sought == ["query", "postgres", "database"]


def test_at_most_ten_words_are_sought() -> None:
    with pytest.raises(ValueError, match="at most 10 words"):
        WISHES.wish(" ".join(f"w{number}" for number in range(11)))
    WISHES.wish("please find me a tool that can help us to send some messages to a slack channel")


@pytest.fixture
def shelves(tmp_path: Path) -> Iterator[Library]:
    with library(tmp_path) as made:
        yield made


def found(shelves: Library, text: str, *names: str) -> tuple[list[str], bool]:
    query = ListQuery(wish=WISHES.wish(text), sort=Sort.RELEVANCE)
    page = shelves.page(query, *names)
    return [row.key for row in page.rows], page.partial


@pytest.mark.anyio
async def test_a_search_forgives(shelves: Library) -> None:
    await shelves.put(
        World(
            an_entry("com.example/pg", title="PostgreSQL", description="Runs SQL"),
            an_entry("com.example/slack", description="Sends messages to channels"),
            an_entry("com.example/hub", title="GitHub", description="Reads pull-requests"),
            an_entry("com.example/mail", description="Sends mail"),
        ),
        "a",
    )
    for text, expected in {
        "postgres": (["com.example/pg"], False),
        "psql": (["com.example/pg"], False),
        "pullRequests": (["com.example/hub"], False),
        "hub": (["com.example/hub"], False),
        "send slack messages": (["com.example/slack"], False),
        "find me something for slack": (["com.example/slack"], True),
        "sends telegrams": (["com.example/mail", "com.example/slack"], True),
        "nothing of this kind": ([], False),
        "...": ([], False),
        '"sends mail"': (["com.example/mail"], False),
        '"mail sends"': ([], False),
    }.items():
        assert found(shelves, text, "a") == expected, text


@pytest.mark.anyio
async def test_who_hosts_a_name_says_nothing_of_what_is_sought(shelves: Library) -> None:
    others = (an_entry(f"io.github.x/s{number}", description="pulls") for number in range(5))
    wanted = an_entry("com.example/hub", title="GitHub", description="requests")
    await shelves.put(World(*others, wanted), "a")
    assert found(shelves, "github pull requests cobol", "a")[0][0] == "com.example/hub"
    assert len(found(shelves, "io.github.x", "a")[0]) == 5


@pytest.mark.anyio
async def test_how_rare_a_word_is_is_told_by_what_is_seen(shelves: Library) -> None:
    seen = World(
        an_entry("com.example/x", description="alpha"),
        an_entry("com.example/y", description="beta"),
        an_entry("com.example/z", description="beta"),
    )
    await shelves.put(seen, "a")
    before = found(shelves, "alpha beta gamma", "a")
    assert before == (["com.example/x", "com.example/y", "com.example/z"], True)
    hidden = World(*(an_entry(f"com.example/h{n}", description="alpha gamma") for n in range(9)))
    await shelves.put(hidden, "b")
    assert found(shelves, "alpha beta gamma", "a") == before

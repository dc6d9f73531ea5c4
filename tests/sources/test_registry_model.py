"""Whatever happens upstream, in whatever order: after the last sync the reader knows what is there."""

from __future__ import annotations

import asyncio
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sources.reader import Reader, alive_in
from tests.sources.web import Clock, Naps, web
from tests.upstream import Corpus, Seen, Upstream, reset
from thv.clients.http.client import HttpClient
from thv.domain import registry as specs
from thv.domain.errors import ThvError
from thv.sources.registry import RegistrySource

Act: TypeAlias = tuple[str, int, int]

ACTS: st.SearchStrategy[Act] = st.tuples(
    st.sampled_from(
        ["publish", "delete", "restore", "deprecate", "sync", "fail", "insert", "wait"]
    ),
    st.integers(0, 2),
    st.integers(0, 3),
)


def act(corpus: Corpus, what: str, number: int, version: int) -> None:
    """One change upstream; what cannot be is not done."""
    key = f"io.example/{number}", f"{version}.0.0"
    if what == "publish" and key not in corpus.rows:
        corpus.publish(*key)
    elif what in ("delete", "restore", "deprecate") and key in corpus.rows:
        words = {"delete": "deleted", "restore": "active", "deprecate": "deprecated"}
        corpus.set_status(*key, words[what])


async def play(up: Upstream, clock: Clock, acts: list[Act], versions: str) -> Reader:
    reader = Reader()
    async with HttpClient() as client:
        spec = specs.RegistrySource(url=up.url, versions="all" if versions == "all" else "latest")
        source = RegistrySource(
            spec, web(client, [up.place], now=clock), Naps().settings(page_size=2, tries=2)
        )
        for what, number, version in acts:
            clock.pass_(minutes=3 * version)
            if what in ("sync", "fail", "insert"):
                await sync(reader, source, up, (what, number, version))
            elif what == "wait":
                clock.pass_(hours=1 + number * 6)
            else:
                act(up.corpus, what, number, version)
        for _ in range(3):
            clock.pass_(minutes=1)
            await sync(reader, source, up, ("sync", 0, 0))
    return reader


async def sync(reader: Reader, source: RegistrySource, up: Upstream, how: Act) -> None:
    what, number, version = how
    if what == "fail":
        up.fault(reset(), after=number % 3, times=2)
    if what == "insert":
        up.on_request = lambda seen: insert(up, seen, number, version)
    try:
        await reader.sync(source)
    except ThvError:
        assert what == "fail"
    finally:
        up.on_request = None
        up.heal()


def insert(up: Upstream, seen: Seen, number: int, version: int) -> None:
    act(up.corpus, "publish", number, version)
    act(up.corpus, "delete" if len(up.requests) % 2 else "restore", version, number % 4)


@pytest.mark.flows
@pytest.mark.requirement("REG-05")
@pytest.mark.parametrize("versions", ["all", "latest"])
@settings(max_examples=80, deadline=None)
@given(acts=st.lists(ACTS, min_size=5, max_size=25))
def test_the_reader_ends_with_what_is_there(versions: str, acts: list[Act]) -> None:
    clock = Clock()
    with Upstream(Corpus(clock)) as up:
        for number in range(3):
            for version in range(2):
                act(up.corpus, "publish", number, version)
        clock.pass_(hours=1)
        reader = asyncio.run(play(up, clock, acts, versions))
        corpus = up.corpus
    if versions == "all":
        assert reader.alive() == alive_in(corpus)
        return
    # The latest of each name is there, and nothing that is not; older versions may be.
    latest = {key for key, row in corpus.rows.items() if row.latest and row.status != "deleted"}
    assert latest <= reader.alive() <= alive_in(corpus)

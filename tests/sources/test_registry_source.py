"""The registry source against a real server, through everything that goes wrong on the way."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Iterator

import pytest

from tests.sources.reader import Reader, alive_in
from tests.sources.web import Clock, Naps, web
from tests.upstream import (
    Corpus,
    Play,
    Seen,
    Upstream,
    answer,
    circle,
    drip,
    endless,
    other_cursors,
    reset,
    stall,
    status,
    truncated,
)
from thv.clients.http.client import HttpClient
from thv.clients.http.response import Limits
from thv.domain import registry as specs
from thv.domain.errors import Code, Next, ThvError
from thv.sources.base import Known, Pages, Unchanged
from thv.sources.paging import CrawlSettings
from thv.sources.registry import RegistrySource

pytestmark = [pytest.mark.anyio, pytest.mark.flows, pytest.mark.requirement("REG-05")]

LIST = "/v0.1/servers"


@pytest.fixture
def source(up: Upstream, client: HttpClient, clock: Clock, naps: Naps) -> RegistrySource:
    return opened(up, client, clock, naps)


def opened(
    up: Upstream,
    client: HttpClient,
    clock: Clock,
    naps: Naps,
    *,
    url: str = "",
    versions: str = "all",
    settings: CrawlSettings | None = None,
) -> RegistrySource:
    spec = specs.RegistrySource(
        url=url or up.url, versions="all" if versions == "all" else "latest"
    )
    return RegistrySource(
        spec, web(client, [up.place], now=clock), settings or naps.settings(page_size=2)
    )


def fill(up: Upstream, count: int = 5) -> None:
    """Entries that were there long before the first run."""
    clock = up.corpus.clock
    assert isinstance(clock, Clock)
    clock.pass_(hours=-1)
    for number in range(count):
        up.corpus.publish(f"io.example/{number:03}")
    clock.pass_(hours=1)


def queries(up: Upstream) -> list[dict[str, str]]:
    return [seen.query for seen in up.seen()]


# ---------------------------------------------------------------- where the API is


@pytest.mark.parametrize(
    ("given", "answers"),
    [
        ("", "/v0.1/servers"),
        ("/", "/v0.1/servers"),
        ("/v0.1", "/v0.1/servers"),
        ("/v0.1/", "/v0.1/servers"),
        ("/v0.1/servers", "/v0.1/servers"),
        ("/v0.1/servers/", "/v0.1/servers"),
        ("/v0/servers", "/v0/servers"),
        ("/v0", "/v0/servers"),
        ("/api/v1/servers", "/v0.1/servers"),
    ],
)
async def test_every_form_of_the_url_leads_to_the_list(
    client: HttpClient, clock: Clock, naps: Naps, given: str, answers: str
) -> None:
    with Upstream(Corpus(clock), base="/registry/corp") as up:
        fill(up)
        reader = Reader()
        await reader.sync(opened(up, client, clock, naps, url=up.url + given))
        assert reader.alive() == alive_in(up.corpus)
        assert {seen.path for seen in up.requests} == {up.base + answers}
        expected = "" if given == answers else up.url + answers
        assert reader.known.resolved_url == expected


async def test_an_old_server_is_found_and_asked_directly_later(
    client: HttpClient, clock: Clock, naps: Naps
) -> None:
    with Upstream(Corpus(clock), generations=("/v0",)) as up:
        fill(up)
        source, reader = opened(up, client, clock, naps), Reader()
        await reader.sync(source)
        assert [seen.path for seen in up.requests][:2] == ["/v0.1/servers", "/v0/servers"]
        del up.requests[:]
        assert isinstance(await reader.sync(source), Unchanged)
        assert [seen.path for seen in up.requests] == ["/v0/servers"]


async def test_our_own_list_is_paged_where_there_is_no_official_one(
    client: HttpClient, clock: Clock, naps: Naps
) -> None:
    with Upstream(Corpus(clock), generations=(), own=True, etags=True) as up:
        fill(up)
        source = opened(up, client, clock, naps, url=up.url + "/api/v1/servers?registry=a")
        reader = Reader()
        await reader.sync(source)
        assert reader.alive() == alive_in(up.corpus)
        assert [page.total for page in reader.pages] == [5, 5, 5]
        assert up.requests[1].query == {
            "registry": "a",
            "limit": "2",
            "format": "upstream",
            "version": "all",
        }
        count = len(up.requests)
        assert isinstance(await reader.sync(source), Unchanged)
        assert len(up.requests) == count + 1
        up.corpus.delete("io.example/003", "1.0.0")
        assert isinstance(await reader.sync(source), Pages)
        assert reader.alive() == alive_in(up.corpus)


async def test_no_api_is_not_found(source: RegistrySource, up: Upstream) -> None:
    up.generations = ()
    with pytest.raises(ThvError, match="there is no registry API at") as caught:
        await source.fetch(Known())
    assert caught.value.code is Code.SOURCE_NOT_FOUND
    assert [seen.path for seen in up.requests] == ["/v0.1/servers", "/v0/servers"]


# ---------------------------------------------------------------- runs


async def test_the_first_run_reads_every_page(source: RegistrySource, up: Upstream) -> None:
    fill(up, 6)
    reader = Reader()
    fetched = await reader.sync(source)
    assert isinstance(fetched, Pages)
    assert (fetched.complete, fetched.resumed) == (True, False)
    assert reader.alive() == alive_in(up.corpus)
    assert queries(up) == [
        {"limit": "2"},
        {"limit": "2", "cursor": "io.example/001:1.0.0"},
        {"limit": "2", "cursor": "io.example/003:1.0.0"},
        {"limit": "2", "cursor": "io.example/005:1.0.0"},
    ]
    assert reader.known == Known(
        origin=source.origin,
        revision="2026-11-21T12:00:00Z",
        resolved_url=up.url + LIST,
        watermark="2026-11-21T11:55:00Z",
        completed="2026-11-21T12:00:00Z",
    )


async def test_latest_versions_are_asked_for_in_full_runs_only(
    up: Upstream, client: HttpClient, clock: Clock, naps: Naps
) -> None:
    fill(up, 1)
    source, reader = opened(up, client, clock, naps, versions="latest"), Reader()
    await reader.sync(source)
    clock.pass_(hours=1)
    up.corpus.publish("io.example/000", "2.0.0")
    await reader.sync(source)
    assert queries(up) == [
        {"limit": "2", "version": "latest"},
        {"limit": "2", "updated_since": "2026-11-21T11:55:00Z"},
    ]
    assert reader.alive() == {("io.example/000", "1.0.0"), ("io.example/000", "2.0.0")}


async def test_an_increment_lists_what_changed(
    source: RegistrySource, up: Upstream, clock: Clock
) -> None:
    fill(up)
    reader = Reader()
    await reader.sync(source)
    clock.pass_(hours=1)
    up.corpus.publish("io.example/new")
    up.corpus.set_status("io.example/001", "1.0.0", "deprecated")
    fetched = await reader.sync(source)
    assert isinstance(fetched, Pages)
    assert not fetched.complete
    assert [len(page.items) for page in reader.pages[3:]] == [2, 0]
    assert reader.known.watermark == "2026-11-21T12:55:00Z"
    assert reader.known.completed == "2026-11-21T12:00:00Z"
    assert reader.alive() == alive_in(up.corpus)


async def test_an_empty_increment_is_unchanged_and_costs_one_request(
    source: RegistrySource, up: Upstream, clock: Clock
) -> None:
    up.etags = True
    fill(up)
    reader = Reader()
    await reader.sync(source)
    for expected in ("", "304"):
        clock.pass_(hours=1)
        del up.requests[:]
        assert isinstance(await reader.sync(source), Unchanged)
        assert len(up.requests) == 1
        assert ("if-none-match" in up.requests[0].headers) == bool(expected)


async def test_increments_reach_back_behind_the_clocks(
    source: RegistrySource, up: Upstream, clock: Clock
) -> None:
    fill(up)
    reader = Reader()
    clock.pass_(minutes=2)  # our clock is ahead of what upstream writes
    await reader.sync(source)
    clock.pass_(minutes=-1)
    up.corpus.publish("io.example/late")
    clock.pass_(hours=1)
    await reader.sync(source)
    assert ("io.example/late", "1.0.0") in reader.alive()


async def test_the_clock_of_the_other_side_counts_when_it_is_behind(
    source: RegistrySource, up: Upstream
) -> None:
    fill(up, 1)
    up.fault(status(200, b'{"servers":[{}]}', date="Sat, 21 Nov 2026 09:00:00 GMT"))
    fetched = await source.fetch(Known())
    assert isinstance(fetched, Pages)
    async for page in fetched.pages:
        assert page.known.watermark == "2026-11-21T08:55:00Z"


async def test_everything_is_read_again_once_a_day(
    source: RegistrySource, up: Upstream, clock: Clock
) -> None:
    fill(up)
    reader = Reader()
    await reader.sync(source)
    up.corpus.forget("io.example/002", "1.0.0")
    clock.pass_(hours=23)
    await reader.sync(source)
    assert reader.alive() > alive_in(up.corpus)
    clock.pass_(hours=1)
    fetched = await reader.sync(source)
    assert isinstance(fetched, Pages)
    assert fetched.complete
    assert reader.alive() == alive_in(up.corpus)


async def test_a_server_that_knows_no_increments_is_read_in_full(
    source: RegistrySource, up: Upstream, clock: Clock
) -> None:
    fill(up)
    reader = Reader()
    await reader.sync(source)

    def refuse(seen: Seen) -> None:
        if "updated_since" in seen.query:
            up.fault(status(422))

    up.on_request = refuse
    clock.pass_(hours=1)
    up.corpus.forget("io.example/002", "1.0.0")
    fetched = await reader.sync(source)
    assert isinstance(fetched, Pages)
    assert fetched.complete
    assert reader.alive() == alive_in(up.corpus)


async def test_a_server_that_knows_no_latest_is_read_with_all_versions(
    up: Upstream, client: HttpClient, clock: Clock, naps: Naps
) -> None:
    fill(up, 3)
    up.fault(status(400))
    reader = Reader()
    await reader.sync(opened(up, client, clock, naps, versions="latest"))
    assert reader.alive() == alive_in(up.corpus)
    assert "version" not in up.requests[1].query


async def test_a_request_that_is_never_understood_is_the_last_word(
    source: RegistrySource, up: Upstream
) -> None:
    up.fault(status(422), times=-1)
    with pytest.raises(ThvError, match="answered 422"):
        await source.fetch(Known())
    assert len(up.requests) == 1


# ---------------------------------------------------------------- deleted entries


async def test_after_a_deletion_all_versions_of_the_name_come_again(
    up: Upstream, client: HttpClient, clock: Clock, naps: Naps
) -> None:
    up.corpus.publish("io.example/a b+c", "1.0.0")
    up.corpus.publish("io.example/a b+c", "2.0.0")
    clock.pass_(hours=1)
    source, reader = opened(up, client, clock, naps, versions="latest"), Reader()
    await reader.sync(source)
    clock.pass_(hours=1)
    before = reader.known
    up.corpus.delete("io.example/a b+c", "2.0.0", "malware")
    del up.requests[:]
    await reader.sync(source)
    assert [seen.path for seen in up.requests] == [LIST, LIST + "/io.example%2Fa%20b%2Bc/versions"]
    assert reader.alive() == {("io.example/a b+c", "1.0.0")}
    assert reader.pages[-2].known == before
    assert reader.pages[-1].known.watermark == "2026-11-21T13:55:00Z"


async def test_versions_are_read_again_once_for_each_name(
    up: Upstream, client: HttpClient, clock: Clock, naps: Naps
) -> None:
    for version in ("1.0.0", "2.0.0", "3.0.0"):
        up.corpus.publish("io.example/a", version)
    settings = naps.settings(page_size=1)
    source, reader = opened(up, client, clock, naps, settings=settings), Reader()
    await reader.sync(source)
    clock.pass_(hours=1)
    for version in ("1.0.0", "2.0.0", "3.0.0"):
        up.corpus.delete("io.example/a", version)
    await reader.sync(source)
    assert reader.alive() == set()
    assert len([seen for seen in up.requests if seen.path.endswith("/versions")]) == 1


async def test_too_many_deletions_make_the_next_run_a_full_one(
    up: Upstream, client: HttpClient, clock: Clock, naps: Naps
) -> None:
    fill(up, 6)
    settings = naps.settings(refetches=2)
    source, reader = opened(up, client, clock, naps, settings=settings), Reader()
    await reader.sync(source)
    clock.pass_(hours=1)
    for number in range(5):
        up.corpus.delete(f"io.example/{number:03}", "1.0.0")
    await reader.sync(source)
    assert len([seen for seen in up.requests if seen.path.endswith("/versions")]) == 2
    fetched = await reader.sync(source)
    assert isinstance(fetched, Pages)
    assert fetched.complete


async def test_an_interrupted_run_that_missed_deletions_is_followed_by_a_full_one(
    up: Upstream, client: HttpClient, clock: Clock, naps: Naps
) -> None:
    fill(up, 6)
    settings = naps.settings(refetches=1, page_size=2)
    source, reader = opened(up, client, clock, naps, settings=settings), Reader()
    await reader.sync(source)
    clock.pass_(hours=1)
    for number in range(5):
        up.corpus.delete(f"io.example/{number:03}", "1.0.0")
    up.fault(reset(), path=LIST, after=2, times=4)
    with pytest.raises(ThvError):
        await reader.sync(source)
    fetched = await reader.sync(source)
    assert isinstance(fetched, Pages)
    assert (fetched.complete, fetched.resumed) == (True, False)
    assert reader.alive() == alive_in(up.corpus)


async def test_a_name_that_vanished_is_no_failure(
    source: RegistrySource, up: Upstream, clock: Clock
) -> None:
    fill(up)
    reader = Reader()
    await reader.sync(source)
    clock.pass_(hours=1)
    up.corpus.delete("io.example/001", "1.0.0")
    up.fault(status(404), path=LIST + "/", times=-1)
    await reader.sync(source)
    assert reader.alive() == alive_in(up.corpus)


# ---------------------------------------------------------------- failures


@pytest.mark.parametrize(
    "play",
    [
        status(500),
        status(502, b"<html>"),
        status(429),
        reset(),
        truncated(),
        answer(b"{"),
        answer(b"<html>", content_type="text/html"),
        answer(gzip.compress(b"x" * 500)[:-9], content_encoding="gzip"),
    ],
)
async def test_a_page_is_tried_four_times(
    source: RegistrySource, up: Upstream, naps: Naps, play: Play
) -> None:
    fill(up)
    up.fault(play, after=1, times=3)
    reader = Reader()
    await reader.sync(source)
    assert reader.alive() == alive_in(up.corpus)
    assert naps.seconds == [0.1, 0.2, 0.4]


async def test_the_fifth_failure_ends_the_run_at_its_page(
    source: RegistrySource, up: Upstream, naps: Naps
) -> None:
    fill(up)
    up.fault(status(503), after=1, times=4)
    reader = Reader()
    with pytest.raises(ThvError) as caught:
        await reader.sync(source)
    assert (caught.value.code, caught.value.next) == (Code.SOURCE_UNREACHABLE, Next.BACKOFF)
    assert reader.known.cursor == "io.example/001:1.0.0"
    fetched = await reader.sync(source)
    assert isinstance(fetched, Pages)
    assert (fetched.complete, fetched.resumed) == (True, True)
    assert reader.alive() == alive_in(up.corpus)
    assert up.requests[5].query["cursor"] == "io.example/001:1.0.0"
    assert len(up.requests) == 1 + 4 + 2


async def test_a_run_goes_on_after_days_and_misses_nothing(
    source: RegistrySource, up: Upstream, clock: Clock
) -> None:
    fill(up)
    up.fault(reset(), after=1, times=4)
    reader = Reader()
    with pytest.raises(ThvError):
        await reader.sync(source)
    clock.pass_(days=3)
    up.corpus.publish("io.example/000a")  # before the cursor
    await reader.sync(source)
    assert reader.known.watermark == "2026-11-21T11:55:00Z"
    await reader.sync(source)
    assert reader.alive() == alive_in(up.corpus)


async def test_a_daily_full_run_goes_on_as_one(
    source: RegistrySource, up: Upstream, clock: Clock
) -> None:
    fill(up)
    reader = Reader()
    await reader.sync(source)
    clock.pass_(hours=25)
    up.corpus.forget("io.example/004", "1.0.0")
    up.fault(reset(), after=1, times=4)
    with pytest.raises(ThvError):
        await reader.sync(source)
    fetched = await reader.sync(source)
    assert isinstance(fetched, Pages)
    assert (fetched.complete, fetched.resumed) == (True, True)
    assert reader.alive() == alive_in(up.corpus)


async def test_an_increment_goes_on_as_one(
    source: RegistrySource, up: Upstream, clock: Clock
) -> None:
    fill(up)
    reader = Reader()
    await reader.sync(source)
    clock.pass_(hours=1)
    for number in range(5):
        up.corpus.publish(f"io.example/new-{number}")
    up.fault(reset(), after=1, times=4)
    with pytest.raises(ThvError):
        await reader.sync(source)
    fetched = await reader.sync(source)
    assert isinstance(fetched, Pages)
    assert (fetched.complete, fetched.resumed) == (False, True)
    assert reader.alive() == alive_in(up.corpus)


@pytest.mark.parametrize("code", [400, 410, 422])
async def test_a_cursor_that_is_no_more_starts_the_run_again(
    source: RegistrySource, up: Upstream, code: int
) -> None:
    fill(up)
    up.fault(reset(), after=1, times=4)
    reader = Reader()
    with pytest.raises(ThvError):
        await reader.sync(source)
    up.corpus.forget("io.example/000", "1.0.0")
    up.fault(status(code))
    fetched = await reader.sync(source)
    assert isinstance(fetched, Pages)
    assert (fetched.complete, fetched.resumed) == (True, False)
    assert reader.alive() == alive_in(up.corpus)


async def test_a_cursor_that_expires_on_the_way_starts_the_run_again_once(
    client: HttpClient, clock: Clock, naps: Naps
) -> None:
    with Upstream(Corpus(clock), generations=(), own=True, etags=True) as up:
        fill(up)

        def change(seen: Seen) -> None:
            if len(up.requests) == 3:
                up.corpus.forget("io.example/000", "1.0.0")

        up.on_request = change
        source = opened(up, client, clock, naps, url=up.url + "/api/v1/servers")
        reader = Reader()
        await reader.sync(source)
        assert reader.alive() >= alive_in(up.corpus)
        assert reader.known.completed == ""
        up.fault(status(410), path="/api", after=1, times=2)
        with pytest.raises(ThvError, match="answered 410"):
            await reader.sync(source)


@pytest.mark.parametrize(
    ("retry_after", "slept"), [("7", 7.0), ("Sat, 21 Nov 2026 12:00:09 GMT", 9.0)]
)
async def test_retry_after_is_honoured(
    source: RegistrySource, up: Upstream, naps: Naps, retry_after: str, slept: float
) -> None:
    fill(up)
    up.fault(status(429, retry_after=retry_after), after=1)
    await Reader().sync(source)
    assert naps.seconds == [slept]


async def test_a_long_retry_after_ends_the_run_and_says_when(
    source: RegistrySource, up: Upstream, naps: Naps
) -> None:
    fill(up)
    up.fault(status(429, retry_after="600"), after=1)
    reader = Reader()
    with pytest.raises(ThvError) as caught:
        await reader.sync(source)
    assert (caught.value.code, caught.value.retry_after) == (Code.RATE_LIMITED, 600.0)
    assert (caught.value.next, naps.seconds) == (Next.WAIT, [])
    await reader.sync(source)
    assert reader.alive() == alive_in(up.corpus)


@pytest.mark.parametrize("code", [401, 403])
async def test_a_refusal_is_not_tried_again(
    source: RegistrySource, up: Upstream, naps: Naps, code: int
) -> None:
    up.fault(status(code), times=-1)
    with pytest.raises(ThvError) as caught:
        await source.fetch(Known())
    assert caught.value.code is Code.AUTHENTICATION_FAILED
    assert (len(up.requests), naps.seconds) == (1, [])


@pytest.mark.parametrize("play", [circle(), other_cursors()])
async def test_pages_in_a_circle_are_told(source: RegistrySource, up: Upstream, play: Play) -> None:
    fill(up)
    up.fault(play, times=-1)
    with pytest.raises(ThvError, match="go in a circle: page") as caught:
        await Reader().sync(source)
    assert caught.value.code is Code.SOURCE_UNREACHABLE
    assert len(up.requests) <= 3


async def test_a_chain_of_empty_pages_ends(
    up: Upstream, client: HttpClient, clock: Clock, naps: Naps
) -> None:
    up.fault(other_cursors(), times=-1)
    settings = naps.settings(run_bytes=20 * 16 * 1024)
    source = opened(up, client, clock, naps, settings=settings)
    with pytest.raises(ThvError, match="has no end: 21 pages so far") as caught:
        await Reader().sync(source)
    assert caught.value.code is Code.SIZE_LIMIT_EXCEEDED


@pytest.mark.parametrize("play", [endless(), answer(b" " * 70_000)])
async def test_a_page_is_bound_in_size(
    up: Upstream, client: HttpClient, clock: Clock, naps: Naps, play: Play
) -> None:
    up.fault(play)
    settings = naps.settings(limits=Limits(body_bytes=65_536))
    with pytest.raises(ThvError) as caught:
        await opened(up, client, clock, naps, settings=settings).fetch(Known())
    assert caught.value.code is Code.SIZE_LIMIT_EXCEEDED
    assert len(up.requests) == 1


async def test_a_page_is_bound_in_time(
    up: Upstream, client: HttpClient, clock: Clock, naps: Naps
) -> None:
    fill(up)
    up.fault(drip(0.005), times=-1)
    settings = naps.settings(limits=Limits(total=0.03))
    with pytest.raises(ThvError) as caught:
        await opened(up, client, clock, naps, settings=settings).fetch(Known())
    assert caught.value.code is Code.SOURCE_TIMEOUT
    assert len(up.requests) == 4


async def test_entries_that_appear_while_paging_are_not_lost(
    source: RegistrySource, up: Upstream, clock: Clock
) -> None:
    fill(up, 9)

    def insert(seen: Seen) -> None:
        clock.pass_(seconds=1)
        up.corpus.publish(f"io.example/000-{len(up.requests)}")
        up.corpus.publish(f"io.example/zzz-{len(up.requests)}")

    up.on_request = insert
    reader = Reader()
    await reader.sync(source)
    up.on_request = None
    await reader.sync(source)
    assert reader.alive() == alive_in(up.corpus)


async def test_bad_entries_do_not_cost_their_page(source: RegistrySource, up: Upstream) -> None:
    page: dict[str, object] = {"servers": [{"server": {"name": 7}}, None, "x", {"deep": [[[]]]}]}
    up.fault(answer(json.dumps(page).encode()))
    fetched = await source.fetch(Known())
    assert isinstance(fetched, Pages)
    assert [len(page.items) async for page in fetched.pages] == [4]


async def test_a_known_that_is_damaged_asks_for_everything(
    source: RegistrySource, up: Upstream
) -> None:
    fill(up)
    damaged = Known(origin=source.origin, watermark="yesterday", completed="never", cursor="x")
    fetched = await source.fetch(damaged)
    assert isinstance(fetched, Pages)
    assert fetched.complete


async def test_the_spec_decides_the_origin(
    up: Upstream, client: HttpClient, clock: Clock, naps: Naps
) -> None:
    one = opened(up, client, clock, naps)
    assert one.origin == opened(up, client, clock, naps).origin
    assert one.origin != opened(up, client, clock, naps, versions="latest").origin
    assert one.origin != opened(up, client, clock, naps, url=up.url + "/x").origin


# ---------------------------------------------------------------- size


@pytest.fixture
def large(clock: Clock) -> Iterator[Upstream]:
    with Upstream(Corpus.synthetic(20_000, clock)) as opened_:
        yield opened_


async def test_a_large_registry_takes_little_memory_and_one_connection(
    large: Upstream, client: HttpClient, clock: Clock
) -> None:
    source = opened(large, client, clock, Naps(), settings=CrawlSettings())
    tracemalloc.start()
    try:
        fetched = await source.fetch(Known())
        assert isinstance(fetched, Pages)
        count = 0
        async for page in fetched.pages:
            count += len(page.items)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 20_000
    assert large.connections == 1
    assert peak < 8 * 1024 * 1024


@pytest.mark.parametrize(
    ("play", "tries"), [(status(503), 10), (reset(), 10), (answer(b"<html>"), 4), (stall(), 4)]
)
async def test_a_page_is_tried_again_as_often_as_that_may_help(  # noqa: PLR0917 # fixtures
    client: HttpClient, up: Upstream, clock: Clock, naps: Naps, play: Play, tries: int
) -> None:
    fill(up)
    up.fault(play, times=-1)
    settings = CrawlSettings(sleep=naps, chance=lambda: 0.5, limits=Limits(total=0.1))
    with pytest.raises(ThvError):
        await Reader().sync(opened(up, client, clock, naps, settings=settings))
    assert len(up.requests) == tries
    assert max(naps.seconds) == (1.0 if tries > 4 else 0.4)


async def test_who_was_never_there_is_not_waited_for_as_long(
    client: HttpClient, clock: Clock, naps: Naps
) -> None:
    settings = CrawlSettings(sleep=naps, chance=lambda: 0.5)
    with Upstream(Corpus.synthetic(4, clock)) as up:
        source = opened(up, client, clock, naps, settings=settings)
    with pytest.raises(ThvError):
        await source.fetch(Known())
    assert len(naps.seconds) == settings.costly_tries - 1


async def test_who_goes_away_in_the_middle_is_waited_for(
    client: HttpClient, clock: Clock, naps: Naps
) -> None:
    settings = CrawlSettings(sleep=naps, chance=lambda: 0.5, page_size=2)
    with Upstream(Corpus.synthetic(4, clock)) as up:
        fetched = await opened(up, client, clock, naps, settings=settings).fetch(Known())
        assert isinstance(fetched, Pages)
        await anext(fetched.pages)
    with pytest.raises(ThvError):
        await anext(fetched.pages)
    assert len(naps.seconds) == settings.tries - 1

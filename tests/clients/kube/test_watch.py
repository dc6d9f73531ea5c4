"""Watches: lines as they come, and every way in which they stop coming."""

from __future__ import annotations

import asyncio
import tracemalloc
from contextlib import aclosing

import pytest

from tests.clients.kube.server import Request, Script, Wire, added, bookmark, status
from tests.clients.kube.test_client import PATH, USUAL, against
from thv.clients.kube.client import KubeClient, Limits
from thv.clients.kube.errors import UNREADABLE, KubeError, KubeUnreachableError
from thv.domain.canonical import JsonObject

pytestmark = [pytest.mark.anyio, pytest.mark.flows]


async def watched(client: KubeClient, *, idle: float = 5.0) -> list[JsonObject]:
    """Everything until the watch ends."""
    events: list[JsonObject] = []
    async with aclosing(client.watch(PATH, query={"resourceVersion": "5"}, idle=idle)) as told:
        async for event in told:
            events.append(event)  # noqa: PERF401 # what came before a failure is kept
    return events


async def failure(script: Script, limits: Limits = USUAL, idle: float = 5.0) -> Exception:
    async with against(script, limits) as (client, _):
        with pytest.raises((KubeError, KubeUnreachableError)) as error:
            await watched(client, idle=idle)
    return error.value


def telling(*events: object, then: str = "end") -> Script:
    async def script(_: Request, wire: Wire) -> None:
        await wire.open()
        await wire.tell(*events)
        match then:
            case "reset":
                wire.reset()
            case "stall":
                await wire.stall()
            case _:
                await wire.end()

    return script


# ---------------------------------------------------------------- as it should be


async def test_events_come_in_order_until_the_server_ends_the_watch() -> None:
    events = [added("a", "6"), bookmark("7"), added("b", "8")]
    async with against(telling(*events)) as (client, server):
        assert await watched(client) == events
    query = server.asked[0].query
    assert query["watch"] == "true"
    assert query["resourceVersion"] == "5"
    assert 261 <= int(query["timeoutSeconds"]) <= 290


async def test_a_watch_is_open_before_its_first_event() -> None:
    opened = asyncio.Event()

    async def script(_: Request, wire: Wire) -> None:
        await wire.open()
        await opened.wait()
        await wire.tell(added("a", "6"))
        await wire.end()

    async with against(script) as (client, _):
        watch = client.watch(PATH, query={}, opened=opened.set)
        async with aclosing(watch) as told:
            assert (await anext(told))["type"] == "ADDED"


async def test_lines_may_come_in_any_pieces() -> None:
    async def script(_: Request, wire: Wire) -> None:
        await wire.open()
        for start in range(0, len(text), 7):
            await wire.piece(text[start : start + 7])
        await wire.end()

    text = b'{"type":"A","object":{}}\n\n{"type":"B","object":{"k":"\\u00e4\xc3\xa4"}}\r\n'
    async with against(script) as (client, _):
        assert await watched(client) == [
            {"type": "A", "object": {}},
            {"type": "B", "object": {"k": "ää"}},
        ]


async def test_a_line_may_have_a_mebibyte() -> None:
    events = [added("a", "6", x="x" * 2**20), added("b", "7", x="y" * 2**20)]
    async with against(telling(*events)) as (client, _):
        assert await watched(client) == events


async def test_events_are_not_kept() -> None:
    async def script(_: Request, wire: Wire) -> None:
        await wire.open()
        for number in range(200):
            await wire.tell(*(added(f"s-{number}-{n}", "6", x="x" * 2000) for n in range(50)))
        await wire.end()

    count = 0
    async with against(script) as (client, _):
        tracemalloc.start()
        async with aclosing(client.watch(PATH, query={})) as told:
            async for _event in told:
                count += 1
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert count == 10_000
    assert peak < 4_000_000  # of 21 MB that came


async def test_a_watch_that_is_left_gives_its_connection_back() -> None:
    async with against(telling(added("a", "6"), then="stall")) as (client, server):
        async with aclosing(client.watch(PATH, query={})) as told:
            await anext(told)
        await server.left.wait()


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("told", "code", "reason"),
    [
        (status(410, "Expired", "too old resource version: 5 (9)"), 410, "Expired"),
        (status(500, "InternalError", "etcd: leader changed"), 500, "InternalError"),
        ({}, 500, ""),
    ],
)
async def test_an_error_event_ends_the_watch(told: JsonObject, code: int, reason: str) -> None:
    error = await failure(telling(added("a", "6"), {"type": "ERROR", "object": told}))
    assert isinstance(error, KubeError)
    assert (error.status, error.reason) == (code, reason)


async def test_a_refused_watch_tells_no_event() -> None:
    async def script(_: Request, wire: Wire) -> None:
        await wire.say(403, status(403, "Forbidden", 'cannot watch resource "configmaps"'))

    error = await failure(script)
    assert isinstance(error, KubeError)
    assert (error.status, error.message) == (403, 'cannot watch resource "configmaps"')


async def test_a_line_that_is_no_event_is_unreadable() -> None:
    async def script(_: Request, wire: Wire) -> None:
        await wire.open()
        await wire.piece(b"<html>\n")
        await wire.end()

    error = await failure(script)
    assert isinstance(error, KubeError)
    assert error.reason == UNREADABLE


async def test_a_line_without_end_is_not_kept() -> None:
    async def script(_: Request, wire: Wire) -> None:
        await wire.open()
        for _piece in range(1000):
            await wire.piece(b"x" * 65536)
        await wire.end()

    error = await failure(script, Limits(line=1_000_000))
    assert isinstance(error, KubeError)
    assert error.reason == UNREADABLE
    assert "more than 1,000,000 bytes" in error.message


# ---------------------------------------------------------------- lost connections


async def test_a_reset_is_a_broken_watch() -> None:
    error = await failure(telling(added("a", "6"), then="reset"))
    assert isinstance(error, KubeUnreachableError)
    assert error.broken


async def test_an_end_in_the_middle_of_a_line_is_a_broken_watch() -> None:
    async def script(_: Request, wire: Wire) -> None:
        await wire.open()
        await wire.piece(b'{"type":"ADDED","obj')
        await wire.end()

    error = await failure(script)
    assert isinstance(error, KubeUnreachableError)
    assert "in the middle of a line" in error.message


async def test_a_connection_that_brings_nothing_is_dead() -> None:
    error = await failure(telling(added("a", "6"), then="stall"), idle=0.1)
    assert isinstance(error, KubeUnreachableError)
    assert "nothing more" in error.message


async def test_bookmarks_keep_a_watch_alive() -> None:
    async def script(_: Request, wire: Wire) -> None:
        await wire.open()
        for number in range(12):
            await wire.tell(bookmark(str(number)))
            await asyncio.sleep(0.05)
        await wire.end()

    async with against(script) as (client, _):
        assert len(await watched(client, idle=0.3)) == 12


async def test_a_watch_that_is_never_opened_is_left() -> None:
    async def script(_: Request, wire: Wire) -> None:
        await wire.stall()

    error = await failure(script, Limits(opening=0.1))
    assert isinstance(error, KubeUnreachableError)
    assert "no answer" in error.message


async def test_closing_the_client_ends_open_watches() -> None:
    async with against(telling(added("a", "6"), then="stall")) as (client, _):
        watches = [client.watch(PATH, query={}) for _ in range(3)]
        for watch in watches:
            await anext(watch)
        waiting = [asyncio.ensure_future(anext(watch)) for watch in watches]
        await asyncio.sleep(0)
        await client.close()
        for each in waiting:
            with pytest.raises(KubeUnreachableError, match="was closed"):
                await each

"""What comes over a connection, over real sockets: requests of every kind, and what is none."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from thv.apps.kit.http.dispatch import Context
from thv.apps.kit.http.message import Header, Reply, Request
from thv.apps.kit.http.problems import Family, ProblemError, render
from thv.apps.kit.http.serve import Server, door_of, listening
from thv.apps.kit.http.traffic import Limits

pytestmark = pytest.mark.anyio

HOST = b"Host: x\r\n"


class Door:
    """Answers what the path says, and notes what became of it."""

    def __init__(self) -> None:
        self.server: Server
        self.port = 0
        self.done_with: list[tuple[bytes, bool]] = []
        self.noted = asyncio.Event()
        self.held = asyncio.Event()

    def respond(self, request: Request, context: Context) -> Reply | Awaitable[Reply]:
        context.status = 200
        match request.path:
            case b"/ends":
                return reply(f"{request.client} {request.here}:{request.port}".encode())
            case b"/wait":
                return self._later()
            case b"/follow":
                context.is_following = context.follow()
                return self._later() if context.is_following else reply(b"full")
            case b"/parts":
                return Reply(200, [], b"" if request.method == "HEAD" else parts())
            case b"/large":
                return reply(b"x" * (1 << 20))
            case b"/split":
                return reply(b"", (b"location", b"/a\r\nset-cookie: b"))
            case b"/breaks":
                return Reply(200, [], broken())
            case _:
                return reply(request.path + b"?" + request.query)

    async def _later(self) -> Reply:
        await self.held.wait()
        return reply(b"waited")

    def refuse(self, request: Request, context: Context, problem: ProblemError) -> Reply:
        context.status = problem.status
        answer = render(problem, Family.API, path="/", request_id=request.id, as_problem=False)
        assert isinstance(answer.body, bytes)
        return reply(answer.body, *answer.headers, status=answer.status)

    def done(self, request: Request, _context: Context, *, sent: bool) -> None:
        self.done_with.append((request.path, sent))
        self.noted.set()


def reply(body: bytes, *headers: Header, status: int = 200) -> Reply:
    return Reply(status, [*headers, (b"content-length", b"%d" % len(body))], body)


async def parts() -> AsyncIterator[bytes]:
    for part in (b"one", b"", b"two"):
        yield part


async def broken() -> AsyncIterator[bytes]:
    yield b"one"
    raise RuntimeError("what was read is gone")


@asynccontextmanager
async def serving(**limits: Any) -> AsyncIterator[Door]:
    door = Door()
    server = door.server = door_of(door, limits=Limits(**limits))
    bound = listening("127.0.0.1", 0)
    bound.listen()
    door.port = bound.getsockname()[1]
    work = asyncio.ensure_future(server.serve([bound]))
    try:
        yield door
    finally:
        server.should_exit = True
        await work


class Talk:
    """One connection of a client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def say(self, *lines: bytes, body: bytes = b"") -> None:
        self.writer.write(b"\r\n".join(lines) + b"\r\n" + HOST + b"\r\n" + body)

    async def answer(self, *, bodiless: bool = False) -> tuple[int, dict[str, str], bytes]:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        body = b""
        if not bodiless:
            body = await self.reader.readexactly(int(headers["content-length"]))
        return int(head[0].split()[1]), headers, body

    async def rest(self) -> bytes:
        """Everything until the end of the connection."""
        return await self.reader.read()


@asynccontextmanager
async def talking(door: Door) -> AsyncIterator[Talk]:
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    try:
        async with asyncio.timeout(60):
            yield Talk(reader, writer)
    finally:
        writer.close()


async def test_requests_that_are_sent_ahead_are_answered_in_their_order() -> None:
    async with serving() as door, talking(door) as talk:
        door.held.set()
        for path in (b"/a?b=c", b"/wait", b"/d"):
            talk.say(b"GET " + path + b" HTTP/1.1")
        found = [(await talk.answer())[2] for _ in range(3)]
        assert found == [b"/a?b=c", b"waited", b"/d?"]


async def test_a_request_knows_both_ends_of_its_connection() -> None:
    async with serving() as door, talking(door) as talk:
        talk.say(b"GET /ends HTTP/1.1")
        assert (await talk.answer())[2] == f"127.0.0.1 127.0.0.1:{door.port}".encode()


async def test_no_more_than_some_requests_are_taken_ahead() -> None:
    async with serving() as door, talking(door) as talk:
        for _ in range(100):
            talk.say(b"GET /a HTTP/1.1")
        talk.writer.write_eof()
        assert (await talk.rest()).count(b"HTTP/1.1 200") == 32


@pytest.mark.parametrize(
    ("said", "path"),
    [
        (b"GET http://x.example/a?b HTTP/1.1", b"/a?b"),
        (b"GET /a?b#c HTTP/1.1", b"/a?b"),
        (b"GET //evil.example/a HTTP/1.1", b"//evil.example/a?"),
        (b"OPTIONS * HTTP/1.1", b"*?"),
    ],
)
async def test_the_forms_of_a_target(said: bytes, path: bytes) -> None:
    async with serving() as door, talking(door) as talk:
        talk.say(said)
        assert (await talk.answer())[2] == path


@pytest.mark.parametrize(
    ("said", "status", "code"),
    [
        (b"hello there\r\n\r\n", 400, "INVALID_REQUEST"),
        (b"GET /a HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "INVALID_REQUEST"),
        (b"GET /" + b"a" * 9000, 414, "URI_TOO_LONG"),
        (b"GET / HTTP/1.1\r\nA: " + b"a" * 40_000, 431, "HEADERS_TOO_LARGE"),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 7000, 431, "HEADERS_TOO_LARGE"),
    ],
)  # fmt: skip
async def test_what_is_no_request_is_refused_and_nothing_more_is_read(
    said: bytes, status: int, code: str
) -> None:
    async with serving() as door, talking(door) as talk:
        talk.writer.write(said)
        found, headers, body = await talk.answer()
        assert (found, json.loads(body)["error"]["code"]) == (status, code)
        assert headers["connection"] == "close"
        assert await talk.rest() == b""


async def test_a_head_that_does_not_end_is_ended() -> None:
    async with serving(head=0.1) as door, talking(door) as talk:
        talk.writer.write(b"GET /a HTTP/1.1\r\nA: ")
        status, _, body = await talk.answer()
        assert (status, json.loads(body)["error"]["code"]) == (408, "REQUEST_TIMEOUT")
        assert await talk.rest() == b""


async def test_a_body_that_does_not_end_is_ended_after_the_answer() -> None:
    async with serving(head=0.1) as door, talking(door) as talk:
        talk.say(b"POST /a HTTP/1.1", b"Content-Length: 100", body=b"some")
        assert (await talk.answer())[0] == 200
        assert await talk.rest() == b""


async def test_who_says_nothing_is_left() -> None:
    async with serving(idle=0.1) as door, talking(door) as talk:
        talk.say(b"GET /a HTTP/1.1")
        assert (await talk.answer())[0] == 200
        assert await talk.rest() == b""


async def test_a_body_is_passed_over() -> None:
    async with serving() as door, talking(door) as talk:
        talk.say(b"POST /a HTTP/1.1", b"Content-Length: 4", body=b"GET ")
        talk.say(b"POST /b HTTP/1.1", b"Transfer-Encoding: chunked", body=b"3\r\nabc\r\n0\r\n\r\n")
        talk.say(b"GET /c HTTP/1.1")
        assert [(await talk.answer())[2] for _ in range(3)] == [b"/a?", b"/b?", b"/c?"]


async def test_nobody_reads_a_body_without_end() -> None:
    async with serving() as door, talking(door) as talk:
        talk.say(b"POST /a HTTP/1.1", b"Content-Length: 9999999", body=b"x" * (1 << 20))
        assert (await talk.answer())[0] == 200
        talk.writer.write(b"x" * 100)
        assert await talk.rest() == b""


@pytest.mark.parametrize(
    "said",
    [
        (b"GET /a HTTP/1.0",),
        (b"GET /a HTTP/1.1", b"Connection: close"),
        (b"POST /a HTTP/1.1", b"Content-Length: 4", b"Expect: 100-continue"),
        (b"GET /a HTTP/1.1", b"Connection: Upgrade", b"Upgrade: websocket"),
    ],
)
async def test_the_last_request_of_a_connection(said: tuple[bytes, ...]) -> None:
    async with serving() as door, talking(door) as talk:
        talk.say(*said)
        status, headers, _ = await talk.answer()
        assert (status, headers["connection"]) == (200, "close")
        assert await talk.rest() == b""


async def test_answers_in_parts() -> None:
    async with serving() as door, talking(door) as talk:
        talk.say(b"HEAD /parts HTTP/1.1")
        assert (await talk.answer(bodiless=True))[0] == 200
        talk.say(b"GET /parts HTTP/1.1", b"Connection: close")
        _, headers, _ = await talk.answer(bodiless=True)
        assert headers["transfer-encoding"] == "chunked"
        assert await talk.rest() == b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"
    async with serving() as door, talking(door) as talk:
        talk.say(b"GET /parts HTTP/1.0")
        _, headers, _ = await talk.answer(bodiless=True)
        assert "transfer-encoding" not in headers
        assert await talk.rest() == b"onetwo"


async def test_an_answer_that_breaks_off_looks_like_that(caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as door:
        for path in (b"/breaks", b"/split"):
            async with talking(door) as talk:
                talk.say(b"GET " + path + b" HTTP/1.1")
                with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
                    await talk.reader.readuntil(b"0\r\n\r\n")
        assert door.done_with == [(b"/breaks", False), (b"/split", False)]
        assert [record.exc_text is not None for record in caplog.records].count(True) == 2


async def test_who_goes_before_the_answer_is_noticed() -> None:
    async with serving() as door:
        async with talking(door) as talk:
            talk.say(b"GET /wait HTTP/1.1")
            talk.say(b"GET /a HTTP/1.1")
        async with asyncio.timeout(60):
            await door.noted.wait()
        assert door.done_with == [(b"/wait", False)]


async def test_followers_keep_nobody_waiting_and_are_not_too_many() -> None:
    async with serving(at_once=1, followers=2) as door, contextlib.AsyncExitStack() as stack:
        followers = [await stack.enter_async_context(talking(door)) for _ in range(2)]
        for each in followers:
            each.say(b"GET /follow HTTP/1.1")
        async with talking(door) as other:
            other.say(b"GET /a HTTP/1.1")
            assert (await other.answer())[0] == 200
            other.say(b"GET /follow HTTP/1.1")
            assert (await other.answer())[2] == b"full"
            door.held.set()
            assert [(await each.answer())[2] for each in followers] == [b"waited", b"waited"]
            other.say(b"GET /follow HTTP/1.1")
            assert (await other.answer())[2] == b"waited"


async def test_requests_that_find_no_time_are_sent_away_at_once() -> None:
    async with serving(at_once=1, patience=0.1) as door, talking(door) as one:
        one.say(b"GET /wait HTTP/1.1")
        async with talking(door) as other:
            other.say(b"GET /a HTTP/1.1")
            status, headers, body = await other.answer()
            assert (status, json.loads(body)["error"]["code"]) == (503, "OVERLOADED")
            assert headers["retry-after"] == "1"
            door.held.set()
            assert (await one.answer())[2] == b"waited"
            other.say(b"GET /a HTTP/1.1")
            assert (await other.answer())[0] == 200


async def test_a_reader_that_does_not_read_is_dropped_and_others_are_answered() -> None:
    async with serving(unread=1 << 20) as door, talking(door) as slow, talking(door) as slower:
        for talk in (slow, slower):
            for _ in range(31):
                talk.say(b"GET /large HTTP/1.1")
        async with asyncio.timeout(60):
            await door.noted.wait()
        async with talking(door) as other:
            other.say(b"GET /large HTTP/1.1")
            assert len((await other.answer())[2]) == 1 << 20


async def test_an_idle_connection_makes_room() -> None:
    async with serving(connections=2) as door, talking(door) as first, talking(door) as second:
        for talk in (first, second):
            talk.say(b"GET /a HTTP/1.1")
            await talk.answer()
        async with talking(door) as third:
            third.say(b"GET /a HTTP/1.1")
            assert (await third.answer())[0] == 200
        assert await first.rest() == b""
        second.say(b"GET /b HTTP/1.1")
        assert (await second.answer())[2] == b"/b?"


async def test_the_end_lets_an_answer_finish() -> None:
    async with serving() as door, talking(door) as busy, talking(door) as idle:
        idle.say(b"GET /a HTTP/1.1")
        await idle.answer()
        busy.say(b"GET /wait HTTP/1.1")
        idle.say(b"GET /b HTTP/1.1")
        await idle.answer()
        door.server.should_exit = True
        assert await idle.rest() == b""
        door.held.set()
        _, headers, body = await busy.answer()
        assert (headers["connection"], body) == ("close", b"waited")


async def test_clients_are_told_before_the_end() -> None:
    async with serving() as door, talking(door) as talk:
        talk.say(b"GET /a HTTP/1.1")
        await talk.answer()
        door.server.say_last_answers()
        talk.say(b"GET /b HTTP/1.1")
        assert (await talk.answer())[1]["connection"] == "close"
        assert await talk.rest() == b""

"""Bodies of requests: they are read by whoever wants them, within bounds, and strictly."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from thv.apps.kit.http import body
from thv.apps.kit.http.dispatch import Context
from thv.apps.kit.http.message import Reply, Request
from thv.apps.kit.http.negotiation import JSON_TYPE, YAML_TYPE
from thv.apps.kit.http.problems import Family, ProblemError, Word, render
from thv.apps.kit.http.serve import door_of, listening

pytestmark = pytest.mark.anyio

JSON = b"Content-Type: application/json"


class Echo:
    """Says what it read, unless the path is `/deaf`."""

    def respond(self, request: Request, _context: Context) -> Reply | Awaitable[Reply]:
        return _reply(200, b"deaf") if request.path == b"/deaf" else self._read(request)

    async def _read(self, request: Request) -> Reply:
        try:
            value = await body.read_value(request, types=(JSON_TYPE, YAML_TYPE))
        except ProblemError as problem:
            return self.refuse(request, Context(), problem)
        return _reply(200, json.dumps(value).encode())

    def refuse(self, request: Request, _context: Context, problem: ProblemError) -> Reply:
        answer = render(problem, Family.API, path="/", request_id=request.id)
        assert isinstance(answer.body, bytes)
        return _reply(answer.status, answer.body)

    def done(self, _request: Request, _context: Context, *, sent: bool) -> None:
        pass


def _reply(status: int, content: bytes) -> Reply:
    return Reply(status, [(b"content-length", b"%d" % len(content))], content)


@asynccontextmanager
async def talking() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    server = door_of(Echo())
    bound = listening("127.0.0.1", 0)
    bound.listen()
    work = asyncio.ensure_future(server.serve([bound]))
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", bound.getsockname()[1])
        yield reader, writer
        writer.close()
    finally:
        server.should_exit = True
        await work


def head(*lines: bytes, path: bytes = b"/") -> bytes:
    return b"\r\n".join((b"POST " + path + b" HTTP/1.1", b"Host: x", *lines, b"", b""))


def sized(content: bytes, *lines: bytes) -> bytes:
    return head(b"Content-Length: %d" % len(content), *(lines or (JSON,))) + content


async def answer(reader: asyncio.StreamReader) -> tuple[int, Any]:
    said = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    size = int(said.partition("content-length: ")[2].partition("\r\n")[0])
    content = await reader.readexactly(size)
    return int(said.split()[1]), json.loads(content) if content != b"deaf" else "deaf"


async def test_bodies_of_every_kind_on_one_connection() -> None:
    async with talking() as (reader, writer):
        writer.write(sized(b'{"a": 1}'))
        assert await answer(reader) == (200, {"a": 1})
        writer.write(
            head(b"Transfer-Encoding: chunked", JSON) + b'4\r\n{"a"\r\n3\r\n:2}\r\n0\r\n\r\n'
        )
        assert await answer(reader) == (200, {"a": 2})
        writer.write(sized(b"a: 3\n", b"Content-Type: application/yaml; charset=utf-8"))
        assert await answer(reader) == (200, {"a": 3})
        # Sent ahead: the next request stands behind a body.
        writer.write(sized(b'{"a": 4}') + sized(b'{"a": 5}'))
        assert [await answer(reader), await answer(reader)] == [(200, {"a": 4}), (200, {"a": 5})]


async def test_a_body_may_come_slowly_and_be_as_large_as_allowed() -> None:
    content = json.dumps({"a": "x" * (body.BODY_LIMIT - 20)}).encode()
    async with talking() as (reader, writer):
        writer.write(head(b"Content-Length: %d" % len(content), JSON))
        for start in range(0, len(content), 100_000):
            writer.write(content[start : start + 100_000])
            await writer.drain()
        status, value = await answer(reader)
        assert (status, len(value["a"])) == (200, body.BODY_LIMIT - 20)


async def test_who_waits_to_be_told_to_go_on_is_told_so() -> None:
    async with talking() as (reader, writer):
        writer.write(head(b"Content-Length: 8", JSON, b"Expect: 100-continue"))
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b'{"a": 6}')
        assert await answer(reader) == (200, {"a": 6})


async def test_the_last_request_of_a_connection_may_have_a_body() -> None:
    async with talking() as (reader, writer):
        writer.write(head(b"Content-Length: 8", JSON, b"Connection: close"))
        await writer.drain()
        writer.write(b'{"a": 7}')
        assert await answer(reader) == (200, {"a": 7})
        assert await reader.read() == b""


async def test_what_nobody_reads_is_passed_over() -> None:
    async with talking() as (reader, writer):
        content = b" " * (body.AHEAD * 3)
        writer.write(head(b"Content-Length: %d" % len(content), path=b"/deaf") + content)
        assert await answer(reader) == (200, "deaf")
        writer.write(sized(b'{"a": 8}'))
        assert await answer(reader) == (200, {"a": 8})


@pytest.mark.parametrize(
    "said",
    [
        head(b"Content-Length: %d" % (body.BODY_LIMIT + 1), JSON),
        head(b"Transfer-Encoding: chunked", JSON)
        + b"%x\r\n" % (body.BODY_LIMIT + 1)
        + b" " * (body.BODY_LIMIT + 1),
    ],
    ids=["by length", "in chunks"],
)
async def test_a_larger_one_is_refused_as_soon_as_that_is_known(said: bytes) -> None:
    async with talking() as (reader, writer):
        writer.write(said)
        status, value = await answer(reader)
        assert (status, value["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE")


# ---------------------------------------------------------------- strictly


class Whole:
    """A body that is there."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    async def read(self, most: int) -> bytes:
        assert len(self.content) <= most
        return self.content


async def read(content: bytes, kind: str = "application/json", **headers: str) -> dict[str, Any]:
    given = {b"content-type": kind.encode()}
    given |= {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    request = Request(method="POST", path=b"/", headers=given, incoming=Whole(content))
    return await body.read_value(request, types=(JSON_TYPE, YAML_TYPE))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is no JSON: expecting value"),
        (b"[]", "must be an object"),
        (b'{"a": 1,}', "is no JSON"),
        (b'{"a": 1, "a": 2}', 'must not have "a" twice in one object'),
        (b'{"a": {"b": 1, "b": 1}}', 'must not have "b" twice'),
        (b'{"a": NaN}', "must not have NaN"),
        (b'{"a": -Infinity}', "must not have -Infinity"),
        (b'{"a": 1e999}', "only what JSON has"),
        (b'{"a": 9007199254740993}', "2^53"),
        (b'{"a": "\\ud800"}', "half surrogate pairs"),
        (b'{"\\udfff": 1}', "half surrogate pairs"),
        (b'{"a": "\xff"}', "must be UTF-8"),
        (b'{"a": ' * 33 + b"1" + b"}" * 33, "deeper than 32"),
        (b"[" * 200_000, "deeper than 32"),
        (b'{"a": [' + b"1," * 10_000 + b"1]}", "more than 10000 members"),
    ],
)
async def test_json_that_two_readers_could_read_differently_is_refused(
    content: bytes, words: str
) -> None:
    with pytest.raises(ProblemError) as caught:
        await read(content)
    assert caught.value.word is Word.INVALID_REQUEST
    assert words in caught.value.message


async def test_a_key_that_stands_twice_is_found_at_once_among_many() -> None:
    pairs = [f'"k{number}":0' for number in (*range(80_000), 79_999)]
    with pytest.raises(ProblemError, match='must not have "k79999" twice'):
        await read(f"{{{','.join(pairs)}}}".encode())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a: [", "is no YAML"),
        (b"a: 1\na: 2\n", "twice"),
        (b"a: 1\n---\nb: 2\n", "several documents"),
        (b"a: .nan\n", "only what JSON has"),
        (b"1: a\n", "names of members"),
        (b"a: !!python/object:os.system x\n", "the tag"),
        (b"- a\n", "must be an object"),
    ],
)
async def test_yaml_is_held_to_what_json_can_say(content: bytes, words: str) -> None:
    with pytest.raises(ProblemError) as caught:
        await read(content, "application/yaml")
    assert caught.value.word is Word.INVALID_REQUEST
    assert words in caught.value.message


async def test_what_it_is_written_in_is_asked_first() -> None:
    assert await read(b'{"a": 1}', "Application/JSON ; charset=latin1") == {"a": 1}
    for kind, more in (
        ("text/plain", {}),
        ("", {}),
        ("application/json", {"content_encoding": "gzip"}),
    ):
        with pytest.raises(ProblemError) as caught:
            await read(b"not json", kind, **more)
        assert caught.value.word is Word.UNSUPPORTED_MEDIA_TYPE

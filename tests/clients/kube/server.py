"""An API server of a few lines, in the loop of the test: it answers as scripted, and can stall, cut and reset."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from urllib.parse import parse_qsl, urlsplit

import msgspec

from thv.domain.canonical import JsonObject


class Request(msgspec.Struct, frozen=True):
    """What came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> JsonObject:
        found: JsonObject = msgspec.json.decode(self.body)
        return found


class Wire:
    """What a script can do with a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def say(
        self, status: int, body: object = b"", headers: dict[str, str] | None = None
    ) -> None:
        """A whole answer; objects are sent as JSON."""
        content = body if isinstance(body, bytes) else msgspec.json.encode(body)
        kind = "text/plain" if isinstance(body, bytes) else "application/json"
        given = {"Content-Type": kind, "Content-Length": str(len(content)), **(headers or {})}
        await self._send(_head(status, given) + content)

    async def open(self) -> None:
        """The beginning of a watch."""
        head = {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}
        await self._send(_head(200, head))

    async def tell(self, *events: object) -> None:
        """Lines of a watch."""
        lines = b"".join(msgspec.json.encode(event) + b"\n" for event in events)
        await self.piece(lines)

    async def piece(self, content: bytes) -> None:
        if content:  # a piece of nothing would be the end
            await self._send(f"{len(content):x}\r\n".encode() + content + b"\r\n")

    async def end(self) -> None:
        """The proper end of a watch."""
        await self._send(b"0\r\n\r\n")

    def reset(self) -> None:
        """The connection is gone without a word."""
        self._writer.transport.abort()

    async def stall(self) -> None:
        """Nothing, until the other side leaves."""
        with suppress(ConnectionError):
            while await self._reader.read(1024):
                pass

    async def _send(self, content: bytes) -> None:
        self._writer.write(content)
        await self._writer.drain()


Script = Callable[[Request, Wire], Awaitable[None]]


class Server:
    """Where it is, and what it was asked."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[Request] = []
        self.left = asyncio.Event()
        """Set each time when a connection has ended."""


@asynccontextmanager
async def serving(script: Script, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """A server that runs a script for every request."""
    tasks: set[asyncio.Task[None]] = set()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            while (request := await _read(reader)) is not None and not writer.is_closing():
                server.asked.append(request)
                await script(request, Wire(reader, writer))
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            tasks.discard(task)
            writer.transport.abort()
            server.left.set()

    listener = await asyncio.start_server(converse, "127.0.0.1", 0, ssl=tls, limit=2**20)
    port = listener.sockets[0].getsockname()[1]
    server = Server(f"{'https' if tls else 'http'}://127.0.0.1:{port}")
    try:
        yield server
    finally:
        listener.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _read(reader: asyncio.StreamReader) -> Request | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.strip().split("\r\n")
    method, target, _ = first.split(" ")
    headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
    url = urlsplit(target)
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, url.path, dict(parse_qsl(url.query)), headers, body)


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} Word\r\n{lines}\r\n".encode()


def status(code: int, reason: str, message: str = "", **details: object) -> JsonObject:
    """A Status, as an API server refuses."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": message,
        "reason": reason,
        "details": details,
        "code": code,
    }


def bookmark(version: str) -> JsonObject:
    """An event that says only how far the watch is."""
    return {
        "type": "BOOKMARK",
        "object": {
            "kind": "ConfigMap",
            "apiVersion": "v1",
            "metadata": {"resourceVersion": version},
        },
    }


def added(name: str, version: str, **data: str) -> JsonObject:
    """An event of a new ConfigMap."""
    return {
        "type": "ADDED",
        "object": {
            "kind": "ConfigMap",
            "apiVersion": "v1",
            "metadata": {"name": name, "namespace": "team", "resourceVersion": version},
            "data": data,
        },
    }

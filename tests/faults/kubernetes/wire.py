"""HTTP/1.1 as the proxy needs it: heads, whole bodies, and the lines of a watch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus

HEAD_LIMIT = 1 << 20
_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "upgrade"}
_PACKED = "accept-encoding"
"""Nobody gets what the proxy itself could not read."""


@dataclass(frozen=True)
class Head:
    """The first line of a request or an answer, and its headers."""

    line: str
    headers: tuple[tuple[str, str], ...]

    def __getitem__(self, name: str) -> str:
        """The header of this lower-case name, `""` without one."""
        return next((value for key, value in self.headers if key.lower() == name), "")

    @property
    def status(self) -> int:
        return int(self.line.split(" ", 2)[1])

    @property
    def chunked(self) -> bool:
        return self["transfer-encoding"].lower() == "chunked"

    def render(self, *more: tuple[str, str]) -> bytes:
        """With other headers about the body, which the sender of this very message knows."""
        kept = [each for each in self.headers if each[0].lower() not in {*_HOP, _PACKED}]
        lines = [self.line, *(f"{key}: {value}" for key, value in (*kept, *more))]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


@dataclass(frozen=True)
class Message:
    """A request or an answer with all of its body."""

    head: Head
    body: bytes = b""

    def render(self) -> bytes:
        return self.head.render(("Content-Length", str(len(self.body)))) + self.body


def answer(status: int, body: bytes, *headers: tuple[str, str]) -> Message:
    """An answer of the proxy's own."""
    line = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"
    return Message(Head(line, (("Content-Type", "application/json"), *headers)), body)


async def read_head(reader: asyncio.StreamReader) -> Head | None:
    """The next head, None when the other side is done."""
    try:
        block = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = block.decode("latin-1").split("\r\n")[:-2]
    pairs = (line.partition(":") for line in lines)
    return Head(first, tuple((key.strip(), value.strip()) for key, _, value in pairs))


async def read_body(reader: asyncio.StreamReader, head: Head) -> bytes:
    if head.chunked:
        return b"".join([piece async for piece in pieces(reader)])
    return await reader.readexactly(int(head["content-length"] or "0"))


async def pieces(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """The content of a chunked body, as it comes."""
    while size := int((await reader.readline()).partition(b";")[0] or b"0", 16):
        yield (await reader.readexactly(size + 2))[:-2]
    await reader.readline()


async def lines(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """The events of a watch, each with its line break."""
    rest = b""
    async for piece in pieces(reader):
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line + b"\n"


def piece(content: bytes) -> bytes:
    """A part of a chunked body; empty content ends it."""
    return b"%x\r\n%b\r\n" % (len(content), content)

"""Answers in gzip, where that costs nobody else anything.

In the flow: the last thing before an answer is sent. What has a tag is compressed once and kept in a bounded
cache. A page takes about a millisecond, so it is compressed in a thread, and goes out plain while as many
others are under way: a server under load spends its time on answers.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable

from thv.apps.kit.http.message import Answer, Header, Request

LEAST = 1024
_INLINE = 8 * 1024
_AT_ONCE = 2
_LEVEL = 1  # measured: a quarter larger than level 6 for half of its time
_TYPES = (
    b"application/json", b"application/yaml", b"application/problem+json",
    b"text/html", b"text/css", b"text/javascript", b"image/svg+xml",
)  # fmt: skip


class Compressor:
    """Compresses answers of one process."""

    def __init__(self, limit: int = 4 << 20) -> None:
        """`limit` is how many bytes of compressed bodies are kept."""
        self._limit = limit
        self._kept: dict[bytes, bytes] = {}
        self._size = 0
        self._under_way = 0

    def compressed(self, request: Request, answer: Answer) -> Answer | Awaitable[Answer]:
        """The answer as this client gets it; what is kept and what is small comes at once."""
        body = answer.body
        if not isinstance(body, bytes) or len(body) < LEAST or answer.status != 200:
            return answer
        if not accepts_gzip(request.header(b"accept-encoding")) or not _is_text(answer):
            return answer
        tag = _tag(answer)
        packed = self._kept.get(tag) if tag is not None else None
        if packed is not None:
            return _packed(answer, packed)
        if len(body) <= _INLINE:
            return _packed(answer, self._keep(tag, _gzip(body)))
        return answer if self._under_way >= _AT_ONCE else self._later(answer, tag, body)

    async def _later(self, answer: Answer, tag: bytes | None, body: bytes) -> Answer:
        return _packed(answer, self._keep(tag, await self._in_thread(body)))

    async def _in_thread(self, body: bytes) -> bytes:
        self._under_way += 1
        try:
            return await asyncio.to_thread(_gzip, body)
        finally:
            self._under_way -= 1

    def _keep(self, tag: bytes | None, packed: bytes) -> bytes:
        """Old ones go first, by age: every snapshot brings new tags."""
        if tag is None or tag in self._kept or len(packed) > self._limit // 4:
            return packed
        self._kept[tag] = packed
        self._size += len(packed)
        while self._size > self._limit:
            oldest = next(iter(self._kept))
            self._size -= len(self._kept.pop(oldest))
        return packed


_GZIP: Header = (b"content-encoding", b"gzip")


def _packed(answer: Answer, packed: bytes) -> Answer:
    return Answer(200, (*answer.headers, _GZIP), packed, answer.rows)


def accepts_gzip(header: str) -> bool:
    """Whether the client takes gzip at least as gladly as the plain body."""
    if "gzip" not in header and "*" not in header:
        return False
    qualities: dict[str, float] = {}
    for element in header.split(","):
        coding, _, parameter = element.strip().partition(";")
        qualities[coding.strip().lower()] = _quality(parameter)
    gzip = qualities.get("gzip", qualities.get("*", 0.0))
    return gzip > 0 and gzip >= qualities.get("identity", 0.0)


def _quality(parameter: str) -> float:
    key, _, value = parameter.strip().partition("=")
    if key.strip().lower() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


def _gzip(body: bytes) -> bytes:
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, 31)
    return compressor.compress(body) + compressor.flush()


def _is_text(answer: Answer) -> bool:
    return any(
        name == b"content-type" and value.partition(b";")[0] in _TYPES
        for name, value in answer.headers
    )


def _tag(answer: Answer) -> bytes | None:
    return next((value for name, value in answer.headers if name == b"etag"), None)

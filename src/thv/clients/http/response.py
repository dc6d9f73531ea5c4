"""An answer while it comes: bounded in time, in size, and in size once unpacked.

In the flow: what a caller of the client gets. Nothing is decoded by the library, because it would unpack a whole
chunk at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from typing import TypeVar

import httpcore2
import msgspec

from thv.clients.http.echo import Echo
from thv.clients.http.errors import (
    DecodingError,
    EchoedError,
    HttpError,
    StatusError,
    TimedOutError,
    TooLargeError,
)
from thv.clients.http.translation import headers_too_large, translated
from thv.clients.http.unpack import unpacker
from thv.clients.http.url import Url

T = TypeVar("T")

_DRAINED = 16 * 1024
_PIECES_A_TURN = 16


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How long and how much; seconds and bytes."""

    connect: float = 10.0
    """For the name, the connection, and again for TLS."""
    read: float = 15.0
    """Between two pieces of the answer."""
    total: float = 60.0
    """Everything that the other side takes, redirects included; the caller's own work between pieces is not counted."""
    header_bytes: int = 64 * 1024
    body_bytes: int = 64 * 1024 * 1024
    """As sent and again as unpacked."""
    redirects: int = 5


class Budget:
    """Seconds that one request may still wait for the other side."""

    def __init__(self, seconds: float, what: Url) -> None:
        self._total = seconds
        self._left = seconds
        self._what = what

    async def spend(self, waiting: Awaitable[T]) -> T:
        """Waits, and counts it; raises TimedOutError when nothing is left."""
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            async with asyncio.timeout(self._left) as deadline:
                return await waiting
        except TimeoutError as e:
            if not deadline.expired():
                raise
            raise TimedOutError(
                f"{self._what} gave no complete answer within {self._total:g} s"
            ) from e
        finally:
            self._left -= clock() - began


class Response:
    """An answer; its body is read once, while the request is open."""

    def __init__(
        self,
        url: Url,
        answer: httpcore2.Response,
        budget: Budget,
        limits: Limits,
        *,
        hops: int,
        echo: Echo,
    ) -> None:
        self.url = url
        """What answered in the end."""
        self.redirected = hops > 0
        self.status: int = answer.status
        self.headers = {name: echo.masked(text) for name, text in _headers_of(answer).items()}
        self._require_header_size(answer, limits.header_bytes)
        self._stream = aiter(answer.stream)  # type: ignore[arg-type]  # async in an async pool
        self._budget = budget
        self._limit = limits.body_bytes
        self._echo = echo

    @property
    def size(self) -> int | None:
        """Bytes of the body where the answer says so and the body is not packed."""
        packed = self.headers.get("content-encoding", "identity") != "identity"
        return None if packed else self._length

    @property
    def _length(self) -> int | None:
        length = self.headers.get("content-length", "")
        return int(length) if length.isdecimal() else None

    def require(self, *statuses: int) -> None:
        """Raises StatusError unless the status is one of these."""
        if self.status not in statuses:
            raise StatusError(
                f"{self.url} answered {self.status}",
                status=self.status,
                retry_after=self.headers.get("retry-after", ""),
            )

    async def chunks(self) -> AsyncIterator[bytes]:
        """The unpacked body; raises TooLargeError at the limit, TimedOutError at the deadline."""
        try:
            unpack = unpacker(self.headers.get("content-encoding", ""))
            unpacked = pieces = 0
            async for packed in self._wire():
                for piece in unpack.feed(packed):
                    unpacked += len(piece)
                    self._require_within(unpacked)
                    self._require_no_echo(piece)
                    yield piece
                    pieces += 1
                    if pieces % _PIECES_A_TURN == 0:  # one packed chunk may hold 66 MB
                        await asyncio.sleep(0)
            unpack.finish()
        except DecodingError as e:
            raise DecodingError(f"{self.url}: {e.message}") from e

    async def body(self) -> bytes:
        """All of it."""
        return b"".join([piece async for piece in self.chunks()])

    async def _wire(self) -> AsyncIterator[bytes]:
        self._require_within(self._length or 0)
        received = 0
        while (packed := await self._next()) is not None:
            received += len(packed)
            self._require_within(received)
            yield packed

    async def _next(self) -> bytes | None:
        with translated(self.url):
            return await self._budget.spend(anext(self._stream, None))

    def _require_no_echo(self, piece: bytes) -> None:
        if self._echo.is_in(piece):
            raise EchoedError(f"{self.url} answers with the credential that it was sent")

    def _require_within(self, size: int) -> None:
        if size > self._limit:
            raise TooLargeError(
                f"{self.url} answers with more than {self._limit:,} bytes", limit=self._limit
            )

    def _require_header_size(self, answer: httpcore2.Response, limit: int) -> None:
        if sum(len(name) + len(value) + 4 for name, value in answer.headers) > limit:
            raise headers_too_large(self.url, limit)

    async def drain(self) -> None:
        """Reads a short rest, so that the connection can serve the next request."""
        rest = 0 if self.status in (204, 304) else self._length
        if rest is not None and rest <= _DRAINED:
            with suppress(HttpError, TimeoutError):
                async with asyncio.timeout(1.0):
                    while await self._next() is not None:
                        pass


def _headers_of(answer: httpcore2.Response) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in answer.headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers

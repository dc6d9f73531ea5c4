"""A request and an answer as frozen values.

In the flow: `server` makes the one of what the ASGI server hands it and sends the other; handlers are functions
between them.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Protocol, TypeAlias

import msgspec


class Readable(Protocol):
    """A body that is read by whoever wants it."""

    async def read(self, most: int) -> bytes:
        """All of it, if it has at most so many bytes."""
        ...


Body: TypeAlias = bytes | AsyncIterator[bytes]
Header: TypeAlias = tuple[bytes, bytes]


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What a client asks, as raw as it came."""

    method: str
    path: bytes
    """As sent: percent-encoded, without the query."""
    query: bytes = b""
    headers: Mapping[bytes, bytes] = msgspec.field(default_factory=dict)
    """By lower-case name; a repeated one is joined with commas."""
    client: str = ""
    """Address of the peer; `""` when the transport has none."""
    here: str = ""
    """Address that it came to; `""` when the transport has none."""
    port: int = 0
    """Where it came to; 0 when the transport has none."""
    scheme: str = "http"
    id: str = ""
    """Request id, taken over or made."""
    incoming: Readable | None = None
    """Its body; None where it has none."""

    def header(self, name: bytes) -> str:
        """A header as text, `""` when absent."""
        value = self.headers.get(name)
        return value.decode("latin-1") if value else ""


class Answer(msgspec.Struct, frozen=True):
    """What a client gets, but for the headers that every answer has."""

    status: int
    headers: tuple[Header, ...] = ()
    body: Body = b""
    rows: int = 0
    """How many entries it lists: what it costs those whose rate is limited."""

    def with_headers(self, more: Iterable[Header], *, rows: int = 0) -> Answer:
        """The same with further headers; `rows` are on it, where there is a body."""
        shown = rows if self.status == 200 else 0
        return Answer(self.status, (*self.headers, *more), self.body, shown)


class Reply(msgspec.Struct, frozen=True):
    """An answer with every header, as it is sent."""

    status: int
    headers: list[Header]
    body: Body
    is_last: bool = False
    """Whether the connection ends with it."""


def headers_of(pairs: Iterable[Header]) -> dict[bytes, bytes]:
    """The headers of an ASGI scope by name; names come in lower case."""
    found: dict[bytes, bytes] = {}
    for name, value in pairs:
        if name in found:
            found[name] = found[name] + b", " + value
        else:
            found[name] = value
    return found


_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_SHAPE = 7 << 76 | 2 << 62
_SHAPE_BITS = 15 << 76 | 3 << 62
"""Where a UUID says what kind of UUID it is."""


def request_id(headers: Mapping[bytes, bytes]) -> str:
    """What the client calls its request, else a new name."""
    given = headers.get(b"x-request-id")
    return given.decode() if given and _REQUEST_ID.fullmatch(given) else new_request_id()


def new_request_id() -> str:
    """A UUID of version 7: sorts by time."""
    stamp = time.time_ns() // 1_000_000
    # A name in a log, not a secret.
    number = stamp << 80 | _SHAPE | random.getrandbits(76) & ~_SHAPE_BITS
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


JSON = (b"content-type", b"application/json")
PROBLEM_JSON = (b"content-type", b"application/problem+json")
NO_STORE = (b"cache-control", b"no-store")

encode = msgspec.json.Encoder().encode


def json_answer(value: object, *headers: Header, status: int = 200) -> Answer:
    """A JSON body that must not be kept."""
    return Answer(status, (JSON, NO_STORE, *headers), encode(value))

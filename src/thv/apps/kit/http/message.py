"""A request and an answer as frozen values.

In the flow: `server` makes the one of what the ASGI server hands it and sends the other; handlers are functions
between them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import TypeAlias

import msgspec

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
    scheme: str = "http"
    id: str = ""
    """Request id, taken over or made."""

    def header(self, name: bytes) -> str:
        """A header as text, `""` when absent."""
        value = self.headers.get(name)
        return value.decode("latin-1") if value else ""


class Answer(msgspec.Struct, frozen=True):
    """What a client gets, but for the headers that every answer has."""

    status: int
    headers: tuple[Header, ...] = ()
    body: Body = b""

    def with_headers(self, more: Iterable[Header]) -> Answer:
        """The same with further headers."""
        return Answer(self.status, (*self.headers, *more), self.body)


def headers_of(pairs: Iterable[Header]) -> dict[bytes, bytes]:
    """The headers of an ASGI scope by name; names come in lower case."""
    found: dict[bytes, bytes] = {}
    for name, value in pairs:
        if name in found:
            found[name] = found[name] + b", " + value
        else:
            found[name] = value
    return found


JSON = (b"content-type", b"application/json")
PROBLEM_JSON = (b"content-type", b"application/problem+json")
NO_STORE = (b"cache-control", b"no-store")

encode = msgspec.json.Encoder().encode


def json_answer(value: object, *headers: Header, status: int = 200) -> Answer:
    """A JSON body that must not be kept."""
    return Answer(status, (JSON, NO_STORE, *headers), encode(value))

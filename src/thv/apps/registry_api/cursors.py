"""Cursors: where a list goes on, as a word that means nothing to a client.

In the flow: given with a page, taken back with the next request. A cursor of our own API names the content and
the query it belongs to; one of the official API is a position only, because its clients cannot begin again.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

import msgspec

from thv.apps.kit.http.problems import Culprit, ProblemError, Word
from thv.domain.canonical import JsonObject
from thv.stores.models.query import START, Position

LONGEST = 2048
"""Names and versions of the official registry make cursors of at most 512 characters."""


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """A position, and what it is a position in."""

    edition: int
    place: int
    key: tuple[str, str]
    content: str = ""
    query: str = ""

    @property
    def position(self) -> Position:
        """As the read model wants it."""
        return Position(self.place, self.key)


_EDITION = 1
_decode = msgspec.json.Decoder(Cursor).decode
_encode = msgspec.json.Encoder().encode
_MALFORMED = "is malformed"


def parse_cursor(text: str) -> Cursor:
    """The cursor behind a word; raises ValueError."""
    if len(text) > LONGEST:
        raise ValueError(_MALFORMED)
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        cursor = _decode(raw)
    except (ValueError, binascii.Error) as error:
        raise ValueError(_MALFORMED) from error
    if cursor.edition != _EDITION or cursor.place < 0:
        raise ValueError(_MALFORMED)
    return cursor


CURSOR_SCHEMA: JsonObject = {
    "type": "string",
    "minLength": 1,
    "maxLength": LONGEST,
    "pattern": "^[A-Za-z0-9_-]+$",
}


def cursor_text(position: Position, content: str = "", query: str = "") -> str:
    """The word for a position."""
    raw = _encode(Cursor(_EDITION, position.place, position.key, content, query))
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def query_tag(*parts: object) -> str:
    """Tells queries apart."""
    return hashlib.blake2b(_encode(parts), digest_size=6).hexdigest()


def position_in(cursor: Cursor | None, query: str) -> Position:
    """Where a list goes on; raises INVALID_CURSOR for a cursor of another query."""
    if cursor is None:
        return START
    if cursor.query != query:
        message = "belongs to another query; begin again without it"
        raise ProblemError(
            Word.INVALID_CURSOR,
            f"cursor {message}.",
            culprits=[Culprit(message, "query.cursor")],
        )
    return cursor.position

"""Cursors of the catalog: the key behind which a list goes on, and the state in which it was begun.

In the flow: given with a page, taken back with the next request. The catalog moves all the time, so a cursor of another
state goes on where it was, and the answer says so.
"""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, TypeAlias

import msgspec

from thv.apps.kit.http.problems import Culprit, ProblemError, Word
from thv.apps.registry_api.cursors import LONGEST
from thv.stores.catalogs.query import Key

_Whole: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""What a database can hold; the cursor comes from a client."""


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """Where a list goes on."""

    edition: int
    content: str
    """Short digest of what was seen when the list was begun."""
    query: str
    key: tuple[str | _Whole | float, ...]


_EDITION = 1
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Cursor).decode
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
    if cursor.edition != _EDITION:
        raise ValueError(_MALFORMED)
    return cursor


def cursor_text(content: str, query: str, key: Key) -> str:
    """The word for a key."""
    raw = _encode(Cursor(_EDITION, content, query, key))
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def key_in(cursor: Cursor | None, query: str, width: int) -> Key | None:
    """Where a list goes on; raises INVALID_CURSOR for a cursor of another query."""
    if cursor is None:
        return None
    if cursor.query != query or len(cursor.key) != width:
        message = "belongs to another query; begin again without it"
        raise ProblemError(
            Word.INVALID_CURSOR,
            f"cursor {message}.",
            culprits=[Culprit(message, "query.cursor")],
        )
    return cursor.key

"""One page of a registry API, read no deeper than its envelope.

In the flow: between a request of a crawl and its page. Entries stay bytes; `formats` reads them.
"""

from __future__ import annotations

import codecs
from typing import Any

import msgspec

from thv.domain.entry import OFFICIAL_META
from thv.domain.errors import Code, ThvError


class Envelope(msgspec.Struct, frozen=True):
    """The entries of a page, and where the next one is."""

    items: tuple[msgspec.Raw, ...]
    cursor: str
    """`""`: the last page."""
    total: int | None


class _Metadata(msgspec.Struct):
    camel: str | int | None = msgspec.field(default=None, name="nextCursor")
    snake: str | int | None = msgspec.field(default=None, name="next_cursor")
    filtered_count: Any = None
    total_count: Any = None


class _Page(msgspec.Struct):
    servers: tuple[msgspec.Raw, ...] | None
    metadata: _Metadata | None = None


class _Official(msgspec.Struct):
    status: str = ""


class _Meta(msgspec.Struct):
    official: _Official | None = msgspec.field(default=None, name=OFFICIAL_META)


class _Server(msgspec.Struct):
    name: str = ""
    status: str = ""


class _Item(_Server):
    server: _Server | None = None
    meta: _Meta | None = msgspec.field(default=None, name="_meta")


_PAGE = msgspec.json.Decoder(_Page)
_ITEM = msgspec.json.Decoder(_Item)


def parse_envelope(body: bytes, place: str) -> Envelope:
    """The envelope of a page; `place` names it in errors."""
    try:
        page = _PAGE.decode(body.removeprefix(codecs.BOM_UTF8))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise ThvError(
            Code.FORMAT_INVALID, f"{place} is no page of a registry API: {_reason(e)}"
        ) from e
    metadata = page.metadata or _Metadata()
    cursor = metadata.camel if metadata.camel is not None else metadata.snake
    counts = (metadata.filtered_count, metadata.total_count)
    return Envelope(
        items=page.servers or (),
        cursor="" if cursor is None else str(cursor),
        total=next((count for count in counts if type(count) is int), None),
    )


def name_if_deleted(item: msgspec.Raw) -> str:
    """The name of an entry whose registry says that it is deleted, else `""`."""
    try:
        found = _ITEM.decode(item)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    server = found.server or found
    official = found.meta.official if found.meta else None
    status = (official.status if official else "") or server.status
    return server.name if status == "deleted" else ""


def _reason(error: Exception) -> str:
    return "it is nested too deep" if isinstance(error, RecursionError) else str(error)

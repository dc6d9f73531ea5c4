"""The bytes of one file, unpacked where its name ends in `.gz`, and never more than the limit.

In the flow: between a place that is no web server and the part of a document.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from thv.clients.http.errors import DecodingError
from thv.clients.http.unpack import unpacker
from thv.domain.errors import Code, ThvError
from thv.sources.base import Part


def is_packed(path: str) -> bool:
    """Whether the name says that the content is compressed."""
    return path.endswith(".gz")


def too_large(place: str, most: int) -> ThvError:
    """More than the limit, packed or unpacked."""
    return ThvError(Code.SIZE_LIMIT_EXCEEDED, f"{place} has more than {most} bytes")


async def plain(
    chunks: AsyncIterator[bytes], path: str, *, place: str, most: int
) -> AsyncIterator[bytes]:
    """The content itself; a bomb costs one piece more than `most`."""
    unpack = unpacker("gzip" if is_packed(path) else "identity")
    total = 0
    try:
        async for chunk in chunks:
            for piece in unpack.feed(chunk):
                total += len(piece)
                if total > most:
                    raise too_large(place, most)
                yield piece
        unpack.finish()
    except DecodingError as error:
        raise ThvError(Code.FORMAT_INVALID, f"{place} is no gzip file, or a damaged one") from error


async def single(part: Part) -> AsyncIterator[Part]:
    """The only part of a document."""
    yield part


async def whole(content: bytes) -> AsyncIterator[bytes]:
    """Bytes that are there already, as chunks."""
    yield content

"""Compressed bodies, unpacked in small pieces, so that a bomb costs its limit and no more.

In the flow: between the wire and whoever reads the body. Pure: bytes in, pieces out.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Protocol

from thv.clients.http.errors import DecodingError

PIECE = 64 * 1024
_MOST_MEMBERS = 1_000
_GZIP = 16 + zlib.MAX_WBITS


class Unpacker(Protocol):
    """Turns the bytes of the wire into those of the body."""

    def feed(self, packed: bytes) -> Iterator[bytes]:
        """The pieces that these bytes complete, each of at most PIECE bytes when they were packed."""
        ...

    def finish(self) -> None:
        """Raises DecodingError when the body ended too early."""
        ...


def unpacker(content_encoding: str) -> Unpacker:
    """What undoes the header Content-Encoding; raises DecodingError for what was never asked for."""
    match content_encoding.strip().lower():
        case "" | "identity":
            return _Identity()
        case "gzip" | "x-gzip":
            return _Inflate(_GZIP)
        case "deflate":
            return _Inflate(zlib.MAX_WBITS)
        case other:
            raise DecodingError(f'the answer is encoded as "{other[:32]}", which was not asked for')


class _Identity:
    def feed(self, packed: bytes) -> Iterator[bytes]:
        yield packed

    def finish(self) -> None:
        return None


class _Inflate:
    def __init__(self, window_bits: int) -> None:
        self._window_bits = window_bits
        self._inflate = zlib.decompressobj(window_bits)
        self._members = 1
        self._fed = False

    def feed(self, packed: bytes) -> Iterator[bytes]:
        self._fed = self._fed or bool(packed)
        while not self._inflate.eof or self._starts_next_member(packed):
            try:
                piece = self._inflate.decompress(packed, PIECE)
            except zlib.error as e:
                raise DecodingError("the compressed answer is damaged") from e
            packed = self._inflate.unconsumed_tail or self._inflate.unused_data
            if piece:
                yield piece
            # A full piece may have left output behind although all input is used.
            if not packed and len(piece) < PIECE:
                return

    def finish(self) -> None:
        if self._fed and not self._inflate.eof:
            raise DecodingError("the compressed answer ended too early")

    def _starts_next_member(self, packed: bytes) -> bool:
        """Gzip files may be joined, and padded with zeros."""
        if self._window_bits != _GZIP or not packed.strip(b"\0"):
            return False
        self._members += 1
        if self._members > _MOST_MEMBERS:
            raise DecodingError("the compressed answer has too many parts")
        self._inflate = zlib.decompressobj(self._window_bits)
        return True

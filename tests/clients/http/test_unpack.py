from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.upstream import packed_zeros
from thv.clients.http.errors import DecodingError
from thv.clients.http.unpack import PIECE, unpacker


def unpack(encoding: str, packed: bytes, step: int) -> bytes:
    undo = unpacker(encoding)
    pieces = [
        piece for at in range(0, len(packed), step) for piece in undo.feed(packed[at : at + step])
    ]
    undo.finish()
    assert encoding == "identity" or all(len(piece) <= PIECE for piece in pieces)
    return b"".join(pieces)


@given(st.binary(max_size=3000), st.integers(1, 4000), st.integers(1, 300))
def test_any_body_survives_in_any_steps(body: bytes, step: int, times: int) -> None:
    body *= times
    assert unpack("gzip", gzip.compress(body, 1), step) == body
    assert unpack("deflate", zlib.compress(body, 1), step) == body
    assert unpack("identity", body, step) == body


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE])
@pytest.mark.parametrize("step", [1, 7, 10**6])
def test_pieces_end_well_at_their_edges(size: int, step: int) -> None:
    assert unpack("x-gzip", gzip.compress(bytes(size)), step) == bytes(size)


def test_joined_and_padded_files_are_one_body() -> None:
    assert unpack("gzip", gzip.compress(b"a") + gzip.compress(b"b") + bytes(9), 5) == b"ab"


def test_an_empty_body_needs_no_wrapper() -> None:
    assert unpack("gzip", b"", 1) == b""


@pytest.mark.parametrize(
    "packed",
    [
        b"plain text",
        gzip.compress(b"x" * 5000)[:-9],
        gzip.compress(b"x")[:-8] + b"\1" * 8,
        gzip.compress(b"x") + b"garbage behind",
        gzip.compress(b"") * 1001,
    ],
    ids=["no-gzip", "cut", "checksum", "garbage", "members"],
)
def test_damage_is_told(packed: bytes) -> None:
    with pytest.raises(DecodingError):
        unpack("gzip", packed, 100)


@pytest.mark.parametrize("encoding", ["br", "zstd", "compress", "gzip, gzip", "gzip\r\n, br"])
def test_what_was_not_asked_for_is_refused(encoding: str) -> None:
    with pytest.raises(DecodingError, match="not asked for"):
        unpacker(encoding)


def test_a_bomb_comes_in_pieces() -> None:
    bomb = packed_zeros(64 * 1024**2)
    assert len(bomb) < 100_000
    pieces = unpacker("gzip").feed(bomb)
    assert [len(next(pieces)) for _ in range(3)] == [PIECE] * 3

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator

import pytest

from thv.domain.errors import Code, ThvError
from thv.sources.bounded import plain

pytestmark = pytest.mark.anyio


async def pieces(content: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def read(content: bytes, path: str, most: int = 10**6) -> bytes:
    return b"".join([x async for x in plain(pieces(content), path, place="the file", most=most)])


async def test_plain_content_passes() -> None:
    assert await read(b"x" * 5000, "registry.json") == b"x" * 5000


async def test_packed_content_is_unpacked_by_its_name() -> None:
    assert await read(gzip.compress(b"x" * 5000), "registry.json.gz") == b"x" * 5000
    packed = gzip.compress(b"x")
    assert await read(packed, "registry.json") == packed


@pytest.mark.parametrize("path", ["registry.json", "registry.json.gz"])
async def test_more_than_the_limit_is_refused(path: str) -> None:
    content = b"x" * 5001
    with pytest.raises(ThvError, match="the file has more than 5000 bytes") as caught:
        await read(gzip.compress(content) if path.endswith(".gz") else content, path, most=5000)
    assert caught.value.code is Code.SIZE_LIMIT_EXCEEDED


async def test_a_bomb_costs_its_limit_and_no_more() -> None:
    bomb = gzip.compress(bytes(50_000_000))
    fed = 0

    async def counted() -> AsyncIterator[bytes]:
        nonlocal fed
        async for piece in pieces(bomb):
            fed += len(piece)
            yield piece

    with pytest.raises(ThvError):
        _ = [x async for x in plain(counted(), "bomb.gz", place="x", most=100_000)]
    assert fed < len(bomb) / 10


@pytest.mark.parametrize(
    "content",
    [b"no gzip at all", gzip.compress(b"x" * 5000)[:-9]],
    ids=["something else", "cut off"],
)
async def test_what_is_no_gzip_is_invalid(content: bytes) -> None:
    with pytest.raises(ThvError, match="the file is no gzip file, or a damaged one") as caught:
        await read(content, "registry.json.gz")
    assert caught.value.code is Code.FORMAT_INVALID

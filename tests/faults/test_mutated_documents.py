"""Whatever is wrong with a document, it is read as far as it goes or refused; it never breaks anything.

Documents of every container and generation are changed in their values and in their bytes, and go through the
reader and through a whole sync of a file.
"""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.builders import item, server, toolhive_entry
from tests.faults.world import World
from tests.formats.mutations import mutations
from tests.upstream import Upstream
from thv.domain.errors import Code, ThvError
from thv.formats.documents import DocumentReader, Found, Item, Rejected

GENERATIONS = Path(__file__).parents[1] / "data" / "generations"
EXPECTED = {
    Code.FORMAT_INVALID,
    Code.FORMAT_UNSUPPORTED,
    Code.SIZE_LIMIT_EXCEEDED,
    Code.EMPTY,
}
COUNT = 500


def originals() -> list[Any]:
    """A document of each container, and one of each generation."""
    servers = [server(f"io.example/s{number}", f"1.{number}.0") for number in range(4)]
    entries = {f"s{number}": toolhive_entry() for number in range(3)}
    remote = {"url": "https://mcp.example.com/mcp", "transport": "sse", "description": "x"}
    group = {"name": "g", "description": "d", "servers": entries, "remote_servers": {"r": remote}}
    pages = [item(one, isLatest=True, publishedAt="2026-01-01T00:00:00Z") for one in servers]
    old = [json.loads(path.read_bytes()) for path in sorted(GENERATIONS.rglob("*.json"))]
    return [
        {"version": "1.0.0", "last_updated": "2026-01-01T00:00:00Z", "servers": entries},
        {"servers": entries, "remote_servers": {"r": remote}, "groups": [group]},
        {"version": "1.0.0", "meta": {"last_updated": "x"}, "data": {"servers": servers}},
        {"servers": pages, "metadata": {"count": 4, "nextCursor": "a"}},
        servers,
        servers[0],
        *old,
    ]


def documents() -> Iterator[bytes]:
    """Half of them with other values, half of them with other bytes."""
    texts = [json.dumps(value).encode() for value in originals()]
    for value in mutations(originals(), COUNT // 2):
        yield json.dumps(value).encode()
    chance = random.Random(20261121)
    for _ in range(COUNT - COUNT // 2):
        yield damaged(bytearray(chance.choice(texts)), chance)


def damaged(text: bytearray, chance: random.Random) -> bytes:
    """Bytes cut, flipped, doubled, or put where they do not belong."""
    place = chance.randrange(len(text))
    match chance.randrange(6):
        case 0:
            del text[place:]
        case 1:
            del text[place : place + chance.randrange(1, 50)]
        case 2:
            text[place] = chance.randrange(256)
        case 3:
            text[place:place] = text[place : place + 200]
        case 4:
            text[place:place] = chance.choice(
                [
                    b"\xff\xfe",
                    b"\x00",
                    b"[" * 5000,
                    b'"',
                    b"\\ud800",
                    b"1e999",
                    b"NaN",
                    b"{",
                    b"\xef\xbb\xbf",
                ]
            )
        case _:
            text[:0] = chance.choice(
                [b"\xef\xbb\xbf", b"\xff\xfe", b"<html>", b"\n\n", b"\x1f\x8b"]
            )
    return bytes(text)


def read(text: bytes) -> list[Item]:
    reader = DocumentReader()
    return [*reader.feed(text), *reader.close()]


@pytest.mark.requirement("FMT-01")
def test_a_mutated_document_is_read_or_refused() -> None:
    refused: list[ThvError] = []
    for text in documents():
        try:
            items = read(text)
        except ThvError as error:
            refused.append(error)
        else:
            assert all(one.place for one in items)
            assert all(one.reason for one in items if isinstance(one, Rejected))
    assert COUNT // 10 < len(refused) < COUNT * 9 // 10
    assert {error.code for error in refused} <= EXPECTED
    assert all(error.message for error in refused)


@pytest.mark.anyio
@pytest.mark.flows
@pytest.mark.requirement("FMT-01", "SYN-02")
async def test_a_mutated_file_never_costs_what_is_served(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    good, place = json.dumps(originals()[4]).encode(), tmp_path / "registry.json"
    place.write_bytes(good)
    with Upstream() as unused:
        async with World(tmp_path / "data", unused) as world:
            await world.add("corp", {"type": "file", "file": {"path": str(place)}})
            await world.sync("corp")
            for number, text in enumerate(documents()):
                place.write_bytes(text)
                before = await world.served("corp")
                status = (await world.sync("corp")).status
                error = status.sync_status.error
                if error is not None:
                    assert error.code in EXPECTED, (number, error, text[:300])
                    assert await world.served("corp") == before
                assert await world.served("corp")
            place.write_bytes(good)
            assert (await world.sync("corp")).status.sync_status.error is None
    assert "Traceback" not in caplog.text


@pytest.mark.requirement("FMT-01")
@pytest.mark.parametrize("junk", [None, 1, "x", [], {}, {"server": {"name": 1}}, {"name": "a/b"}])
@pytest.mark.parametrize("place", [0, 2, 4])
def test_one_damaged_entry_keeps_all_others_and_is_named(junk: Any, place: int) -> None:
    servers: list[Any] = [server(f"io.example/s{number}") for number in range(4)]
    servers.insert(place, junk)
    for document, where in (
        (servers, f"[{place}]"),
        ({"servers": servers}, f"servers[{place}]"),
        ({"data": {"servers": servers}}, f"data.servers[{place}]"),
    ):
        items = read(json.dumps(document).encode())
        assert [one.place for one in items if isinstance(one, Rejected)] == [where]
        assert len([one for one in items if isinstance(one, Found)]) == 4

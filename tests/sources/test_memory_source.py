from __future__ import annotations

import pytest

from tests.sources.reader import Reader
from thv.domain.errors import Code, ThvError
from thv.sources.base import Document, Known, Pages
from thv.sources.memory import MemorySource

pytestmark = pytest.mark.anyio

DOWN = ThvError(Code.SOURCE_UNREACHABLE, "down")


def entry(name: str) -> bytes:
    return (
        b'{"server":{"name":"%b","version":"1.0.0"},"_meta":'
        b'{"io.modelcontextprotocol.registry/official":{"status":"active"}}}' % name.encode()
    )


async def test_pages_go_on_where_a_fault_struck() -> None:
    source, reader = MemorySource(), Reader()
    source.publish_pages([[entry("a")], [entry("b")], [entry("c")]])
    source.fail_after(2, DOWN)
    with pytest.raises(ThvError):
        await reader.sync(source)
    assert reader.known.cursor == "2"
    fetched = await reader.sync(source)
    assert isinstance(fetched, Pages)
    assert (fetched.complete, fetched.resumed) == (True, True)
    assert sorted(name for name, _ in reader.alive()) == ["a", "b", "c"]
    assert [page.total for page in reader.pages] == [3, 3, 3]


async def test_faults_come_as_often_as_planned() -> None:
    source = MemorySource()
    source.publish(b"x")
    source.fail(DOWN, times=2)
    for _ in range(2):
        with pytest.raises(ThvError, match="down"):
            await source.fetch(Known())
    assert isinstance(await source.fetch(Known()), Document)
    assert source.fetches == 3


async def test_a_folder_has_its_files_in_order() -> None:
    source = MemorySource()
    source.publish({"b.yaml": b"1", "a.yaml": b"2" * 100_000}, folder=True)
    document = await source.fetch(Known())
    assert isinstance(document, Document)
    assert document.folder
    read = [
        (part.path, part.size, sum([len(c) async for c in part.chunks]))
        async for part in document.parts
    ]
    assert read == [("b.yaml", 1, 1), ("a.yaml", 100_000, 100_000)]

from __future__ import annotations

import gzip
import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.contracts.source.world import content_of
from thv.domain import registry as specs
from thv.domain.errors import Code, Next, ThvError
from thv.sources.base import Document, Known, Unchanged
from thv.sources.disk import Place, stable
from thv.sources.file import FileSource

pytestmark = pytest.mark.anyio


@pytest.fixture
def root(tmp_path: Path) -> Path:
    place = tmp_path / "root"
    place.mkdir()
    return place


def source_of(path: Path, root: Path, **limits: int) -> FileSource:
    return FileSource(specs.FileSource(path=str(path)), roots=(root,), **limits)


async def fetched(path: Path, root: Path, known: Known = Known()) -> Document:  # noqa: B008
    found = await source_of(path, root).fetch(known)
    assert isinstance(found, Document)
    return found


async def code_of(path: Path, root: Path, **limits: int) -> Code | None:
    try:
        found = await source_of(path, root, **limits).fetch(Known())
        assert isinstance(found, Document)
        await content_of(found)
    except ThvError as error:
        return error.code
    return None


async def test_a_file_is_one_part(root: Path) -> None:
    (root / "registry.json").write_bytes(b"{}")
    document = await fetched(root / "registry.json", root)
    assert not document.folder
    assert [(part.path, part.size) async for part in document.parts] == [("registry.json", 2)]


async def test_a_large_file_comes_in_pieces(root: Path) -> None:
    content = os.urandom(3_500_000)
    (root / "registry.json").write_bytes(content)
    document = await fetched(root / "registry.json", root)
    assert await content_of(document) == content


async def test_a_packed_file_is_unpacked(root: Path) -> None:
    (root / "registry.json.gz").write_bytes(gzip.compress(b"{}" * 100))
    document = await fetched(root / "registry.json.gz", root)
    assert await content_of(document) == b"{}" * 100


async def test_a_folder_has_one_part_an_entry_in_the_order_of_paths(root: Path) -> None:
    for path in ("osv/spec.yaml", "github.yaml", "a.json", "README.md", ".git/spec.yaml"):
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_text(path)
    document = await fetched(root, root)
    assert document.folder
    assert [part.path async for part in document.parts] == [
        "a.json",
        "github.yaml",
        "osv/spec.yaml",
    ]


async def test_a_known_file_is_not_opened(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = root / "registry.json"
    path.write_bytes(b"{}")
    known = (await fetched(path, root)).known
    monkeypatch.setattr(os, "open", None)  # whoever calls it fails
    assert isinstance(await source_of(path, root).fetch(known), Unchanged)


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "a.yaml").write_text("changed"),
        lambda root: os.utime(root / "a.yaml", ns=(1, 1)),
        lambda root: (root / "c.yaml").write_text("added"),
        lambda root: (root / "b.yaml").unlink(),
    ],
)
async def test_every_change_of_a_folder_is_seen(
    root: Path, change: Callable[[Path], object]
) -> None:
    for name in ("a.yaml", "b.yaml"):
        (root / name).write_text(name)
    known = (await fetched(root, root)).known
    change(root)
    assert isinstance(await source_of(root, root).fetch(known), Document)


async def test_files_that_are_no_entries_change_nothing(root: Path) -> None:
    (root / "a.yaml").write_text("a")
    known = (await fetched(root, root)).known
    (root / "README.md").write_text("new")
    assert isinstance(await source_of(root, root).fetch(known), Unchanged)


async def test_a_file_that_changed_while_it_was_read_is_read_again(root: Path) -> None:
    place = Place(root, root / "registry.json")
    place.path.write_bytes(b"old")
    writes = iter([b"newer"])
    content = stable(place, disturbed(lambda: [place.path.write_bytes(new) for new in writes]))
    assert b"".join([chunk async for chunk in content]) == b"newer"


async def test_a_file_that_never_stands_still_is_tried_later(root: Path) -> None:
    place = Place(root, root / "registry.json")
    place.path.write_bytes(b"x")
    content = stable(place, disturbed(lambda: place.path.write_bytes(place.path.read_bytes() * 2)))
    with pytest.raises(ThvError, match="changed while it was read") as caught:
        await anext(content)
    assert (caught.value.code, caught.value.next) == (Code.SOURCE_UNREACHABLE, Next.BACKOFF)


async def test_a_large_file_that_is_replaced_while_it_is_read_is_no_document(root: Path) -> None:
    path = root / "registry.json"
    path.write_bytes(b"x" * 3_000_000)
    document = await fetched(path, root)
    part = await anext(document.parts)
    await anext(part.chunks)
    (root / "new").write_bytes(b"y" * 3_000_000)
    (root / "new").rename(path)
    with pytest.raises(ThvError, match="changed while it was read"):
        _ = [chunk async for chunk in part.chunks]


async def test_a_file_that_vanishes_before_it_is_read_is_not_found(root: Path) -> None:
    path = root / "registry.json"
    path.write_bytes(b"x")
    document = await fetched(path, root)
    path.unlink()
    with pytest.raises(ThvError) as caught:
        await content_of(document)
    assert caught.value.code is Code.PATH_NOT_FOUND


async def test_links_inside_of_the_root_are_followed(root: Path) -> None:
    (root / "..data").mkdir()
    (root / "..data" / "registry.json").write_bytes(b"{}")
    (root / "registry.json").symlink_to("..data/registry.json")
    assert await content_of(await fetched(root / "registry.json", root)) == b"{}"


@pytest.mark.parametrize(
    "path", ["link", "up/secret", "folder", "../secret", "folder/../../secret"]
)
async def test_nothing_outside_of_the_root_is_read(root: Path, path: str) -> None:
    (root.parent / "secret").write_text("canary")
    (root / "link").symlink_to("../secret")
    (root / "up").symlink_to("..")
    (root / "folder").mkdir()
    (root / "folder" / "a.yaml").symlink_to("../../secret")
    assert await code_of(root / path, root) is Code.ADDRESS_DENIED


async def test_a_link_put_there_after_the_look_is_not_followed(root: Path) -> None:
    (root.parent / "secret").mkdir()
    (root.parent / "secret" / "a.yaml").write_text("canary")
    folder = root / "folder"
    folder.mkdir()
    (folder / "a.yaml").write_text("a: 1")
    document = await fetched(folder, root)
    folder.rename(root / "moved")
    folder.symlink_to(root.parent / "secret")
    with pytest.raises(ThvError) as caught:
        await content_of(document)
    assert caught.value.code in (Code.SOURCE_UNREACHABLE, Code.PATH_NOT_FOUND)


async def test_a_missing_file_comes_with_the_nearest_names(root: Path) -> None:
    (root / "registry.json").write_text("")
    with pytest.raises(ThvError) as caught:
        await source_of(root / "registry.jsn", root).fetch(Known())
    assert caught.value.code is Code.PATH_NOT_FOUND
    assert 'has no "registry.jsn"' in caught.value.message
    assert caught.value.details == {"existing": ["registry.json"]}


async def test_nothing_is_said_about_folders_above_the_root(tmp_path: Path) -> None:
    (tmp_path / "secret-name").write_text("")
    with pytest.raises(ThvError) as caught:
        await source_of(tmp_path / "root" / "x", tmp_path / "root").fetch(Known())
    assert "secret-name" not in f"{caught.value.message}{caught.value.hint}{caught.value.details}"


async def test_what_is_no_file_is_not_waited_for(root: Path) -> None:
    os.mkfifo(root / "pipe")
    (root / "loop").symlink_to("loop")
    assert await code_of(root / "pipe", root) is Code.PATH_NOT_FOUND
    assert await code_of(root / "loop", root) is Code.PATH_NOT_FOUND
    assert await code_of(Path("relative.json"), root) is Code.PATH_NOT_FOUND
    assert await code_of(root / "a\0b", root) is Code.PATH_NOT_FOUND
    assert await code_of(root, root) is Code.PATH_NOT_FOUND  # a folder without entries


async def test_sizes_are_bounded(root: Path) -> None:
    (root / "big.json").write_bytes(b"x" * 2000)
    (root / "bomb.json.gz").write_bytes(gzip.compress(bytes(100_000)))
    for name in ("big.json", "bomb.json.gz"):
        assert await code_of(root / name, root, most_bytes=1000) is Code.SIZE_LIMIT_EXCEEDED


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
async def test_a_file_without_permission_is_unreachable(root: Path) -> None:
    (root / "registry.json").write_text("{}")
    (root / "registry.json").chmod(0)
    assert await code_of(root / "registry.json", root) is Code.SOURCE_UNREACHABLE


def disturbed(write: Callable[[], object]) -> Callable[[Place], io.FileIO]:
    """Opens files during whose reading somebody writes."""

    class Disturbed(io.FileIO):
        def read(self, size: int | None = -1, /) -> bytes:
            content = super().read(size)
            write()
            return content

    return lambda place: Disturbed(place.path)

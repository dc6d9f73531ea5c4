from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from thv.domain.errors import Code, ThvError
from thv.formats.bundle import Catalog, Media, Part
from thv.stores.bundles.opening import Bundle, open_bundle
from thv.stores.bundles.writing import Written, write_bundle

CATALOG = Catalog(name="corp", source="default/corp", snapshot="sha256:0", created="2026-01-01T00:00:00Z", servers=1, program="1")  # fmt: skip


def parts() -> list[Part]:
    return [
        Part("registry.json", Media.TOOLHIVE, [b"{", b"}"]),
        Part("manifests/corp.yaml", Media.MANIFESTS, [b"kind: ConfigMap\n"]),
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "bundle"


@pytest.fixture
def written(folder: Path) -> Written:
    return write_bundle(folder, CATALOG, parts())


def checked(folder: Path, digest: str = "") -> Bundle:
    bundle = open_bundle(folder, digest)
    bundle.check()
    return bundle


def test_a_bundle_is_opened_as_it_was_written(written: Written, folder: Path) -> None:
    bundle = checked(folder, written.digest)
    assert (bundle.manifest, bundle.digest) == (written.manifest, written.digest)
    assert [b"".join(bundle.pieces(each)) for each in bundle.manifest.files] == [
        b"{}",
        b"kind: ConfigMap\n",
    ]


def test_the_same_parts_give_the_same_bytes(written: Written, tmp_path: Path) -> None:
    assert write_bundle(tmp_path / "other", CATALOG, parts()).digest == written.digest


def test_a_bundle_is_there_whole_or_not_at_all(folder: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"{"
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write_bundle(folder, CATALOG, [*parts()[1:], Part("x", Media.TOOLHIVE, broken())])
    assert list(folder.parent.iterdir()) == []


def test_what_is_there_is_not_replaced(written: Written, folder: Path) -> None:
    with pytest.raises(ThvError) as raised:
        write_bundle(folder, CATALOG, parts())
    assert raised.value.code is Code.ALREADY_EXISTS
    assert checked(folder).digest == written.digest


def _link(folder: Path) -> None:
    (folder / "registry.json").unlink()
    (folder / "registry.json").symlink_to("/etc/hostname")


def _folder_link(folder: Path) -> None:
    shutil.move(folder / "manifests", folder.parent / "elsewhere")
    (folder / "manifests").symlink_to(folder.parent / "elsewhere")


def _pipe(folder: Path) -> None:
    (folder / "registry.json").unlink()
    os.mkfifo(folder / "registry.json")


def _deep(folder: Path) -> None:
    Path(folder, *"abcdefgh").mkdir(parents=True)


HARM: dict[str, Callable[[Path], object]] = {
    "the digest of registry.json is not": lambda f: (f / "registry.json").write_bytes(b"[]"),
    "registry.json has more than 2 bytes": lambda f: (f / "registry.json").write_bytes(b"{}\n"),
    "registry.json has 1 bytes, not 2": lambda f: (f / "registry.json").write_bytes(b"{"),
    "registry.json is missing": lambda f: (f / "registry.json").unlink(),
    "manifests/other.yaml lies in it": lambda f: (f / "manifests/other.yaml").write_text("kind: X"),
    ".hidden lies in it": lambda f: (f / ".hidden").touch(),
    "registry.json cannot be read": _link,
    "manifests lies in it": _folder_link,
    "registry.json is no file": _pipe,
    "a/b/c/d lies in it": _deep,
}


@pytest.mark.parametrize("said", HARM)
def test_what_was_changed_is_refused(written: Written, folder: Path, said: str) -> None:
    HARM[said](folder)
    with pytest.raises(ThvError) as raised:
        checked(folder, written.digest)
    assert raised.value.code is Code.SNAPSHOT_DAMAGED
    assert said in raised.value.message


def test_no_link_is_followed_on_the_way_to_a_file(written: Written, folder: Path) -> None:
    _folder_link(folder)
    bundle = open_bundle(folder, written.digest)
    with pytest.raises(ThvError) as raised:
        list(bundle.pieces(bundle.manifest.files[1]))
    assert "manifests/corp.yaml cannot be read" in raised.value.message


def test_another_manifest_is_refused_where_its_digest_is_known(
    written: Written, folder: Path
) -> None:
    shutil.rmtree(folder)
    write_bundle(folder, CATALOG, parts()[:1])
    with pytest.raises(ThvError) as raised:
        open_bundle(folder, written.digest)
    assert raised.value.code is Code.SNAPSHOT_DAMAGED


@pytest.mark.parametrize("make", [Path.mkdir, lambda _: None])
def test_what_is_no_bundle_is_said_to_be_none(folder: Path, make: Callable[[Path], object]) -> None:
    make(folder)
    with pytest.raises(ThvError) as raised:
        open_bundle(folder)
    assert raised.value.code in (Code.FORMAT_UNSUPPORTED, Code.PATH_NOT_FOUND)

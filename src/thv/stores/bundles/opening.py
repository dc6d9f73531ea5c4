"""Opens a bundle: nothing in it is used whose digest was not checked before.

In the flow: first step of `thv catalog verify` and `load`. The folder comes from elsewhere: no link in it is followed,
nothing outside of it is opened, and a file that its manifest does not list makes it a damaged one.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import msgspec

from thv.domain.canonical import digest_of
from thv.domain.errors import Code, ThvError
from thv.formats.bundle import (
    DEPTH,
    FILE_LIMIT,
    MANIFEST,
    MANIFEST_LIMIT,
    Listed,
    Manifest,
    damaged,
    parse_manifest,
)

_PIECE = 1 << 20
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC


class Bundle(msgspec.Struct, frozen=True):
    """A bundle whose manifest was read, and whose files were not yet."""

    folder: Path
    manifest: Manifest
    digest: str
    """Of the manifest."""

    def check(self) -> None:
        """Reads every file; raises SNAPSHOT_DAMAGED for the first one that is not what the manifest says."""
        _check_listed(self.folder, {each.path for each in self.manifest.files})
        for listed in self.manifest.files:
            for _ in self.pieces(listed):
                pass

    def pieces(self, listed: Listed) -> Iterator[bytes]:
        """The file; whoever takes its pieces uses them only when it came to its end without an error."""
        digest, left = hashlib.sha256(), listed.size
        with _opened(self.folder, listed.path) as file:
            while piece := file.read(min(_PIECE, left + 1)):
                left -= len(piece)
                if left < 0:
                    raise damaged(f"{listed.path} has more than {listed.size:,} bytes")
                digest.update(piece)
                yield piece
        if left:
            raise damaged(f"{listed.path} has {listed.size - left:,} bytes, not {listed.size:,}")
        if f"sha256:{digest.hexdigest()}" != listed.digest:
            raise damaged(f"the digest of {listed.path} is not {listed.digest}")


def open_bundle(folder: Path, digest: str = "") -> Bundle:
    """The bundle of a folder; `digest` is the one that its manifest must have, `""` for any."""
    if not folder.is_dir():
        raise ThvError(
            Code.PATH_NOT_FOUND,
            f'there is no folder "{folder}"',
            hint="A bundle is the folder that thv catalog save has written.",
        )
    text = _manifest(folder)
    found = digest_of(text)
    if digest not in ("", found):
        raise damaged(f"the digest of {MANIFEST} is {found}, not {digest}")
    return Bundle(folder, parse_manifest(text), found)


def _manifest(folder: Path) -> bytes:
    with _opened(folder, MANIFEST) as file:
        text = file.read(MANIFEST_LIMIT + 1)
    if len(text) > MANIFEST_LIMIT:
        raise damaged(f"{MANIFEST} has more than {MANIFEST_LIMIT >> 20} MiB")
    return text


@contextmanager
def _opened(folder: Path, path: str) -> Iterator[IO[bytes]]:
    """A plain file below the folder."""
    try:
        with os.fdopen(_descriptor(folder, path), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise damaged(f"{path} is no file")
            yield file
    except FileNotFoundError as error:
        raise _missing(folder, path) from error
    except OSError as error:
        raise damaged(f"{path} cannot be read: {error.strerror}") from error


def _descriptor(folder: Path, path: str) -> int:
    """Opened part by part, so that no link leads out of the folder."""
    *folders, name = path.split("/")
    place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for each in folders:
            above, place = place, os.open(each, _FOLDER, dir_fd=place)
            os.close(above)
        return os.open(name, _FILE, dir_fd=place)
    finally:
        os.close(place)


def _missing(folder: Path, path: str) -> ThvError:
    if path != MANIFEST:
        return damaged(f"{path} is missing")
    return ThvError(
        Code.FORMAT_UNSUPPORTED,
        f'"{folder}" is no bundle: there is no {MANIFEST} in it',
        hint="Bundles are written by: thv catalog save NAME --output DIR",
    )


def _check_listed(folder: Path, listed: set[str]) -> None:
    """What lies beside the files of a bundle might be applied with them."""
    for count, path in enumerate(_paths(folder, "", DEPTH)):
        if count > FILE_LIMIT:
            raise damaged(f"there are more than {FILE_LIMIT:,} files in it")
        if path not in listed and path != MANIFEST:
            raise damaged(f"{path[:200]} lies in it and is not listed in {MANIFEST}")


def _paths(folder: Path, above: str, depth: int) -> Iterator[str]:
    """Everything but folders, and folders that lie deeper than any file may."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if depth > 1 and entry.is_dir(follow_symlinks=False):
                yield from _paths(Path(entry.path), f"{above}{entry.name}/", depth - 1)
            else:
                yield above + entry.name

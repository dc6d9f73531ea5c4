"""Writes a bundle: a folder that is there whole or not at all.

In the flow: last step of `thv catalog save`. Files are written into a folder beside the one that was named; the manifest
comes last, then the folder gets its name.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

import msgspec

from thv.domain.canonical import digest_of
from thv.domain.errors import Code, ThvError
from thv.formats.bundle import MANIFEST, Catalog, Listed, Manifest, Part, render_manifest

_FILE_MODE, _FOLDER_MODE = 0o644, 0o755
"""Whoever carries a bundle is seldom whoever made it, and there are no secrets in it."""


class Written(msgspec.Struct, frozen=True):
    """What was written."""

    manifest: Manifest
    digest: str
    """Of the manifest, and by it of everything."""


def write_bundle(folder: Path, catalog: Catalog, parts: Iterable[Part]) -> Written:
    """Writes the parts; raises ALREADY_EXISTS where something is, and what the operating system says."""
    require_free(folder)
    draft = Path(tempfile.mkdtemp(dir=folder.absolute().parent, prefix=f".{folder.name[:100]}."))
    try:
        files = tuple(_written(draft, part) for part in parts)
        manifest = Manifest(catalog=catalog, files=files)
        text = render_manifest(manifest)
        _write(draft / MANIFEST, [text])
        _make_durable(draft)
        draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    _sync(folder.absolute().parent)
    return Written(manifest, digest_of(text))


def require_free(folder: Path) -> None:
    """Raises before any work is done when the folder cannot be made."""
    if folder.is_symlink() or (folder.exists() and not _is_empty(folder)):
        raise ThvError(
            Code.ALREADY_EXISTS,
            f'"{folder}" exists already, and a bundle is a folder of its own',
            hint="Name a folder that does not exist yet.",
        )
    if not folder.absolute().parent.is_dir():
        raise ThvError(
            Code.PATH_NOT_FOUND,
            f'cannot write "{folder}": there is no folder "{folder.absolute().parent}"',
            hint=f"mkdir -p {folder.absolute().parent}",
        )


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())


def _written(draft: Path, part: Part) -> Listed:
    place = draft / part.path
    place.parent.mkdir(parents=True, exist_ok=True)
    size, digest = _write(place, part.pieces)
    return Listed(path=part.path, media_type=part.media.value, size=size, digest=digest)


def _write(place: Path, pieces: Iterable[bytes]) -> tuple[int, str]:
    size, digest = 0, hashlib.sha256()
    with place.open("xb") as file:
        for piece in pieces:
            file.write(piece)
            digest.update(piece)
            size += len(piece)
        file.flush()
        os.fchmod(file.fileno(), _FILE_MODE)
        os.fsync(file.fileno())
    return size, f"sha256:{digest.hexdigest()}"


def _make_durable(draft: Path) -> None:
    for folder, _, _ in os.walk(draft):
        Path(folder).chmod(_FOLDER_MODE)
        _sync(Path(folder))


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

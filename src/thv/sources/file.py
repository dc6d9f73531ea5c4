"""Kind `file`: a file or a folder of this machine, below folders that its administrator allowed.

In the flow: a look compares the identity of the files (device, inode, size, times) and opens nothing when it is the
known one. A file that changes while it is read gives an error that is tried again, never half of each state.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from thv.domain.errors import ThvError
from thv.domain.registry import FileSource as Spec
from thv.sources.base import Document, Fetched, Known, Part, Unchanged
from thv.sources.bounded import is_packed, plain, single, too_large
from thv.sources.disk import Place, Roots, files_below, identity, stable, unreadable
from thv.sources.folder import MOST_BYTES, entry_paths


class _Seen(NamedTuple):
    folder: bool
    files: Mapping[str, tuple[Place, os.stat_result]]
    """By the name that a person sees, in the order of reading."""


class FileSource:
    """Reads one path."""

    def __init__(
        self, spec: Spec, *, roots: tuple[Path, ...], most_bytes: int = MOST_BYTES
    ) -> None:
        """Nothing outside of `roots` is read; `most_bytes` holds for everything together, and unpacked again."""
        self._path = Path(spec.path)
        self._roots = Roots(roots)
        self._most = most_bytes
        self.origin = f"file:{spec.path}"

    async def fetch(self, known: Known) -> Fetched:
        """The content, unless the last look saw the same files."""
        try:
            seen = await asyncio.to_thread(self._look)
        except OSError as error:
            raise unreadable(self._path, error) from error
        stamp = _stamp(seen)
        now = Known(origin=self.origin, revision=_revision(seen, stamp), stamp=stamp)
        if known.origin == self.origin and known.stamp == stamp:
            return Unchanged(now)
        if sum(found.st_size for _, found in seen.files.values()) > self._most:
            raise too_large(f'"{self._path}"', self._most)
        if seen.folder:
            return Document(now, self._parts(seen), folder=True)
        ((name, (place, found)),) = seen.files.items()
        return Document(now, single(self._part(name, place, found)))

    async def glance(self) -> str:
        """The identity of the files; what is wrong with them is a sight, too."""
        try:
            return _stamp(await asyncio.to_thread(self._look))
        except OSError as error:
            return f"{type(error).__name__} {error.errno}"
        except ThvError as error:
            return error.message

    def _look(self) -> _Seen:
        place = self._roots.find(self._path)
        if not place.path.is_dir():
            return _Seen(False, {self._path.name: (place, place.path.stat())})
        names = entry_paths(files_below(place.path), f'the folder "{self._path}"')
        places = {name: self._roots.find_below(place, name) for name in names}
        return _Seen(True, {name: (at, at.path.stat()) for name, at in places.items()})

    async def _parts(self, seen: _Seen) -> AsyncIterator[Part]:
        for name, (place, found) in seen.files.items():
            yield self._part(name, place, found)

    def _part(self, name: str, place: Place, found: os.stat_result) -> Part:
        chunks = plain(stable(place), name, place=f'"{place.path}"', most=self._most)
        return Part(name, chunks, None if is_packed(name) else found.st_size)


def _stamp(seen: _Seen) -> str:
    """One file's identity as it is; of a folder, a digest of names and identities."""
    if not seen.folder:
        return next(identity(found) for _, found in seen.files.values())
    lines = (f"{name}\0{identity(found)}\n" for name, (_, found) in seen.files.items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _revision(seen: _Seen, stamp: str) -> str:
    """When the newest file was modified, for people; times are coarse, so a bit of the stamp tells two states apart."""
    newest = max(found.st_mtime for _, found in seen.files.values())
    moment = datetime.fromtimestamp(newest, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"{moment}-{hashlib.sha256(stamp.encode()).hexdigest()[:8]}"

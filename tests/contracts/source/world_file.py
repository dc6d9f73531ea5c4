from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from tests.contracts.source.world import World, document_of
from thv.domain import registry as specs
from thv.sources.base import Source
from thv.sources.file import FileSource


class FileWorld:
    """A file that is replaced as careful writers do it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / "registry.json"

    def open(self) -> None:
        self._folder.chmod(0o700)

    def publish(self, names: Sequence[str]) -> None:
        new = self._folder / "new"
        new.write_bytes(document_of(names))
        new.rename(self._path)

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)

    def shut(self) -> None:
        if os.geteuid() == 0:
            raise NotImplementedError
        self._folder.chmod(0o000)

    def source(self) -> Source:
        return self._source(self._path)

    def other(self) -> Source:
        return self._source(self._folder / "other.json")

    def small(self) -> Source:
        return self._source(self._path, most_bytes=1000)

    def _source(self, path: Path, most_bytes: int = 10**6) -> Source:
        spec = specs.FileSource(path=str(path))
        return FileSource(spec, roots=(self._folder,), most_bytes=most_bytes)


@asynccontextmanager
async def open_world(folder: Path) -> AsyncIterator[World]:
    world = FileWorld(folder)
    try:
        yield world
    finally:
        world.open()

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from tests.contracts.source.world import World
from thv.domain import registry as specs
from thv.sources.base import Source
from thv.sources.file import FileSource


def entries_of(names: Sequence[str]) -> dict[str, bytes]:
    """A folder with one file an entry, in both forms that a folder may have."""
    forms = ("{}.json", "{}/spec.yaml")
    return {
        forms[number % 2].format(name.rpartition("/")[2]): f'{{"name": "{name}"}}'.encode()
        for number, name in enumerate(names)
    }


class FolderWorld:
    """A folder of this machine with one file an entry."""

    def __init__(self, folder: Path) -> None:
        self._root = folder
        self._folder = folder / "registry"

    def publish(self, names: Sequence[str]) -> None:
        self.remove()
        for path, content in entries_of(names).items():
            (self._folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self._folder / path).write_bytes(content)

    def remove(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def shut(self) -> None:
        raise NotImplementedError

    def source(self) -> Source:
        return self._source(self._folder)

    def other(self) -> Source:
        return self._source(self._root / "other")

    def small(self) -> Source:
        return self._source(self._folder, most_bytes=1000)

    def _source(self, path: Path, most_bytes: int = 10**6) -> Source:
        spec = specs.FileSource(path=str(path))
        return FileSource(spec, roots=(self._root,), most_bytes=most_bytes)


@asynccontextmanager
async def open_world(folder: Path) -> AsyncIterator[World]:
    yield FolderWorld(folder)

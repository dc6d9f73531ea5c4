from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from tests.contracts.source.world import World, document_of
from thv.domain.errors import Code, ThvError
from thv.sources.base import Source
from thv.sources.memory import MemorySource


class MemoryWorld:
    def __init__(self) -> None:
        self._source = MemorySource()

    def publish(self, names: Sequence[str]) -> None:
        self._source.publish(document_of(names))

    def remove(self) -> None:
        self._source.remove()

    def shut(self) -> None:
        self._source.fail(ThvError(Code.SOURCE_UNREACHABLE, "shut"), times=100)

    def source(self) -> Source:
        return self._source

    def other(self) -> Source:
        return MemorySource("memory:other")

    def small(self) -> Source:
        raise NotImplementedError


@asynccontextmanager
async def open_world(folder: Path) -> AsyncIterator[World]:
    yield MemoryWorld()

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from tests.contracts.source.world import World, document_of
from thv.domain import registry as specs
from thv.domain.errors import Code, ThvError
from thv.sources.base import ConfigMapData, Source
from thv.sources.configmap import ConfigMapSource


class ConfigMapWorld:
    """A namespace with one ConfigMap."""

    def __init__(self) -> None:
        self._version = 0
        self._data: dict[str, bytes] | None = None

    def publish(self, names: Sequence[str]) -> None:
        self._version += 1
        self._data = {"registry.json": document_of(names), "other": b"{}"}

    def remove(self) -> None:
        self._data = None

    def shut(self) -> None:
        raise NotImplementedError

    def source(self) -> Source:
        return self._source("registry.json")

    def other(self) -> Source:
        return self._source("other")

    def small(self) -> Source:
        return self._source("registry.json", most_bytes=1000)

    def _source(self, key: str, most_bytes: int = 10**6) -> Source:
        spec = specs.ConfigMapSource(name="corp-servers", key=key)
        return ConfigMapSource(spec, self._read, namespace="team", most_bytes=most_bytes)

    async def _read(self, name: str) -> ConfigMapData:
        if self._data is None:
            raise ThvError(Code.SOURCE_NOT_FOUND, f'there is no ConfigMap "{name}"')
        return ConfigMapData(self._data, str(self._version))


@asynccontextmanager
async def open_world(folder: Path) -> AsyncIterator[World]:
    yield ConfigMapWorld()

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from tests.contracts.source.world import CANARY, World
from tests.sources.web import Clock, Naps, web
from tests.upstream import Corpus, Upstream, reset
from thv.clients.http.client import HttpClient
from thv.clients.http.response import Limits
from thv.domain import registry as specs
from thv.domain.fields import Reference
from thv.sources.base import SecretData, Source
from thv.sources.registry import RegistrySource


class RegistryWorld:
    """An official API; its content changes by new versions and deletions, as there is no other way."""

    def __init__(self, upstream: Upstream, client: HttpClient, clock: Clock) -> None:
        self._up = upstream
        self._clock = clock
        key = SecretData({"X-Api-Key": CANARY.encode()})
        self._web = web(client, [upstream.place], secrets={"read": key}, now=clock)

    def publish(self, names: Sequence[str]) -> None:
        self._clock.pass_(days=2)  # everything is read again, so that what is missing is gone
        self._up.generations = ("/v0.1",)
        self._up.corpus = Corpus(self._clock)
        for name in names:
            self._up.corpus.publish(name)
        self._clock.pass_(minutes=10)

    def remove(self) -> None:
        self._up.generations = ()

    def shut(self) -> None:
        self._up.fault(reset(), times=-1)

    def source(self) -> Source:
        return self._source("all")

    def other(self) -> Source:
        return self._source("latest")

    def small(self) -> Source:
        return self._source("all", Limits(body_bytes=1000))

    def _source(self, versions: str, limits: Limits | None = None) -> Source:
        spec = specs.RegistrySource(
            url=self._up.url,
            versions="all" if versions == "all" else "latest",
            headers_secret=Reference(name="read"),
        )
        return RegistrySource(spec, self._web, Naps().settings(limits=limits or Limits()))


@asynccontextmanager
async def open_world(folder: Path) -> AsyncIterator[World]:
    clock = Clock()
    with Upstream(Corpus(clock), needs=("X-Api-Key", CANARY)) as up:
        async with HttpClient() as client:
            yield RegistryWorld(up, client, clock)

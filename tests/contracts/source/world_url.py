from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from tests.contracts.source.world import CANARY, World, document_of
from tests.sources.web import Clock, Naps, web
from tests.upstream import Upstream, reset
from thv.clients.http.client import HttpClient
from thv.clients.http.response import Limits
from thv.domain import registry as specs
from thv.sources.base import SecretData, Source
from thv.sources.url import UrlSource


class UrlWorld:
    def __init__(self, upstream: Upstream, client: HttpClient) -> None:
        self._up = upstream
        token = SecretData({"token": CANARY.encode()})
        self._web = web(client, [upstream.place], secrets={"read": token}, now=Clock())

    def publish(self, names: Sequence[str]) -> None:
        body = document_of(names)
        self._up.file("/servers.json", body, etag=f'"{hashlib.sha256(body).hexdigest()[:12]}"')

    def remove(self) -> None:
        self._up.remove("/servers.json")

    def shut(self) -> None:
        self._up.fault(reset(), times=-1)

    def source(self) -> Source:
        return self._source("/servers.json")

    def other(self) -> Source:
        return self._source("/others.json")

    def small(self) -> Source:
        return self._source("/servers.json", Limits(body_bytes=1000))

    def _source(self, path: str, limits: Limits | None = None) -> Source:
        spec = specs.UrlSource(url=self._up.url + path, auth_secret=specs.AuthSecret(name="read"))
        return UrlSource(spec, self._web, limits or Limits(), Naps().settings())


@asynccontextmanager
async def open_world(folder: Path) -> AsyncIterator[World]:
    needs = ("Authorization", f"Bearer {CANARY}")
    with Upstream(generations=(), needs=needs) as up:
        async with HttpClient() as client:
            yield UrlWorld(up, client)

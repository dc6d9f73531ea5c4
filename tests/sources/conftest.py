from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.sources.web import Clock, Naps
from tests.upstream import Corpus, Upstream
from thv.clients.http.client import HttpClient


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def naps() -> Naps:
    return Naps()


@pytest.fixture
def up(clock: Clock) -> Iterator[Upstream]:
    with Upstream(Corpus(clock)) as opened:
        yield opened


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    async with HttpClient() as opened:
        yield opened

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.clients.http.places import Names
from thv.clients.http.client import HttpClient


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def names() -> Names:
    return Names()


@pytest.fixture
async def client(names: Names) -> AsyncIterator[HttpClient]:
    async with HttpClient(resolve=names) as opened:
        yield opened

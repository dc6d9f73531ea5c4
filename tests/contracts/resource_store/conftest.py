from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contracts.resource_store.kinds import KINDS, Place
from thv.stores.resources.base import ResourceStore


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=KINDS)
async def place(
    request: pytest.FixtureRequest, tmp_path: Path, anyio_backend: str
) -> AsyncIterator[Place]:
    async with KINDS[request.param](tmp_path) as opened:
        yield opened


@pytest.fixture
def store(place: Place) -> ResourceStore:
    return place.store


@pytest.fixture
def namespace(place: Place) -> str:
    return place.namespace

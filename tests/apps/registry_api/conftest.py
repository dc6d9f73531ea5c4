from __future__ import annotations

from pathlib import Path

import pytest

from tests.apps.registry_api.asking import Client
from tests.apps.registry_api.places import Place


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def place(tmp_path: Path) -> Place:
    place = Place(tmp_path / "corp")
    await place.sync()
    return place


@pytest.fixture
def client(place: Place) -> Client:
    return place.client()

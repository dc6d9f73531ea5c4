from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.apps.catalog_api.catalogs import CatalogSite
from tests.apps.catalog_api.machine import Machine, machine_in


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[CatalogSite]:
    """An empty catalog."""
    async with CatalogSite(tmp_path).running() as made:
        yield made


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """One process for all who ask over HTTP; each makes registries under names of its own."""
    with machine_in(tmp_path_factory.mktemp("machine")) as running:
        yield running

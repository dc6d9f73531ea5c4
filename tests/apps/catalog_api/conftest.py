from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.apps.catalog_api.catalogs import CatalogSite


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[CatalogSite]:
    """An empty catalog."""
    async with CatalogSite(tmp_path).running() as made:
        yield made

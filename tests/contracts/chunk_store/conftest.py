from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contracts.chunk_store.kinds import CLUSTER, KINDS, Opener, Place, cluster


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


IN_CLUSTER = (pytest.mark.e2e, pytest.mark.xdist_group("control plane"))


@pytest.fixture(params=[*KINDS, pytest.param(CLUSTER, marks=IN_CLUSTER)])
def opener(request: pytest.FixtureRequest) -> Opener:
    if request.param == CLUSTER:
        return cluster(request.getfixturevalue("control_plane"))
    return KINDS[request.param]


@pytest.fixture
async def place(opener: Opener, tmp_path: Path, anyio_backend: str) -> AsyncIterator[Place]:
    async with opener(tmp_path) as opened:
        yield opened

"""One `world` for each kind; `world.py` says how a kind takes part."""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contracts.source.world import World

KINDS = sorted(
    path.stem.removeprefix("world_") for path in Path(__file__).parent.glob("world_*.py")
)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


OVER_A_SERVER = {"git", "git_folder", "registry", "url"}


def _marked(kind: str) -> object:
    return pytest.param(kind, marks=[pytest.mark.flows] if kind in OVER_A_SERVER else [])


@pytest.fixture(params=[_marked(kind) for kind in KINDS])
async def world(
    request: pytest.FixtureRequest, tmp_path: Path, anyio_backend: str
) -> AsyncIterator[World]:
    module = importlib.import_module(f"tests.contracts.source.world_{request.param}")
    async with module.open_world(tmp_path) as opened:
        yield opened

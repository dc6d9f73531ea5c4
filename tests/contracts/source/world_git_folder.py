from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.contracts.source.world import World
from tests.contracts.source.world_git import GitFolderWorld, shared_host


@asynccontextmanager
async def open_world(folder: Path) -> AsyncIterator[World]:
    yield GitFolderWorld(folder, shared_host())

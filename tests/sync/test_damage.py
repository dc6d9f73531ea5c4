"""What is derived and damaged is made again; a forced sync mends what is served."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders import server
from tests.sync.world import World
from thv.stores.chunks.base import Owner
from thv.stores.mirrors.sqlite import SqliteMirrors

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_a_forced_sync_writes_a_lost_chunk_again() -> None:
    world = World()
    world.publish(server("io.example/a"), server("io.example/b"))
    await world.apply()
    await world.reconcile()
    before = await world.registry()
    pointer = before.status.snapshot
    assert pointer is not None
    owner = Owner(before.namespace, before.name, before.uid)
    await world.chunks.delete(owner, pointer.chunks[0].name)
    await world.annotate(sync_requested_at="now", sync_forced_at="now")
    await world.reconcile()
    after = (await world.registry()).status.snapshot
    assert after is not None
    assert after.digest == pointer.digest
    assert await world.digest_holds()


def test_a_mirror_that_is_no_database_any_more_begins_anew(tmp_path: Path) -> None:
    mirrors = SqliteMirrors(tmp_path)
    mirrors.open("key").looked(b"{}", "2026-01-01T00:00:00Z")
    mirrors.close()
    (tmp_path / "key.db").write_bytes(b"no database " * 100)
    try:
        assert mirrors.open("key").state().whole is False
    finally:
        mirrors.close()

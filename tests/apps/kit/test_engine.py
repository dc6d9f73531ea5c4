from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.builders import registry
from thv.apps.kit.engine import Engine, Places, Reach
from thv.clients.http.guard import NOTHING
from thv.domain.registry import Registry
from thv.domain.taxonomy import NO_TAXONOMY
from thv.stores.chunks.memory import MemoryChunkStore
from thv.stores.resources.memory import MemoryStore

pytestmark = pytest.mark.anyio


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    opened = Engine(
        MemoryStore(),
        MemoryChunkStore(),
        Places(mirrors=tmp_path / "mirrors", selections=tmp_path / "selections", git=tmp_path),
        Reach(allow=lambda: NOTHING, denied_hint=""),
        taxonomy=NO_TAXONOMY,
        clock=lambda: datetime(2026, 1, 1, tzinfo=UTC),
    )
    yield opened
    await opened.close()


def reading(name: str, **source: Any) -> Registry:
    return registry(name, source=source or {"type": "configmap", "configMap": {"name": name}})


def files(folder: Path) -> set[str]:
    return {path.stem for path in folder.glob("*.db")}


async def test_what_nobody_needs_any_more_goes_whatever_becomes_of_the_others(
    engine: Engine, tmp_path: Path
) -> None:
    """One registry whose source cannot be opened once kept all mirrors of all others for ever."""
    good, gone = reading("good"), reading("gone")
    stalled = reading("stalled", type="oci", oci={"reference": "ghcr.io/a/b"})
    never = reading("never", type="url", url={"url": "https://example.com/x"})
    keys = {}
    for each in (good, gone):
        keys[each.name] = (await engine.open_source(each)).mirror_key
        with engine.mirrors.using(keys[each.name]), engine.selections.using(each.uid):
            pass
    with engine.mirrors.using("in use"):
        await engine.forget_all_but([good, stalled, never])
        assert files(tmp_path / "mirrors") == {keys["good"], "in use"}
    assert files(tmp_path / "selections") == {good.uid}
    await engine.forget_all_but([good])
    assert files(tmp_path / "mirrors") == {keys["good"]}

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.builders import registry
from tests.clients.http.places import CA, ForwardProxy, serving
from tests.upstream import Upstream
from thv.apps.kit.engine import Engine, Places, Reach
from thv.clients.http.guard import NOTHING
from thv.clients.http.proxy import Proxy
from thv.domain.registry import Registry
from thv.domain.taxonomy import NO_TAXONOMY
from thv.sources.base import Document, Known
from thv.stores.chunks.memory import MemoryChunkStore
from thv.stores.resources.memory import MemoryStore

pytestmark = pytest.mark.anyio


def an_engine(folder: Path, **reach: Any) -> Engine:
    return Engine(
        MemoryStore(),
        MemoryChunkStore(),
        Places(mirrors=folder / "mirrors", selections=folder / "selections", git=folder),
        Reach(allow=lambda: NOTHING, denied_hint="", **reach),
        taxonomy=NO_TAXONOMY,
        clock=lambda: datetime(2026, 1, 1, tzinfo=UTC),
    )


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    opened = an_engine(tmp_path)
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


@pytest.mark.flows
@pytest.mark.requirement("SYN-04")
async def test_sources_go_through_the_proxy_and_trust_the_roots_of_the_process(
    tmp_path: Path,
) -> None:
    with Upstream(tls=serving("good.pem")) as secure:
        secure.file("/registry.json", b'{"version": "1.0.0", "servers": {}}')
        async with ForwardProxy().running() as proxy:
            through = Proxy.parse(f"http://127.0.0.1:{proxy.port}")
            engine = an_engine(tmp_path, proxy=through, trust=lambda: CA)
            url = f"https://good.test:{secure.port}/registry.json"
            opened = await engine.open_source(reading("far", type="url", url={"url": url}))
            found = await opened.source.fetch(Known(origin=opened.source.origin))
            assert isinstance(found, Document)
            await engine.close()
        assert proxy.asked == [f"CONNECT good.test:{secure.port}"]

"""Whatever an upstream answers, the last good content stays served, and the status says what is wrong."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.faults.world import World
from tests.upstream import (
    Corpus,
    Play,
    Upstream,
    answer,
    bomb,
    circle,
    endless,
    endless_nothing,
    large_headers,
    other_cursors,
    reset,
    status,
    truncated,
)
from thv.domain.registry import Registry

pytestmark = [pytest.mark.anyio, pytest.mark.flows]

LIST, DOCUMENT = "/v0.1/servers", "/registry.json"
DEEP = b'{"servers":[' + b'{"server":' + b"[" * 200_000 + b"]" * 200_000 + b"}]}"

ANYWHERE: dict[str, Play] = {
    "refused": status(401),
    "forbidden": status(403),
    "missing": status(404),
    "broken server": status(500),
    "overloaded": status(503),
    "limited": status(429, retry_after="3600"),
    "reset": reset(),
    "truncated": truncated(),
    "an HTML page": answer(b"<!doctype html><html>Sign in</html>", content_type="text/html"),
    "another content type": answer(b"name: x", content_type="application/x-yaml"),
    "truncated JSON": answer(b'{"servers":[{"server":{"name":"io.exa'),
    "another document": answer(b'{"name":"left-pad","version":"1.0.0","dependencies":{}}'),
    "nothing": answer(b""),
    "deep JSON": answer(DEEP),
    "an endless body": endless(),
    "an endless body of nothing": endless_nothing(),
    "a gzip bomb": bomb(),
    "a bomb of numbers": bomb(encoding="deflate"),
    "broken gzip": answer(gzip.compress(b"x" * 500)[:-9], content_encoding="gzip"),
    "large headers": large_headers(200_000),
    "a redirect to itself": status(302, location="/registry.json"),
    "a redirect to a denied address": status(302, location="http://169.254.169.254/latest"),
    "a redirect to a file": status(302, location="file:///etc/passwd"),
}
PAGES: dict[str, Play] = {
    "a circle": circle(),
    "other cursors for one page": other_cursors(),
}


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream(Corpus.synthetic(250, lambda: datetime(2026, 6, 1, tzinfo=UTC))) as running:
        rows = running.corpus.page(limit=1000)
        running.file(DOCUMENT, b"[" + b",".join(row.render() for row in rows) + b"]")
        yield running


@pytest.fixture
async def world(tmp_path: Path, upstream: Upstream) -> AsyncIterator[World]:
    async with World(tmp_path / "data", upstream) as opened:
        yield opened


@pytest.mark.requirement("SYN-02", "REG-04")
@pytest.mark.parametrize("name", ANYWHERE)
async def test_a_document_that_goes_bad_costs_nothing_that_is_served(
    world: World, upstream: Upstream, name: str
) -> None:
    await world.add("corp", world.url(DOCUMENT))
    await world.sync("corp")
    await fails_and_recovers(world, upstream, ANYWHERE[name])


@pytest.mark.requirement("SYN-02", "REG-05")
@pytest.mark.parametrize("name", [*ANYWHERE, *PAGES])
async def test_an_api_that_goes_bad_costs_nothing_that_is_served(
    world: World, upstream: Upstream, name: str
) -> None:
    await world.add("corp", world.api())
    await world.sync("corp")
    upstream.corpus.change(240)
    await fails_and_recovers(world, upstream, {**ANYWHERE, **PAGES}[name])


async def fails_and_recovers(world: World, upstream: Upstream, play: Play) -> None:
    before = await world.served("corp")
    assert before
    upstream.fault(play, times=-1)
    failed = await world.sync("corp")
    assert await world.served("corp") == before
    assert_says_why(failed)
    upstream.heal()
    assert (await world.sync("corp")).status.sync_status.error is None


def assert_says_why(registry: Registry) -> None:
    """A sentence with what to do, on the condition that it is about, and nothing of ours in it."""
    error = registry.status.sync_status.error
    assert error is not None
    assert error.code != "INTERNAL"
    assert len(error.message) > 20
    assert "Traceback" not in error.message
    said = {condition.type: condition for condition in registry.status.conditions}
    assert said["SyncSucceeded"].status == "False"

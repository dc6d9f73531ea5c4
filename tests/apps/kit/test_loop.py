from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.builders import manifest
from thv.apps.kit import loop
from thv.apps.kit.loop import Controller, Key, View, feed
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.domain.resources import MCP_REGISTRY, Kind, name_of
from thv.stores.resources.base import WatchEvent
from thv.stores.resources.memory import MemoryStore

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("steps", range(6))
async def test_a_controller_that_is_woken_as_it_is_cancelled_ends(steps: int) -> None:
    async def reconcile(key: Key, hints: frozenset[str], /) -> datetime | None:
        return NOW + timedelta(hours=1)  # so that it waits with a limit

    controller = Controller(reconcile, lambda: NOW)
    controller.enqueue(("default", "corp"))
    running = asyncio.ensure_future(controller.run())
    for _ in range(10):
        await asyncio.sleep(0)
    controller.enqueue(("default", "corp"))
    for _ in range(steps):
        await asyncio.sleep(0)
    running.cancel()
    ended, _ = await asyncio.wait([running], timeout=2)
    running.cancel()
    assert ended


async def test_what_passes_by_itself_is_tried_again_soon_however_often_it_failed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Half a minute after an API server is well again, so is everything."""
    now = NOW
    codes = {"away": Code.STORE_UNAVAILABLE, "busy": Code.CONFLICT, "wrong": Code.INVALID}

    async def reconcile(key: Key, hints: frozenset[str], /) -> datetime | None:
        raise ThvError(codes[key[1]], "not now")

    controller = Controller(reconcile, lambda: now)
    running = asyncio.ensure_future(controller.run())
    for name in [*codes] * 12:
        controller.enqueue(("default", name))
        now += timedelta(hours=1)
        for _ in range(5):
            await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait([running])
    said = [record.args for record in caplog.records]
    last = {str(args[1]): float(str(args[-1])) for args in said if isinstance(args, tuple)}
    assert last["away"] <= 10
    assert last["busy"] <= 10
    assert last["wrong"] > 180


@pytest.mark.parametrize("error", [ThvError(Code.STORE_UNAVAILABLE, "away"), ValueError("bug")])
async def test_a_hint_is_given_again_when_the_work_that_it_was_for_failed(error: Exception) -> None:
    now, given = NOW, list[frozenset[str]]()

    async def reconcile(key: Key, hints: frozenset[str], /) -> datetime | None:
        given.append(hints)
        if len(given) == 1:
            raise error
        return None

    controller = Controller(reconcile, lambda: now)
    controller.enqueue(("default", "corp"), hint="source")
    running = asyncio.ensure_future(controller.run())
    for _ in range(3):
        for _ in range(5):
            await asyncio.sleep(0)
        now += timedelta(hours=1)
        controller.enqueue(("default", "corp"))
    running.cancel()
    await asyncio.wait([running])
    assert given == [frozenset({"source"}), frozenset({"source"}), frozenset()]


class _AwayOnce(MemoryStore):
    """Loses an object and then its connection, just when it is to be watched."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False

    async def watch(
        self, kind: Kind, namespace: str | None = None, **more: Any
    ) -> AsyncGenerator[WatchEvent, None]:
        if not self.away:
            self.away = True
            await self.delete(MCP_REGISTRY, "default", "goes")
            raise ThvError(Code.STORE_UNAVAILABLE, "the store is away")
        async with aclosing(super().watch(kind, namespace, **more)) as events:
            async for event in events:
                yield event


async def test_what_went_while_the_store_was_away_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "_FIRST_PAUSE", 0.0)
    store = _AwayOnce()
    for name in ("goes", "stays"):
        await store.create(manifest(name), manager="test")
    told: list[tuple[str, bool]] = []
    known = asyncio.Event()

    async def take(obj: JsonObject, gone: bool) -> None:
        told.append((name_of(obj), gone))
        if gone:
            known.set()

    feeding = asyncio.ensure_future(feed(store, View(kind=MCP_REGISTRY), take))
    async with asyncio.timeout(5):
        await known.wait()
    feeding.cancel()
    await asyncio.wait([feeding])
    assert told == [("goes", False), ("stays", False), ("stays", False), ("goes", True)]


async def test_an_object_that_nobody_foresaw_keeps_none_of_the_others_from_being_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = MemoryStore()
    for name in ("a", "poison", "z"):
        await store.create(manifest(name), manager="test")
    told: list[str] = []
    last = asyncio.Event()

    async def take(obj: JsonObject, gone: bool) -> None:
        if name_of(obj) == "poison":
            raise TypeError("what is this?")
        told.append(name_of(obj))
        if name_of(obj) == "z":
            last.set()

    feeding = asyncio.ensure_future(feed(store, View(kind=MCP_REGISTRY), take))
    async with asyncio.timeout(5):
        await last.wait()
    assert not feeding.done()
    feeding.cancel()
    await asyncio.wait([feeding])
    assert told == ["a", "z"]
    assert "default/poison: unexpected failure as it was told" in caplog.text

"""What only the embedded kinds promise of a watch: bookmarks, how far back it reaches, Secrets."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import anyio
import pytest

from tests.contracts.resource_store.objects import (
    PATIENCE,
    a_config_map,
    a_registry,
    a_secret,
    refused,
)
from tests.stores.resources.stores import Clock, both_kinds, chances, open_store
from thv.domain.errors import Code
from thv.domain.resources import CONFIG_MAP, MCP_REGISTRY, SECRET, Kind
from thv.stores.resources import embedded
from thv.stores.resources.base import EventType, WatchEvent
from thv.stores.resources.embedded import EmbeddedStore
from thv.stores.resources.tables import Bookmarks, Retention

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def _watching(
    store: EmbeddedStore, kind: Kind, since: str
) -> AsyncIterator[AsyncIterator[WatchEvent]]:
    with anyio.fail_after(PATIENCE):
        async with aclosing(store.watch(kind, since=since)) as events:
            yield events


async def _write(store: EmbeddedStore, count: int) -> None:
    for number in range(count):
        await store.apply(a_config_map("team", data={"n": str(number)}), manager="test")


@both_kinds
async def test_quiet_watch_says_where_it_is_after_many_changes_of_others(
    kind: str, tmp_path: Path
) -> None:
    store = open_store(kind, tmp_path, chances=chances(), bookmarks=Bookmarks(events=10))
    await _write(store, 12)
    async with _watching(store, MCP_REGISTRY, "0") as events:
        event = await anext(events)
    assert event.type is EventType.BOOKMARK
    assert event.object == {
        "apiVersion": "toolhive.stacklok.io/v1alpha1",
        "kind": "MCPRegistry",
        "metadata": {"resourceVersion": "12"},
    }
    await store.close()


@both_kinds
async def test_quiet_watch_says_where_it_is_after_a_while(kind: str, tmp_path: Path) -> None:
    clock = Clock()
    store = open_store(kind, tmp_path, chances=chances(clock))
    async with _watching(store, MCP_REGISTRY, "0") as events, anyio.create_task_group() as tasks:
        seen: list[WatchEvent] = []

        async def watch() -> None:
            seen.append(await anext(events))

        tasks.start_soon(watch)
        await anyio.lowlevel.checkpoint()
        clock.move(minutes=2)
        await _write(store, 1)
    assert [(event.type, event.resource_version) for event in seen] == [(EventType.BOOKMARK, "1")]
    await store.close()


@both_kinds
async def test_watch_does_not_reach_behind_what_was_forgotten(kind: str, tmp_path: Path) -> None:
    store = open_store(kind, tmp_path, chances=chances(), retention=Retention(events=5))
    await _write(store, 9)
    with refused(Code.EXPIRED, "resourceVersion 3"):
        async with _watching(store, CONFIG_MAP, "3") as events:
            await anext(events)
    async with _watching(store, CONFIG_MAP, "4") as events:
        seen = [await anext(events) for _ in range(5)]
    assert [event.resource_version for event in seen] == ["5", "6", "7", "8", "9"]
    await store.close()


@both_kinds
async def test_changes_are_forgotten_after_a_time(kind: str, tmp_path: Path) -> None:
    clock = Clock()
    store = open_store(kind, tmp_path, chances=chances(clock))
    await _write(store, 3)
    clock.move(minutes=61)
    await store.apply(a_config_map("team", "late"), manager="test")
    with refused(Code.EXPIRED):
        async with _watching(store, CONFIG_MAP, "2") as events:
            await anext(events)
    async with _watching(store, CONFIG_MAP, "3") as events:
        assert (await anext(events)).object["metadata"]["name"] == "late"
    await store.close()


@both_kinds
async def test_large_changes_are_forgotten_sooner(kind: str, tmp_path: Path) -> None:
    store = open_store(kind, tmp_path, chances=chances(), retention=Retention(bytes=10_000))
    for number in range(5):
        await store.apply(a_config_map("team", data={"n": str(number) * 4000}), manager="test")
    with refused(Code.EXPIRED):
        async with _watching(store, CONFIG_MAP, "2") as events:
            await anext(events)
    async with _watching(store, CONFIG_MAP, "3") as events:
        assert [(await anext(events)).resource_version for _ in range(2)] == ["4", "5"]
    await store.close()


@both_kinds
async def test_version_of_another_store_is_refused(kind: str, tmp_path: Path) -> None:
    store = open_store(kind, tmp_path, chances=chances())
    with refused(Code.EXPIRED):
        async with _watching(store, CONFIG_MAP, "77") as events:
            await anext(events)
    with refused(Code.INVALID, '"x" is no resourceVersion'):
        async with _watching(store, CONFIG_MAP, "x") as events:
            await anext(events)
    await store.close()


@both_kinds
async def test_continue_token_expires_with_its_version(kind: str, tmp_path: Path) -> None:
    store = open_store(kind, tmp_path, chances=chances(), retention=Retention(events=3))
    for name in ("a", "b"):
        await store.create(a_config_map("team", name), manager="test")
    page = await store.list(CONFIG_MAP, limit=1)
    await _write(store, 5)
    with refused(Code.EXPIRED, "list"):
        await store.list(CONFIG_MAP, limit=1, continue_=page.continue_)
    await store.close()


@both_kinds
async def test_watch_reads_a_long_past_in_order(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "BATCH", 10)
    store = open_store(kind, tmp_path, chances=chances())
    await _write(store, 25)
    async with _watching(store, CONFIG_MAP, "0") as events:
        seen = [int((await anext(events)).resource_version) for _ in range(25)]
    assert seen == list(range(1, 26))
    await store.close()


@both_kinds
async def test_closed_store_ends_its_watches(kind: str, tmp_path: Path) -> None:
    store = open_store(kind, tmp_path, chances=chances())

    async def watch() -> None:
        with refused(Code.STORE_UNAVAILABLE, "closed"):
            async with _watching(store, CONFIG_MAP, "0") as events:
                await anext(events)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch)
        await anyio.lowlevel.checkpoint()
        await store.close()
    with refused(Code.STORE_UNAVAILABLE):
        await store.list(CONFIG_MAP)
    with refused(Code.STORE_UNAVAILABLE):
        await store.create(a_registry("team"), manager="test")


# ---------------------------------------------------------------- Secrets


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@both_kinds
async def test_watch_of_secrets_tells_only_present_values(kind: str, tmp_path: Path) -> None:
    store = open_store(kind, tmp_path, chances=chances())
    for value in ("one", "two", "three"):
        await store.apply(a_secret("team", data={"token": _b64(value)}), manager="test")
    await store.create(a_secret("team", "other", data={"token": _b64("x")}), manager="test")
    await store.delete(SECRET, "team", "other")
    async with _watching(store, SECRET, "0") as events:
        present, gone = await anext(events), await anext(events)
    assert (present.type, present.object["data"]) == (EventType.MODIFIED, {"token": _b64("three")})
    assert (gone.type, gone.object["metadata"]["name"]) == (EventType.DELETED, "other")
    assert "data" not in gone.object
    await store.close()


@both_kinds
async def test_many_past_changes_of_secrets_do_not_hide_later_ones(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "BATCH", 10)
    store = open_store(kind, tmp_path, chances=chances())
    for number in range(25):
        await store.apply(
            a_secret("team", type="Opaque", immutable=False, data={"n": _b64(str(number))}),
            manager="test",
        )
    async with _watching(store, SECRET, "0") as events:
        event = await anext(events)
    assert event.resource_version == str(25)
    await store.close()

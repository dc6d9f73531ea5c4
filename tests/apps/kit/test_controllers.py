from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.builders import manifest
from thv.apps.kit.controllers import FAR, NEAR, Concerns, run_registries
from thv.apps.kit.loop import Key
from thv.stores.resources.memory import MemoryStore

CONFIGMAP = {"type": "configmap", "configMap": {"name": "servers"}}
SERVERS: Any = {"metadata": {"namespace": "default", "name": "servers"}}
URL = {"type": "url", "url": {"url": "https://example.com/x"}}
GIT = {"type": "git", "git": {"repository": "https://example.com/x"}}
API = {"type": "registry", "registry": {"url": "https://example.com"}}
REFERENCE = {"type": "registry", "registry": {"registryRef": {"name": "other"}}}


def spec(name: str, source: Any) -> Any:
    return manifest(name, source=source)


@pytest.mark.parametrize(
    ("source", "lane"),
    [(CONFIGMAP, NEAR), (REFERENCE, NEAR), ("wrong", NEAR), (URL, FAR), (GIT, FAR), (API, FAR)],
)
def test_registries_of_far_sources_wait_among_themselves(source: Any, lane: str) -> None:
    concerns = Concerns()
    concerns.of_registry(spec("corp", source), gone=False)
    assert concerns.lane(("default", "corp")) == lane
    concerns.of_registry(spec("corp", CONFIGMAP), gone=False)
    assert concerns.lane(("default", "corp")) == NEAR


def test_nothing_is_kept_of_registries_that_are_gone() -> None:
    concerns, empty = Concerns(), vars(Concerns())
    for source in (CONFIGMAP, REFERENCE, URL):
        concerns.of_registry(spec("corp", source), gone=False)
    concerns.of_registry(spec("corp", CONFIGMAP), gone=True)
    left = {name: getattr(each, "__dict__", each) for name, each in vars(concerns).items()}
    assert left == {name: getattr(each, "__dict__", each) for name, each in empty.items()}


@pytest.mark.parametrize("source", [CONFIGMAP, REFERENCE])
def test_a_registry_looks_at_what_it_begins_to_read_as_nobody_told_it_of_that(source: Any) -> None:
    """A process that begins may hear of a ConfigMap before it knows who reads it."""
    concerns = Concerns()
    assert concerns.of_config_map(SERVERS) == []
    assert concerns.of_registry(spec("corp", source), gone=False) == [("default", "corp")]
    assert concerns.of_registry(spec("corp", source), gone=False) == []
    assert concerns.of_registry(spec("corp", source), gone=True) == []


def test_a_registry_with_another_configmap_looks_at_that_one() -> None:
    concerns = Concerns()
    concerns.of_registry(spec("corp", CONFIGMAP), gone=False)
    other = {"type": "configmap", "configMap": {"name": "others"}}
    assert concerns.of_registry(spec("corp", other), gone=False) == [("default", "corp")]
    assert concerns.of_config_map(SERVERS) == []


@pytest.mark.anyio
async def test_sources_that_never_answer_delay_nobody_who_reads_a_config_map() -> None:
    store = MemoryStore()
    for number in range(20):
        await store.create(spec(f"dead-{number}", URL), manager="test")
    await store.create(spec("corp", CONFIGMAP), manager="test")
    looked_at: list[str] = []
    again = asyncio.Event()

    async def reconcile(
        key: Key, *, source_changed: bool = False, chunks_lost: bool = False
    ) -> datetime | None:
        if key[1] != "corp":
            await asyncio.Event().wait()
        looked_at.append(f"{key[1]} {source_changed}")
        again.set()
        return None

    running = asyncio.ensure_future(run_registries(store, reconcile, lambda: datetime.now(UTC)))
    async with asyncio.timeout(5):
        await again.wait()
        again.clear()
        edit = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "servers"}}
        await store.create({**edit, "data": {"x": "y"}}, manager="test")
        await again.wait()
    running.cancel()
    await asyncio.wait([running])
    assert looked_at == ["corp True", "corp True"]

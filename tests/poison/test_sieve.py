"""The same cases on one machine, without a cluster: whatever the store takes is told, and nothing breaks.

THV_CASES gives their number, or `all`; THV_SEED other ones.
"""

from __future__ import annotations

import json
import logging
import os
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from tests.poison.cases import SEED, SHARED_CONTENT, Poison, poison
from tests.poison.documents import good
from tests.poison.hand import config_map
from tests.poison.verdicts import is_leaving, is_observed, summary, wrong
from thv.apps.kit.controllers import Concerns
from thv.apps.kit.engine import Engine, Places, Reach
from thv.clients.http.guard import NOTHING
from thv.domain.canonical import JsonObject
from thv.domain.errors import ThvError
from thv.domain.resources import MCP_REGISTRY, metadata_of
from thv.domain.taxonomy import NO_TAXONOMY
from thv.formats.folder import UnreadableFileError, parse_file
from thv.stores.chunks.memory import MemoryChunkStore
from thv.stores.resources.memory import MemoryStore
from thv.sync.api import KnownApi
from thv.sync.reconcile import RegistryReconciler

ASKED = os.environ.get("THV_CASES", "200")
COUNT = 10_000 if ASKED == "all" else int(ASKED)
CHOSEN_SEED = int(os.environ.get("THV_SEED", SEED))

pytestmark = [pytest.mark.anyio, pytest.mark.flows]


class Machine:
    """A store, an engine over it, and time that passes from case to case."""

    def __init__(self, folder: Path) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.store = MemoryStore()
        self.concerns = Concerns()
        self.engine = Engine(
            self.store,
            MemoryChunkStore(),
            Places(
                mirrors=folder / "mirrors", selections=folder / "selections", git=folder / "git"
            ),
            Reach(allow=lambda: NOTHING, denied_hint="", fetch_backoff=0.0001),
            taxonomy=NO_TAXONOMY,
            clock=lambda: self.now,
        )
        self.reconciler = RegistryReconciler(self.store, self.engine.tools, api=KnownApi())

    async def apply(self, body: bytes) -> JsonObject | None:
        """As `thv apply` reads and sends it; None when it is refused, in words of ours."""
        try:
            value = parse_file("manifest.json", as_sent(body))
            obj = msgspec.json.decode(msgspec.json.encode(value), type=dict)
            return await self.store.apply(obj, manager="test", force=True)
        except (ThvError, UnreadableFileError, msgspec.ValidationError):
            return None

    async def looked_at(self, obj: JsonObject) -> JsonObject | None:
        """The registry after two looks at it; None when it went by itself."""
        key = (metadata_of(obj)["namespace"], metadata_of(obj)["name"])
        self.concerns.of_registry(obj, gone=False)
        for _ in range(2):
            self.now += timedelta(hours=1)
            await self.reconciler.reconcile(key)
        try:
            return await self.store.get(MCP_REGISTRY, *key)
        except ThvError:
            return None


def as_sent(body: bytes) -> bytes:
    """What is no text at all is left to the reader; what is, has no halves of characters."""
    try:
        text = json.dumps(json.loads(body), ensure_ascii=False, allow_nan=False)
    except (ValueError, RecursionError):
        return body
    return text.encode("utf-8", "replace")


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[Machine]:
    made = Machine(tmp_path)
    await made.apply(
        json.dumps({**json.loads(config_map(SHARED_CONTENT, good("a", "b")))}).encode()
    )
    yield made
    await made.engine.close()


@pytest.mark.requirement("SYN-02")
async def test_whatever_is_taken_is_told_and_nothing_breaks(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    told: Counter[str] = Counter()
    for number in range(COUNT):
        case = poison(number, seed=CHOSEN_SEED)
        obj = await _tried(machine, case)
        if obj is None:
            continue
        assert is_observed(obj) or is_leaving(obj), (str(case), obj)
        assert not list(wrong(obj)), (str(case), obj["status"])
        told[summary(obj)] += 1
    print(f"\n{COUNT} cases, {told.total()} taken: {dict(told.most_common())}")
    assert told.total() > COUNT // 5
    assert "Traceback" not in caplog.text


async def _tried(machine: Machine, case: Poison) -> JsonObject | None:
    if case.content is not None:
        await machine.apply(case.content)
    applied = await machine.apply(case.registry)
    return await machine.looked_at(applied) if applied is not None else None

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from thv.apps.kit.loop import Controller, Key

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("steps", range(6))
async def test_a_controller_that_is_woken_as_it_is_cancelled_ends(steps: int) -> None:
    async def reconcile(key: Key, *, source_changed: bool = False) -> datetime | None:
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

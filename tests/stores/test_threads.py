"""A connection is closed by one thread only once the other has let go of it."""

from __future__ import annotations

import asyncio
import sqlite3
import threading

import pytest

from thv.stores.threads import in_thread

pytestmark = pytest.mark.anyio
_ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"


async def test_what_the_work_comes_to_and_what_it_raises_arrives() -> None:
    assert await in_thread(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        await in_thread(divmod, 7, 0)


@pytest.mark.parametrize("times", [1, 2])
async def test_who_is_cancelled_interrupts_the_statement_and_waits_for_its_end(times: int) -> None:
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    begun, ended = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        try:
            connection.execute(_ENDLESS).fetchone()
        finally:
            ended.set()

    task = asyncio.ensure_future(in_thread(work, uses=connection))
    await asyncio.to_thread(begun.wait)
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()
    connection.close()

from __future__ import annotations

import asyncio

import pytest

from thv.apps.kit.remembered import Remembered

pytestmark = pytest.mark.anyio


class Oracle:
    """Counts what it is asked; a test moves its clock."""

    def __init__(self, *, most: int = 3) -> None:
        self.now = 0.0
        self.asked = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None
        self.remembered: Remembered[str, int] = Remembered(most, lambda: self.now)

    async def ask(self) -> tuple[int, float]:
        self.asked += 1
        number = self.asked
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return number, 8.0

    async def answer(self, key: str = "a") -> int:
        return await self.remembered.answer(key, self.ask)


async def test_an_answer_holds_for_its_seconds_from_when_it_was_asked_for() -> None:
    oracle = Oracle()
    oracle.gate.clear()
    asking = asyncio.ensure_future(oracle.answer())
    await asyncio.sleep(0)
    oracle.now = 5.0  # the answer takes its time
    oracle.gate.set()
    assert await asking == 1
    oracle.now = 7.9
    assert await oracle.answer() == 1
    oracle.now = 8.0
    assert await oracle.answer() == 2


async def test_many_who_ask_at_once_share_one_question() -> None:
    oracle = Oracle()
    assert await asyncio.gather(*(oracle.answer() for _ in range(50))) == [1] * 50
    assert oracle.asked == 1


async def test_an_error_is_shared_and_not_remembered() -> None:
    oracle = Oracle()
    oracle.error = RuntimeError("nobody knows")
    results = await asyncio.gather(*(oracle.answer() for _ in range(3)), return_exceptions=True)
    assert {str(result) for result in results} == {"nobody knows"}
    assert oracle.asked == 1
    oracle.error = None
    assert await oracle.answer() == 2


async def test_whoever_goes_away_does_not_take_the_answer_from_the_others() -> None:
    oracle = Oracle()
    oracle.gate.clear()
    first, second = (asyncio.ensure_future(oracle.answer()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    oracle.gate.set()
    assert await second == 1


async def test_what_was_asked_for_least_recently_is_forgotten_first() -> None:
    oracle = Oracle(most=2)
    for key in ("a", "b", "a", "c"):
        await oracle.answer(key)
    assert oracle.asked == 3
    await oracle.answer("a")
    assert oracle.asked == 3
    await oracle.answer("b")
    assert oracle.asked == 4

"""Answers that are remembered for some seconds, by a question that many ask at once.

In the flow: between a door and whoever decides for it, elsewhere, who somebody is and what that one may do.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeAlias, TypeVar

import msgspec

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Kept(msgspec.Struct, Generic[V], frozen=True, gc=False):
    """An answer, and until when it holds."""

    value: V
    until: float


Ask: TypeAlias = Callable[[], Awaitable[tuple[V, float]]]
"""Gives the answer, and for how many seconds it holds from when it was asked for."""


class Remembered(Generic[K, V]):
    """The answers of one process; the ones asked for least recently are forgotten first."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds that only grow."""
        self._most = most
        self._clock = clock
        self._kept: OrderedDict[K, Kept[V]] = OrderedDict()
        self._asking: dict[K, asyncio.Task[V]] = {}

    def recalled(self, key: K) -> V | None:
        """What is remembered, None for nothing."""
        kept = self.kept(key)
        return None if kept is None else kept.value

    def kept(self, key: K) -> Kept[V] | None:
        """What is remembered, with its end; None for nothing."""
        kept = self._kept.get(key)
        if kept is None or kept.until <= self._clock():
            return None
        self._kept.move_to_end(key)
        return kept

    def keep(self, key: K, kept: Kept[V]) -> None:
        """Remembers what was found out elsewhere."""
        self._kept[key] = kept
        self._kept.move_to_end(key)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)

    async def answer(self, key: K, ask: Ask[V]) -> V:
        """What is remembered, else what `ask` gives; whoever comes meanwhile shares it, errors included."""
        kept = self.kept(key)
        if kept is not None:
            return kept.value
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.ensure_future(self._asked(key, ask, self._clock()))
            task.add_done_callback(_noticed)
        # Whoever goes away does not take the answer from the others.
        return await asyncio.shield(task)

    async def _asked(self, key: K, ask: Ask[V], began: float) -> V:
        try:
            value, seconds = await ask()
            self.keep(key, Kept(value, began + seconds))
        finally:
            del self._asking[key]
        return value


def _noticed(task: asyncio.Task[V]) -> None:
    """An error that nobody waits for any more is no news."""
    if not task.cancelled():
        task.exception()

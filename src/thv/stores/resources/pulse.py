"""Wakes whoever waits for a change.

In the flow: a store beats after each of its own writes; watches wait. Where other processes write too, a poll
looks for their writes while somebody waits, and never otherwise.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Pulse:
    """A counter of changes that can be waited for."""

    def __init__(self, noticed: Callable[[], bool] | None = None, *, every: float = 0.1) -> None:
        """`noticed` says whether somebody else changed something; it is asked each `every` seconds."""
        self._noticed = noticed
        self._every = every
        self._beats = 0
        self._waiting: set[asyncio.Future[None]] = set()
        self._poller: asyncio.Task[None] | None = None

    @property
    def beats(self) -> int:
        """The changes so far; read it before looking for news, then wait beyond it."""
        return self._beats

    def beat(self) -> None:
        """Something changed."""
        self._beats += 1
        for future in self._waiting:
            if not future.done():
                future.set_result(None)

    async def beyond(self, beats: int) -> None:
        """Returns once there was a change after the first `beats`."""
        while self._beats <= beats:
            future = asyncio.get_running_loop().create_future()
            self._waiting.add(future)
            self._poll()
            try:
                await future
            finally:
                self._waiting.discard(future)

    def _poll(self) -> None:
        if self._noticed is not None and (self._poller is None or self._poller.done()):
            self._poller = asyncio.get_running_loop().create_task(self._polling(self._noticed))

    async def _polling(self, noticed: Callable[[], bool]) -> None:
        while self._waiting:
            await asyncio.sleep(self._every)
            if noticed():
                self.beat()

"""A queue of keys: each key at most once, with the moment before which it need not be looked at.

In the flow: between what notices that something may have changed, and the reconcilers. A pure value of its own:
time is passed in.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Hashable
from datetime import datetime, timedelta
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

BACKOFF_FIRST = timedelta(seconds=1)
BACKOFF_LIMIT = timedelta(minutes=5)


class WorkQueue(Generic[K]):
    """Keys that wait for their moment, and keys in work.

    A key that is added while it is in work comes back when that work is done.
    """

    def __init__(self, jitter: Callable[[], float] = random.random) -> None:
        self._jitter = jitter
        self._heap: list[tuple[datetime, int, K]] = []
        self._waiting: dict[K, datetime] = {}
        self._hinted: set[K] = set()
        self._working: set[K] = set()
        self._again: dict[K, datetime] = {}
        self._failures: dict[K, int] = {}
        self._counter = 0

    def add(self, key: K, at: datetime, *, hint: bool = False) -> None:
        """The key is due at this moment, or earlier if it was so before; a hint stays until it is taken."""
        if hint:
            self._hinted.add(key)
        if key in self._working:
            self._again[key] = min(at, self._again.get(key, at))
            return
        if key in self._waiting and self._waiting[key] <= at:
            return
        self._waiting[key] = at
        self._counter += 1
        heapq.heappush(self._heap, (at, self._counter, key))

    def take(self, now: datetime) -> tuple[K, bool] | None:
        """The key that is due longest, and whether it was hinted; it is in work from now on."""
        self._drop_stale()
        if not self._heap or self._heap[0][0] > now:
            return None
        _, _, key = heapq.heappop(self._heap)
        del self._waiting[key]
        self._working.add(key)
        hinted = key in self._hinted
        self._hinted.discard(key)
        return key, hinted

    def done(self, key: K, again: datetime | None = None) -> None:
        """The work on the key is done; it comes again at that moment, or when it is added."""
        self._failures.pop(key, None)
        self._leave(key, again)

    def failed(self, key: K, now: datetime) -> timedelta:
        """The work on the key failed; it comes again later each time. Returns the wait."""
        count = self._failures[key] = self._failures.get(key, 0) + 1
        steady = min(BACKOFF_FIRST * (1 << min(count - 1, 20)), BACKOFF_LIMIT)
        wait = steady * (0.75 + 0.5 * self._jitter())
        self._leave(key, now + wait)
        return wait

    def next_at(self) -> datetime | None:
        """When the next key is due."""
        self._drop_stale()
        return self._heap[0][0] if self._heap else None

    @property
    def working(self) -> int:
        """How many keys are in work."""
        return len(self._working)

    def _leave(self, key: K, again: datetime | None) -> None:
        self._working.discard(key)
        noticed = self._again.pop(key, None)
        moments = [moment for moment in (again, noticed) if moment is not None]
        if moments:
            self.add(key, min(moments))

    def _drop_stale(self) -> None:
        """The heap keeps entries of keys that meanwhile moved to an earlier moment."""
        while self._heap and self._waiting.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)

"""A queue of keys: each key at most once, with the moment before which it need not be looked at.

In the flow: between what notices that something may have changed, and the reconcilers. A pure value of its own:
time is passed in.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable, Collection, Hashable
from datetime import datetime, timedelta
from typing import Generic, NamedTuple, TypeVar

K = TypeVar("K", bound=Hashable)

BACKOFF_FIRST = timedelta(seconds=1)
BACKOFF_LIMIT = timedelta(minutes=5)
PASSING_LIMIT = timedelta(seconds=8)
"""For what passes by itself, so that all is well soon after."""


class _Place(NamedTuple):
    """Where a key waits."""

    at: datetime
    lane: str


class WorkQueue(Generic[K]):
    """Keys that wait for their moment, and keys in work.

    A key that is added while it is in work comes back when that work is done. Keys wait in lanes: those of one
    lane do not wait for those of another.
    """

    def __init__(
        self, jitter: Callable[[], float] = random.random, lane: Callable[[K], str] = lambda _: ""
    ) -> None:
        """`lane` is asked each time when a key is added."""
        self._jitter = jitter
        self._lane = lane
        self._heaps: dict[str, list[tuple[datetime, int, K]]] = {}
        self._waiting: dict[K, _Place] = {}
        self._hints: dict[K, set[str]] = {}
        self._working: dict[K, str] = {}
        self._again: dict[K, datetime] = {}
        self._failures: dict[K, int] = {}
        self._counter = 0

    def add(self, key: K, at: datetime, *, hint: str = "") -> None:
        """The key is due at this moment, or earlier if it was so before; hints stay until they are taken."""
        if hint:
            self._hints.setdefault(key, set()).add(hint)
        if key in self._working:
            self._again[key] = min(at, self._again.get(key, at))
            return
        before = self._waiting.get(key)
        place = _Place(min(at, before.at) if before else at, self._lane(key))
        if place == before:
            return
        self._waiting[key] = place
        self._counter += 1
        heap = self._heaps.setdefault(place.lane, [])
        heapq.heappush(heap, (place.at, self._counter, key))

    def take(self, now: datetime, *, full: Collection[str] = ()) -> tuple[K, frozenset[str]] | None:
        """The key that is due longest in a lane that is not full, and the hints that came with it.

        It is in work from now on.
        """
        lane = self._next_lane(full)
        if lane is None or self._heaps[lane][0][0] > now:
            return None
        _, _, key = heapq.heappop(self._heaps[lane])
        del self._waiting[key]
        self._working[key] = lane
        return key, frozenset(self._hints.pop(key, ()))

    def done(self, key: K, again: datetime | None = None) -> None:
        """The work on the key is done; it comes again at that moment, or when it is added."""
        self._failures.pop(key, None)
        self._leave(key, again)

    def failed(
        self,
        key: K,
        now: datetime,
        *,
        hints: Collection[str] = (),
        limit: timedelta = BACKOFF_LIMIT,
    ) -> timedelta:
        """The work on the key failed; it comes again later each time, up to a limit. Returns the wait.

        The hints that it was taken with come again too: nobody gives them twice.
        """
        self._hints.setdefault(key, set()).update(hints)
        count = self._failures[key] = self._failures.get(key, 0) + 1
        steady = min(BACKOFF_FIRST * (1 << min(count - 1, 20)), limit)
        wait = steady * (0.75 + 0.5 * self._jitter())
        self._leave(key, now + wait)
        return wait

    def next_at(self, *, full: Collection[str] = ()) -> datetime | None:
        """When the next key is due, of those whose lane is not full."""
        lane = self._next_lane(full)
        return None if lane is None else self._heaps[lane][0][0]

    def full(self, most: int) -> set[str]:
        """The lanes of which so many keys are in work."""
        return {lane for lane, count in Counter(self._working.values()).items() if count >= most}

    def _leave(self, key: K, again: datetime | None) -> None:
        self._working.pop(key, None)
        noticed = self._again.pop(key, None)
        moments = [moment for moment in (again, noticed) if moment is not None]
        if moments:
            self.add(key, min(moments))

    def _next_lane(self, full: Collection[str]) -> str | None:
        """The lane whose first key is due before those of all others."""
        for lane in self._heaps:
            self._drop_stale(lane)
        filled = (lane for lane, heap in self._heaps.items() if heap and lane not in full)
        return min(filled, key=lambda lane: self._heaps[lane][0][:2], default=None)

    def _drop_stale(self, lane: str) -> None:
        """A heap keeps entries of keys that meanwhile moved to an earlier moment, or to another lane."""
        heap = self._heaps[lane]
        while heap and self._waiting.get(heap[0][2]) != (heap[0][0], lane):
            heapq.heappop(heap)

"""What was computed lately, as far as it fits.

In the flow: results and pages of all models of a process share one bounded cache; its keys name the generation,
so nothing in it is ever wrong, only unused.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Any


class Cache:
    """Keeps the values used last, up to a number of bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self.size = 0

    def get(self, key: Hashable) -> Any:
        """The value, or None."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        return entry[0]

    def put(self, key: Hashable, value: Any, size: int) -> None:
        """Keeps a value of about this many bytes; one that is larger than half of the cache is not kept."""
        if size > self._limit // 2:
            return
        old = self._entries.pop(key, None)
        self._entries[key] = (value, size)
        self.size += size - (old[1] if old else 0)
        while self.size > self._limit:
            _, (_, freed) = self._entries.popitem(last=False)
            self.size -= freed

    def __len__(self) -> int:
        return len(self._entries)

"""Things that are open: those in use, and a few that were used last.

In the flow: under the mirrors and selections of a process. A thousand registries have two files each; what is open
costs memory and file descriptors, and opening costs less than a millisecond.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, Protocol, TypeVar


class Closable(Protocol):
    """Something that can be let go of."""

    def close(self) -> None: ...


T = TypeVar("T", bound=Closable)


class Shelf(Generic[T]):
    """Opens things by key and closes those that were not used for longest."""

    def __init__(self, make: Callable[[str], T], most: int | None) -> None:
        """`most` is how many stay open without being in use; None: all of them."""
        self._make = make
        self._most = most
        self._open: OrderedDict[str, T] = OrderedDict()
        self._users: Counter[str] = Counter()

    def open(self, key: str) -> T:
        """The thing of that key, open until the shelf is closed."""
        self._users[key] += 1
        if key not in self._open:
            self._open[key] = self._make(key)
        self._open.move_to_end(key)
        return self._open[key]

    @contextmanager
    def using(self, key: str) -> Iterator[T]:
        """The thing of that key, open as long as the context lasts."""
        try:
            yield self.open(key)
        finally:
            self._users[key] -= 1
            if not self._users[key]:
                del self._users[key]
            self._tidy()

    def keys(self) -> set[str]:
        """What is open."""
        return set(self._open)

    def in_use(self) -> set[str]:
        """What somebody uses now."""
        return set(self._users)

    def drop(self, key: str) -> None:
        """Closes one, whoever uses it."""
        found = self._open.pop(key, None)
        if found is not None:
            found.close()

    def close(self) -> None:
        """Closes all of them."""
        while self._open:
            self._open.popitem()[1].close()

    def _tidy(self) -> None:
        idle = [key for key in self._open if key not in self._users]
        excess = 0 if self._most is None else len(idle) - self._most
        for key in idle[: max(excess, 0)]:
            self.drop(key)

"""A store in front of a process that ends at a write of a test's choice."""

from __future__ import annotations

from typing import Any

from thv.stores.resources.base import ResourceStore


class KilledError(BaseException):
    """The process ended here."""


class Mortal:
    """A store in front of which the process ends at a write, before it or right after it."""

    def __init__(self, store: ResourceStore, writes: int = 1_000, *, after: bool = False) -> None:
        self._store, self._left, self._after = store, writes, after
        self.written: list[str] = []

    def __getattr__(self, name: str) -> Any:
        verb = getattr(self._store, name)
        if name not in ("create", "replace", "delete", "merge"):
            return verb

        async def write(*args: Any, **options: Any) -> Any:
            if options.get("dry_run"):
                return await verb(*args, **options)
            self.written.append(name)
            self._left -= 1
            if self._left < 0 and not self._after:
                raise KilledError
            done = await verb(*args, **options)
            if self._left < 0:
                raise KilledError
            return done

        return write

"""The open models of a process, of which it keeps a bounded number.

In the flow: a door with a thousand registries asks here for the model of one; what was not asked for lately is
closed, because each open model costs files and memory.
"""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from pathlib import Path

from thv.stores.models.cache import Cache
from thv.stores.models.view import Model


class Pool:
    """Models by their folder."""

    def __init__(self, cache: Cache, most: int = 64) -> None:
        """`cache` is shared by all; `most` are open at a time."""
        self._cache = cache
        self._most = most
        self._open: OrderedDict[Path, Model] = OrderedDict()

    def model(self, path: Path) -> Model | None:
        """The current model in a folder; None when there is none that can be read."""
        found = self._open.get(path)
        if found is not None:
            self._open.move_to_end(path)
            return found
        try:
            found = Model.open(path, self._cache)
        except sqlite3.Error:
            return None
        if found is not None:
            self._open[path] = found
            if len(self._open) > self._most:
                # It closes itself when the last one lets go of it.
                self._open.popitem(last=False)
        return found

    def forget(self, path: Path) -> Model | None:
        """Takes a model out, because its folder holds another one now; the caller may go on with it."""
        return self._open.pop(path, None)

    def refresh(self, path: Path) -> None:
        """Another generation of the same model is current."""
        found = self._open.get(path)
        if found is not None:
            found.refresh()

"""The most memory that a process and all that it starts had at once."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

_EVERY = 0.05


class Peak:
    """Looks twenty times a second; megabytes, what processes share counted in part."""

    def __init__(self, pid: Callable[[], int]) -> None:
        """`pid` is asked each time, as a process may begin again."""
        self.most = 0.0
        self._pid = pid
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def now(self) -> float:
        return sum(_pss(pid) for pid in _tree(self._pid()))

    def _look(self) -> None:
        while not self._end.wait(_EVERY):
            self.most = max(self.most, self.now())


def _tree(pid: int) -> Iterator[int]:
    yield pid
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from _tree(int(child))


def _pss(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1000 for line in lines if line.startswith("Pss:")), 0.0)

"""The line that moves while a long sync runs; only at a terminal.

In the flow: told by the engine after each batch, drawn at most ten times a second, gone before anything else is
written.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from thv.apps.cli.console import Console
from thv.apps.cli.output import took
from thv.domain.registry_status import RegistryStatus
from thv.sync.fetch import Progress

PATIENCE = 0.3
"""Seconds before anything is drawn: most syncs are over by then."""
EVERY = 0.1
_BAR = 24
_WAITED_FOR = 2.0


def so_far(status: RegistryStatus) -> Progress:
    """What an operator tells in the status of a registry while it reads a long source."""
    told = status.sync_status.progress
    return Progress(pages=told.pages, entries=told.entries) if told else Progress()


class ProgressLine:
    """Draws how far one sync has come."""

    def __init__(
        self, console: Console, title: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = console
        self._title = title
        self._clock = clock
        self._began = self._drawn = clock()
        self._shown = False
        self._last: Progress | None = None
        self._doing = ""
        self.fetched_in = 0.0
        """Seconds until the last batch came."""
        self.entries = 0
        """Entries of pages, of which an incremental sync reads few; a document is always read whole."""

    def report(self, progress: Progress) -> None:
        """Takes note; draws when it is time."""
        now = self._clock()
        self._last = progress
        self.fetched_in = now - self._began
        self.entries = progress.entries if progress.pages else 0
        self._draw(now)

    def begin(self, doing: str) -> None:
        """What is done after everything was fetched."""
        self._doing = doing
        self._draw(self._clock())

    def tick(self) -> None:
        """Time goes by, also where nothing comes."""
        self._draw(self._clock())

    def clear(self) -> None:
        """Takes the line away."""
        if self._shown:
            self._console.err.write("\r\x1b[K")
            self._console.err.flush()
            self._shown = False

    def _draw(self, now: float) -> None:
        moves = self._console.moves and not self._console.quiet
        if moves and now - self._began >= PATIENCE and now - self._drawn >= EVERY:
            self._drawn, self._shown = now, True
            self._console.err.write("\r\x1b[K" + self._line(self._last, now - self._began))
            self._console.err.flush()

    def _line(self, progress: Progress | None, elapsed: float) -> str:
        sign = self._console.mark("wait")
        if self._doing or progress is None:
            doing = self._doing or "waiting for an answer"
            return f"{sign} {self._title}: {doing}  {took(elapsed)}"
        count = f"{progress.entries:,}"
        if progress.total:
            count += f" of {progress.total:,}"
        line = f"{sign} {self._title}: {count} entries"
        if progress.done is None:
            return f"{line}  {took(elapsed)}"
        full, empty = ("█", "░") if self._console.unicode else ("#", ".")
        filled = round(progress.done * _BAR)
        bar = full * filled + empty * (_BAR - filled)
        line = f"{line}  {bar} {progress.done:4.0%}"
        if elapsed >= _WAITED_FOR and progress.done > 0:
            line += f"  {took(elapsed / progress.done - elapsed)} left"
        return line

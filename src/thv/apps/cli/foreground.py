"""Synchronizes in this process: the engine over the data folder, while no other process keeps it in sync.

In the flow: imported by `syncing` only once this process is the one that has to fetch.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from thv.apps.cli.engine import Engine, engine_settings
from thv.apps.cli.progress import EVERY, ProgressLine
from thv.apps.cli.reading import open_book
from thv.apps.cli.registries import Shelf, again
from thv.apps.cli.session import Session
from thv.domain.errors import ThvError
from thv.domain.registry import Registry
from thv.sync.fetch import Progress


class Foreground:
    """An engine that tells one line how far it is."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._line: ProgressLine | None = None
        self._engine = Engine(
            session.local,
            engine_settings(session.settings, session.common.around.environ),
            watcher=self._watched,
        )

    async def sync(self, shelf: Shelf, line: ProgressLine) -> Shelf:
        """Does what was requested; the registry after it, with its read model in step."""
        self._line = line
        ticking = asyncio.ensure_future(_tick(line))
        try:
            await self._engine.reconciler.reconcile((shelf.namespace, shelf.name))
            after = await again(shelf)
            line.begin("preparing the search")
            with suppress(ThvError):  # who reads it next makes it, and says what is wrong
                await open_book(self._session, after)
            return after
        finally:
            ticking.cancel()
            line.clear()
            self._line = None

    async def close(self) -> None:
        """Lets go of connections and files."""
        await self._engine.close()

    def _watched(self, _registry: Registry, progress: Progress) -> None:
        if self._line is not None:
            self._line.report(progress)


async def _tick(line: ProgressLine) -> None:
    while True:
        await asyncio.sleep(EVERY)
        line.tick()

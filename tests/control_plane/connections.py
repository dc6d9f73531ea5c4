"""The connections of a listener, which end with it.

asyncio's own tasks for them tell a traceback when they are cancelled, and nobody but the end of the loop does that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

Serve: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


class Connections:
    """Those that are open; nothing else holds one that its client has finished."""

    def __init__(self) -> None:
        self._open: set[asyncio.Task[None]] = set()

    def served_by(
        self, serve: Serve
    ) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]:
        """What `asyncio.start_server` calls for each."""

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.get_running_loop().create_task(serve(reader, writer))
            self._open.add(task)
            task.add_done_callback(self._open.discard)
            # A task that is cancelled before its first step closes nothing by itself.
            task.add_done_callback(lambda _: writer.close())

        return accept

    async def close(self) -> None:
        """Ends them all."""
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

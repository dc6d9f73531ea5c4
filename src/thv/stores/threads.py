"""Work in a thread that nobody outlives: who is cancelled first waits until the thread has let go of everything.

In the flow: what takes long in SQLite or on disk, which let go of the interpreter, while others want their answers. A
connection that is closed under a statement takes the process down, and a folder that is removed under a swap may be the
one that readers are sent to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, TypeVar, TypeVarTuple

_T = TypeVar("_T")
_Arguments = TypeVarTuple("_Arguments")

_PAUSE = 0.05
"""Seconds until a statement that began after an interrupt is interrupted, too."""


class Interruptible(Protocol):
    """What work can be called off at, such as a connection of SQLite."""

    def interrupt(self) -> None:
        """Ends what it is doing now."""
        ...


async def in_thread(
    work: Callable[[*_Arguments], _T],
    *arguments: *_Arguments,
    uses: Interruptible | None = None,
) -> _T:
    """What the work comes to; `uses` is the connection whose statements end early when this is cancelled."""
    task = asyncio.ensure_future(asyncio.to_thread(work, *arguments))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            if uses is not None:
                uses.interrupt()
            with suppress(asyncio.CancelledError):  # who asks twice waits as well
                await asyncio.wait({task}, timeout=_PAUSE)
        if not task.cancelled():
            task.exception()  # nobody is left whom it concerns
        raise

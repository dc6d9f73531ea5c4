"""How the C library hands out memory to this process.

In the flow: set once when a server starts, settled once everything is imported. A page is a few buffers of some hundred kilobytes; by default each
of them is mapped and given back for every request, which takes longer than everything else that is done for it.
Where the C library has no such settings, nothing happens.
"""

from __future__ import annotations

import ctypes
import gc

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_BUFFER = 4 << 20
_KEPT = 8 << 20


def keep_buffers() -> None:
    """Buffers up to 4 MiB come from the heap, and up to 8 MiB of it stay when they are free."""
    _call("mallopt", _MMAP_THRESHOLD, _BUFFER)
    _call("mallopt", _TRIM_THRESHOLD, _KEPT)


def settle() -> None:
    """What was made so far stays until the end, and is looked through for cycles no more.

    Else every thirtieth page of a thousand rows waits 40 ms for a look at all that was imported.
    """
    gc.collect()
    gc.freeze()


def release() -> None:
    """Gives back what is free, after something that took much for once."""
    _call("malloc_trim", 0)


def _call(name: str, *arguments: int) -> None:
    function = getattr(ctypes.CDLL(None), name, None)
    if function is not None:
        function(*arguments)

"""Lets Ctrl-C end work that never waits.

In the flow: around the long loops of commands on files. An event loop takes the signal for itself and would only
tell a task that waits; these loops read and write without ever waiting.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interruptible() -> Iterator[None]:
    """Raises KeyboardInterrupt at once; what is half written is removed on the way out."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)

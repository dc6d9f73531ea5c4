"""Waiting for programs: as long as it takes, but not for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 60.0
"""Seconds; machines of CI are slow."""


def until(look: Callable[[], T | None], patience: float = PATIENCE) -> T:
    """What `look` sees as soon as it is something."""
    deadline = time.monotonic() + patience
    while not (seen := look()):
        assert time.monotonic() < deadline, f"nothing came within {patience:.0f} s"
        threading.Event().wait(0.02)
    return seen

"""Says what happens again and again only now and then.

In the flow: before a line of the log about something outside that is away.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable


class Sparing:
    """One matter."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        """It is said at most once in so many seconds."""
        self._seconds = seconds
        self._clock = clock
        self._said = -math.inf

    def is_due(self) -> bool:
        """Whether to say it now."""
        now = self._clock()
        if now - self._said < self._seconds:
            return False
        self._said = now
        return True

"""Links that were given for a token, until they are opened.

In the flow: a command shows a token for a link and opens it in a browser. They are known to this process alone, which is the
one that the command talks to.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

SECONDS = 60.0
"""How long a link is good: a browser opens it at once."""
MOST = 1000
"""Links that wait to be opened."""


class Issued:
    """Codes with what they stand for."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._kept: dict[str, tuple[str, float]] = {}

    def make(self, token: str) -> str:
        """A code for it; those that are too old go, and the oldest when there are too many."""
        now = self._now()
        self._kept = {code: each for code, each in self._kept.items() if each[1] > now}
        while len(self._kept) >= MOST:
            del self._kept[next(iter(self._kept))]
        code = secrets.token_urlsafe(32)
        self._kept[code] = (token, now + SECONDS)
        return code

    def take(self, code: str) -> str:
        """The token, `""` for none; it stands for none afterwards."""
        token, ends = self._kept.pop(code, ("", 0.0))
        return token if ends > self._now() else ""

"""Codes of one use that whoever owns a folder gives to whoever serves it.

In the flow: a process makes some when it begins, a command makes more for it; who shows one to the process is the owner of
the folder. Nothing goes over a network: a folder that only its owner may write in is the proof.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path

SECONDS = 300.0
"""How long a code is good."""


class Codes:
    """Those of one folder, kept by their digests."""

    def __init__(self, folder: Path, now: Callable[[], float] = time.time) -> None:
        """`now` is in Unix seconds."""
        self._folder = folder
        self._now = now

    def make(self) -> str:
        """A code; those that are too old go."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for each in self._folder.iterdir():
            if not self._is_young(each):
                each.unlink(missing_ok=True)
        code = secrets.token_urlsafe(32)
        place, now = self._place(code), self._now()
        place.touch(mode=0o600)
        os.utime(place, (now, now))
        return code

    def take(self, code: str) -> bool:
        """Whether it is good, which it is no more afterwards."""
        place = self._place(code)
        is_good = self._is_young(place)
        try:
            place.unlink()  # of two who come at once one succeeds
        except OSError:
            return False
        return is_good

    def _place(self, code: str) -> Path:
        return self._folder / hashlib.sha256(code.encode()).hexdigest()

    def _is_young(self, place: Path) -> bool:
        try:
            return 0 <= self._now() - place.stat().st_mtime <= SECONDS
        except OSError:
            return False

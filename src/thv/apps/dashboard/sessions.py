"""Who is signed in: the token stays here, the browser gets a number.

In the flow: `desk` asks for each page. Visitors have numbers too, of another kind, which are good for telling their forms
from those of others and for nothing else.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

import msgspec

LONGEST = 8 * 3600.0
IDLE = 3600.0
MOST_OF_ONE = 10
"""Sessions of one person: whoever signs in once more ends the own one that was idle longest, and none of others."""
_MOST = 10_000
"""Sessions of one process; the one that was idle longest ends."""


class Session(msgspec.Struct, frozen=True):
    """Somebody who is signed in."""

    token: str
    user: str
    began: float
    seen: float
    """Both in Unix seconds."""
    token_ends: float = 0.0
    """When its token ends, 0 where nobody said so at the beginning."""

    @property
    def ends(self) -> float:
        """When it ends unless somebody is seen before."""
        ends = min(self.began + LONGEST, self.seen + IDLE)
        return min(ends, self.token_ends) if self.token_ends else ends

    def has_ended(self, now: float) -> bool:
        """Whether it is too old, or was left, or its token ended."""
        return now > self.ends


class Sessions(Protocol):
    """Where sessions are kept."""

    async def find(self, number: str, /) -> Session | None:
        """The session of a number, which is seen now; None where there is none any more."""
        ...

    async def begin(self, token: str, user: str, token_ends: float = 0.0, /) -> str:
        """Its number; `token_ends` is in Unix seconds, 0 where that is not known."""
        ...

    async def end(self, number: str, /) -> None:
        """There is none afterwards."""
        ...


_OF_SESSION, _OF_VISITOR = "s", "v"
_NUMBER = re.compile(r"[sv][A-Za-z0-9_-]{43}", re.ASCII)


def is_number(text: str) -> bool:
    """Whether it may be one."""
    return _NUMBER.fullmatch(text) is not None


def is_of_session(number: str) -> bool:
    """Whether it was given to somebody who signed in: where there is no such session any more, it has ended."""
    return number.startswith(_OF_SESSION)


def visitors_number() -> str:
    """A number for somebody who is not signed in."""
    return _OF_VISITOR + secrets.token_urlsafe(32)


def new_number() -> str:
    """A number of a session, which nobody guesses."""
    return _OF_SESSION + secrets.token_urlsafe(32)


class MemorySessions:
    """Those of one process."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._kept: OrderedDict[bytes, Session] = OrderedDict()
        """By the digest of the number: whoever reads memory learns none that is good."""

    async def find(self, number: str) -> Session | None:
        key, now = _key(number), self._now()
        found = self._kept.pop(key, None)
        if found is None or found.has_ended(now):
            return None
        self._kept[key] = msgspec.structs.replace(found, seen=now)
        return found

    async def begin(self, token: str, user: str, token_ends: float = 0.0) -> str:
        number, now = new_number(), self._now()
        own = [key for key, each in self._kept.items() if each.user == user]
        for key in own[: max(0, len(own) + 1 - MOST_OF_ONE)]:
            del self._kept[key]
        self._kept[_key(number)] = Session(token, user, now, now, token_ends)
        self._clear(now)
        return number

    def _clear(self, now: float) -> None:
        """Ends those that are too many or too old: also the one that has just begun, whose token may have ended."""
        while self._kept:
            oldest = next(iter(self._kept.values()))
            if len(self._kept) <= _MOST and not oldest.has_ended(now):
                return
            self._kept.popitem(last=False)

    async def end(self, number: str) -> None:
        self._kept.pop(_key(number), None)


def _key(number: str) -> bytes:
    return hashlib.sha256(number.encode()).digest()

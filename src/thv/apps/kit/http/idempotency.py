"""Requests that are sent twice because nobody knows whether the first one arrived.

In the flow: around what a handler does once it has read a body. The answers of one process, for a day: whoever is
answered by another process is told by what the first request made.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import msgspec

from thv.apps.kit.http.message import Answer, Request
from thv.apps.kit.http.problems import Culprit, ProblemError, Word

KEPT_FOR = 24 * 3600.0
MOST, MOST_BYTES = 1_000, 8 << 20
_KEY = re.compile(r"[\x21-\x7e]{1,64}")
_REPLAYED = (b"idempotency-replayed", b"true")
Key: TypeAlias = tuple[str, str, str]
"""Caller, what is asked for, and the key of the header."""


class _Kept(msgspec.Struct):
    """What became of a key."""

    content: str
    """Digest of the body."""
    began: float
    answer: Answer | None = None
    """None while it is being made."""

    @property
    def size(self) -> int:
        body = self.answer.body if self.answer else b""
        return len(body) if isinstance(body, bytes) else 0


class Idempotency:
    """Remembers answers by caller, what is asked for, and key; the oldest are forgotten first."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()
        self._bytes = 0
        self._working: set[asyncio.Task[Answer]] = set()

    async def once(
        self,
        request: Request,
        *,
        caller: str,
        content: str,
        make: Callable[[], Awaitable[Answer]],
    ) -> Answer:
        """What `make` answers, or answered to the same request before; raises ProblemError for another one.

        `content` is a digest of the body. Failures of ours are not remembered.
        """
        given = request.header(b"idempotency-key")
        if not given:
            return await make()
        if not _KEY.fullmatch(given):
            culprit = Culprit(
                "must have 1 to 64 visible characters", "header.idempotency-key", given
            )
            message = "Idempotency-Key must have 1 to 64 visible characters."
            raise ProblemError(Word.INVALID_REQUEST, message, culprits=[culprit])
        self._forget()
        key = (caller, _what(request), given)
        known = self._kept.get(key)
        if known is not None:
            return _replayed(known, content, given)
        kept = self._kept[key] = _Kept(content, self._clock())
        # A client that gave up is the one that sends the key again: what it began goes on without it.
        task = asyncio.ensure_future(self._made(key, kept, make))
        self._working.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    async def _made(self, key: Key, kept: _Kept, make: Callable[[], Awaitable[Answer]]) -> Answer:
        try:
            answer = await make()
        except BaseException:
            del self._kept[key]
            raise
        kept.answer = answer
        self._bytes += kept.size
        return answer

    def _ended(self, task: asyncio.Task[Answer]) -> None:
        """An error that nobody waits for any more is no news."""
        self._working.discard(task)
        if not task.cancelled():
            task.exception()

    def _forget(self) -> None:
        while self._kept:
            key, oldest = next(iter(self._kept.items()))
            is_old = oldest.began < self._clock() - KEPT_FOR
            if not (is_old or len(self._kept) >= MOST or self._bytes > MOST_BYTES):
                return
            if oldest.answer is None:
                return
            self._bytes -= oldest.size
            del self._kept[key]


def _what(request: Request) -> str:
    """What is asked for, parameters included."""
    return f"{request.method} {request.path.decode('latin-1')}?{request.query.decode('latin-1')}"


def _replayed(known: _Kept, content: str, key: str) -> Answer:
    if known.content != content:
        raise ProblemError(
            Word.IDEMPOTENCY_KEY_REUSED,
            "This Idempotency-Key was sent with another body before.",
            field="Idempotency-Key",
            value=key,
            hint="Make another key for another request.",
        )
    if known.answer is None:
        raise ProblemError(
            Word.IDEMPOTENCY_IN_FLIGHT, "The first request is still being answered.", retry_after=1
        )
    return known.answer.with_headers([_REPLAYED])

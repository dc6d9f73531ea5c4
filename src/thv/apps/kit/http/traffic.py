"""What all connections of a server may cost together, and whose turn it is.

In the flow: each connection tells what it is doing; the server's tick ends those that do it for too long. A connection
that waits for nothing of ours costs some kilobytes, one that does not read what it asked for costs that answer: both
give way, the oldest first, before others are kept waiting.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

import msgspec

_SLICE = 64
"""Requests that are answered before the event loop looks at other things."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a process its clients may have."""

    connections: int = 12_000
    """Open at once; beyond, the one that was idle for longest is closed."""
    at_once: int = 512
    """Answers that wait for somebody else, such as the cluster's API server."""
    followers: int = 512
    """Answers that wait until something happens: they take no turn from those that are answered soon."""
    patience: float = 2.0
    """Seconds that a request waits for its turn before it is told to come again."""
    head: float = 10.0
    """Seconds from the first byte of a request to the last one of its head."""
    idle: float = 75.0
    """Seconds between two requests."""
    stall: float = 30.0
    """Seconds that a client may take to read anything at all of an answer."""
    unread: int = 24 << 20
    """Bytes of answers that clients have not read yet."""


class Peer(Protocol):
    """A connection, as it is seen from here."""

    @property
    def unread(self) -> int:
        """Bytes of answers that the client has not taken yet."""
        ...

    def take_turn(self, *, shed: bool) -> None:
        """Answers its next request, or says that there is no time for it."""
        ...

    def expire(self) -> None:
        """It was idle for too long, or did not finish a request."""
        ...

    def abort(self) -> None:
        """It does not read."""
        ...


class Traffic:
    """The connections of one server."""

    def __init__(
        self, limits: Limits | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.limits = limits or Limits()
        self.clock = clock
        self.is_ending = False
        """Whether every answer is the last one of its connection."""
        self.open = 0
        """Answers that wait for somebody else."""
        self._following = 0
        # The oldest come first in each: whoever does something anew is put in again.
        self._idle: dict[Peer, float] = {}
        self._asking: dict[Peer, float] = {}
        self._stalled: dict[Peer, tuple[float, int]] = {}
        self._unread = 0
        self._waiting: deque[tuple[Peer, float]] = deque()
        self._is_running = False

    # ------------------------------------------------------------ what connections do

    def is_idle(self, peer: Peer) -> None:
        """It is open, and nobody waits."""
        self._asking.pop(peer, None)
        self._idle[peer] = self.clock()

    def is_asking(self, peer: Peer) -> None:
        """Some bytes of a request came; the first ones count."""
        self._idle.pop(peer, None)
        self._asking.setdefault(peer, self.clock())

    def is_waiting(self, peer: Peer) -> None:
        """It has a request, and waits for its turn."""
        self._asking.pop(peer, None)
        self._idle.pop(peer, None)
        self._waiting.append((peer, self.clock()))
        self._run_soon()

    def is_stalled(self, peer: Peer, unread: int) -> None:
        """It reads more slowly than we write: so much is left."""
        self.reads_on(peer)
        self._stalled[peer] = (self.clock(), unread)
        self._unread += unread
        while self._unread > self.limits.unread and len(self._stalled) > 1:
            self._abort_oldest()

    def reads_on(self, peer: Peer) -> None:
        """Nothing is left, or the connection is gone."""
        _, unread = self._stalled.pop(peer, (0.0, 0))
        self._unread -= unread

    def is_new(self, peer: Peer, connections: int) -> None:
        """One of so many; an idle one has to go where there are too many."""
        if connections > self.limits.connections:
            for oldest in self._idle:
                self._idle.pop(oldest)
                oldest.expire()
                break
        self.is_idle(peer)

    def is_gone(self, peer: Peer) -> None:
        """The connection ended."""
        self._idle.pop(peer, None)
        self._asking.pop(peer, None)
        self.reads_on(peer)

    # ------------------------------------------------------------ turns

    def began(self) -> None:
        """An answer waits for somebody else."""
        self.open += 1

    def ended(self) -> None:
        """It does so no longer."""
        self.open -= 1
        self._run_soon()

    def follow(self) -> bool:
        """One more answer waits until something happens; False where too many do."""
        if self._following >= self.limits.followers:
            return False
        self._following += 1
        return True

    def follows_no_more(self) -> None:
        """It does so no longer."""
        self._following -= 1

    def _run_soon(self) -> None:
        if self._waiting and not self._is_running and self.open < self.limits.at_once:
            self._is_running = True
            asyncio.get_running_loop().call_soon(self._run)

    def _run(self) -> None:
        self._is_running = False
        limits, latest = self.limits, self.clock() - self.limits.patience
        for _ in range(min(_SLICE, len(self._waiting))):
            if self.open >= limits.at_once:
                return
            peer, since = self._waiting.popleft()
            peer.take_turn(shed=since < latest)
        self._run_soon()

    # ------------------------------------------------------------ time

    def sweep(self) -> None:
        """Ends what takes too long; called some times a second."""
        now, limits = self.clock(), self.limits
        self._expire(self._idle, now - limits.idle)
        self._expire(self._asking, now - limits.head)
        self._abort_stalled(now)
        while self._waiting and self._waiting[0][1] < now - limits.patience:
            self._waiting.popleft()[0].take_turn(shed=True)

    @staticmethod
    def _expire(peers: dict[Peer, float], latest: float) -> None:
        while peers:
            peer, since = next(iter(peers.items()))
            if since >= latest:
                return
            del peers[peer]
            peer.expire()

    def _abort_stalled(self, now: float) -> None:
        """Whoever read a little gets as much time again."""
        while self._stalled:
            peer, (since, unread) = next(iter(self._stalled.items()))
            if since >= now - self.limits.stall:
                return
            if peer.unread < unread:
                self.is_stalled(peer, peer.unread)
            else:
                self._abort_oldest()

    def _abort_oldest(self) -> None:
        peer = next(iter(self._stalled))
        self.reads_on(peer)
        peer.abort()

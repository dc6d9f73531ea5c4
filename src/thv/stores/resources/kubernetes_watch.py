"""A watch that lasts longer than its connections.

In the flow: between the client, whose watches end, and the callers of the store, whose watches do not. It goes on
from the last version it has seen, bookmarks included; only a version that is too old, a refusal, or an API server
that stays away is told.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import msgspec

from thv.clients.kube.client import KubeClient
from thv.clients.kube.errors import UNREADABLE, KubeError, KubeUnreachableError
from thv.domain.canonical import JsonObject
from thv.stores.resources.base import EventType, WatchEvent
from thv.stores.resources.kubernetes_errors import What, translated


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """When to try again, and when to give up; seconds."""

    first: float = 0.25
    longest: float = 2.0
    away: float = 30.0
    """Without any answer for so long, the API server counts as away."""
    idle: float = 90.0
    """A connection that brings nothing for so long is dead; bookmarks come about once a minute."""


class Watching(msgspec.Struct, frozen=True, kw_only=True):
    """What is watched, and how."""

    what: What
    path: str
    query: dict[str, str]
    accept: str
    shaped: Callable[[JsonObject], JsonObject]
    """Gives an object of the wire its kind."""


class _Silence:
    """How long the server gives no answer, and how long to wait before asking again."""

    def __init__(self, patience: Patience, clock: Callable[[], float]) -> None:
        self._patience = patience
        self._clock = clock
        self._failing_since: float | None = None
        self._pause = 0.0

    def answered(self) -> None:
        """The server has opened a watch."""
        self._failing_since = None

    def told(self) -> None:
        """An event came; one that ends without any is not asked for again at once."""
        self._pause = 0.0

    def is_too_long(self) -> bool:
        """Told of a failure: whether there was nothing else for too long."""
        now = self._clock()
        if self._failing_since is None:
            self._failing_since = now
        return now - self._failing_since >= self._patience.away

    def next_pause(self, asked: float | None = None) -> float:
        """At once after an event, then later each time; the other side may ask for more."""
        pause = self._pause * random.uniform(0.5, 1.0)  # noqa: S311 # no secret
        doubled = max(self._pause * 2, self._patience.first)
        self._pause = min(doubled, self._patience.longest)
        return max(pause, min(asked or 0.0, self._patience.away))


async def lasting_watch(
    client: KubeClient,
    watching: Watching,
    since: str,
    patience: Patience,
    closing: asyncio.Event,
) -> AsyncGenerator[WatchEvent, None]:
    """Every event after `since`; ends by raising alone."""
    silence = _Silence(patience, asyncio.get_running_loop().time)
    version, asked = since, None
    while True:
        query = {**watching.query, "resourceVersion": version}
        try:
            watch = client.watch(
                watching.path,
                query=query,
                idle=patience.idle,
                accept=watching.accept,
                opened=silence.answered,
            )
            async with aclosing(watch) as told:
                async for each in told:
                    event = _event(each, watching)
                    version = event.resource_version or version
                    silence.told()
                    yield event
            asked = None
        except (KubeError, KubeUnreachableError) as error:
            if closing.is_set() or not _passes(error) or silence.is_too_long():
                with translated(watching.what):
                    raise
            asked = getattr(error, "retry_after", None)
        await _wait(closing, silence.next_pause(asked))


def _passes(error: KubeError | KubeUnreachableError) -> bool:
    """Whether the same question may be answered a little later."""
    if isinstance(error, KubeUnreachableError):
        return True
    return error.reason != UNREADABLE and (error.status == 429 or error.status >= 500)


def _event(told: JsonObject, watching: Watching) -> WatchEvent:
    try:
        return WatchEvent(EventType(told["type"]), watching.shaped(told["object"]))
    except (KeyError, TypeError, ValueError) as error:
        raise KubeError(
            f'a watch told an event of the type "{told.get("type")}"',
            status=200,
            reason=UNREADABLE,
        ) from error


async def _wait(closing: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await closing.wait()
    except TimeoutError:
        return

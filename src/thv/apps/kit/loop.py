"""The reconcile loop: watches feed a queue, workers take from it.

In the flow: runs the reconcilers in every shape of the product. It knows no kind and no store; who wires it says
what is watched and which keys an event concerns.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from datetime import datetime
from typing import Protocol, TypeAlias

from thv.apps.kit.queue import WorkQueue
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.domain.resources import Kind
from thv.stores.resources.base import ResourceStore

log = logging.getLogger(__name__)

Key: TypeAlias = tuple[str, str]
"""Namespace and name."""


class Reconcile(Protocol):
    """One reconciler: does what is due for a key and says when to come again."""

    def __call__(self, key: Key, *, source_changed: bool = False) -> Awaitable[datetime | None]: ...


class Controller:
    """Runs one reconciler over a queue of keys, some at a time, never two for one key."""

    def __init__(
        self, reconcile: Reconcile, clock: Callable[[], datetime], *, workers: int = 4
    ) -> None:
        self._reconcile = reconcile
        self._clock = clock
        self._workers = workers
        self._queue: WorkQueue[Key] = WorkQueue()
        self._woken = asyncio.Event()

    def enqueue(self, key: Key, *, hint: bool = False) -> None:
        """Something about this key may have changed; `hint` passes on that its source seems to be new."""
        self._queue.add(key, self._clock(), hint=hint)
        self._woken.set()

    async def run(self) -> None:
        """Works until it is cancelled; then lets what is under way come to a stop."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._woken.clear()
                while self._queue.working < self._workers and (
                    taken := self._queue.take(self._clock())
                ):
                    group.create_task(self._work(*taken))
                await self._until_next()

    async def _until_next(self) -> None:
        at = self._queue.next_at() if self._queue.working < self._workers else None
        wait = max(0.0, (at - self._clock()).total_seconds()) if at else None
        # asyncio.wait_for would lose a cancellation that comes together with the wake-up (Python 3.11)
        with suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await self._woken.wait()

    async def _work(self, key: Key, hinted: bool) -> None:
        try:
            again = await self._reconcile(key, source_changed=hinted)
        except ThvError as error:
            wait = self._queue.failed(key, self._clock())
            log.warning("%s/%s: %s; again in %.0f s", *key, error.message, wait.total_seconds())
        except Exception:
            wait = self._queue.failed(key, self._clock())
            log.exception("%s/%s: unexpected failure; again in %.0f s", *key, wait.total_seconds())
        else:
            self._queue.done(key, again)
        finally:
            self._woken.set()


async def observed(store: ResourceStore, kind: Kind) -> AsyncIterator[tuple[JsonObject, bool]]:
    """Every object of a kind, then every change of one; True when the object is gone.

    Lists again when the watch can no longer be resumed; an object that went in between is then not reported, so
    a caller that must know compares with what it has.
    """
    while True:
        listed = await store.list(kind)
        for obj in listed.items:
            yield obj, False
        try:
            async for event in store.watch(kind, since=listed.resource_version):
                if event.type != "BOOKMARK":
                    yield event.object, event.type == "DELETED"
        except ThvError as error:
            if error.code is not Code.EXPIRED:
                raise


async def feed(
    store: ResourceStore,
    kind: Kind,
    concern: Callable[[JsonObject, bool], Awaitable[Iterable[Key]]],
    controller: Controller,
    *,
    hint: bool = False,
) -> None:
    """Enqueues the keys that each change concerns; comes back by itself when the store was out of reach."""
    while True:
        try:
            async for obj, gone in observed(store, kind):
                for key in await concern(obj, gone):
                    controller.enqueue(key, hint=hint)
        except ThvError as error:
            log.warning("watch of %s: %s", kind.plural, error.message)
            await asyncio.sleep(1)

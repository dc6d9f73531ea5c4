"""The reconcile loop: watches feed a queue, workers take from it.

In the flow: runs the reconcilers in every shape of the product. It knows no kind and no store; who wires it says
what is watched and which keys an event concerns.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress
from datetime import datetime
from typing import Protocol, TypeAlias

import msgspec

from thv.apps.kit.queue import BACKOFF_LIMIT, PASSING_LIMIT, WorkQueue
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.domain.resources import Kind, name_of, namespace_of
from thv.stores.resources.base import EventType, ResourceList, ResourceStore, WatchEvent

log = logging.getLogger(__name__)

PAGE = 100
"""Objects of one page of a list: what is in memory at a time."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 4.0
"""Seconds before a watch is tried again; short, as nothing is noticed meanwhile."""

_PASSING = frozenset({Code.CONFLICT, Code.STORE_UNAVAILABLE})

Key: TypeAlias = tuple[str, str]
"""Namespace and name."""


class Reconcile(Protocol):
    """One reconciler: does what is due for a key and says when to come again."""

    def __call__(self, key: Key, hints: frozenset[str], /) -> Awaitable[datetime | None]: ...


class Controller:
    """Runs one reconciler over a queue of keys, some of each lane at a time, never two for one key."""

    def __init__(
        self,
        reconcile: Reconcile,
        clock: Callable[[], datetime],
        *,
        workers: int = 4,
        lane: Callable[[Key], str] = lambda _: "",
    ) -> None:
        """`workers` is for each lane: keys that take long, or are many, delay none of another lane."""
        self._reconcile = reconcile
        self._clock = clock
        self._workers = workers
        self._queue: WorkQueue[Key] = WorkQueue(lane=lane)
        self._woken = asyncio.Event()

    def enqueue(self, key: Key, *, hint: str = "") -> None:
        """Something about this key may have changed; `hint` is passed on as the word for what."""
        self._queue.add(key, self._clock(), hint=hint)
        self._woken.set()

    async def run(self) -> None:
        """Works until it is cancelled; then lets what is under way come to a stop."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._woken.clear()
                while taken := self._queue.take(self._clock(), full=self._full):
                    group.create_task(self._work(*taken))
                await self._until_next()

    @property
    def _full(self) -> set[str]:
        return self._queue.full(self._workers)

    async def _until_next(self) -> None:
        at = self._queue.next_at(full=self._full)
        wait = max(0.0, (at - self._clock()).total_seconds()) if at else None
        # asyncio.wait_for would lose a cancellation that comes together with the wake-up (Python 3.11)
        with suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await self._woken.wait()

    async def _work(self, key: Key, hints: frozenset[str]) -> None:
        try:
            again = await self._reconcile(key, hints)
        except ThvError as error:
            limit = PASSING_LIMIT if error.code in _PASSING else BACKOFF_LIMIT
            wait = self._queue.failed(key, self._clock(), hints=hints, limit=limit)
            log.warning("%s/%s: %s; again in %.0f s", *key, error.message, wait.total_seconds())
        except Exception:
            wait = self._queue.failed(key, self._clock(), hints=hints)
            log.exception("%s/%s: unexpected failure; again in %.0f s", *key, wait.total_seconds())
        else:
            self._queue.done(key, again)
        finally:
            self._woken.set()


class View(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked at: the objects of one kind, all or some of them."""

    kind: Kind
    namespace: str | None = None
    name: str = ""
    selector: str = ""
    partial: bool = False
    """Metadata is enough."""


async def observed(
    store: ResourceStore,
    view: View,
    *,
    known: set[Key] | None = None,
    listed: Callable[[], None] = lambda: None,
) -> AsyncIterator[tuple[JsonObject, bool]]:
    """Every object that is there, then every change of one; True when the object is gone.

    Lists again when the watch can no longer be resumed; an object that went in between is told with its name
    alone. `known` are the objects that were told before this, and is kept up to date; `listed` is called each time
    when everything that is there was told.
    """
    told: set[Key] = set() if known is None else known
    while True:
        try:
            since, there = "", set[Key]()
            async for page in pages(store, view):
                since = page.resource_version
                for obj in page.items:
                    there.add(_key(obj))
                    told.add(_key(obj))
                    yield obj, False
            for key in sorted(told - there):
                told.discard(key)
                yield _nameless(view.kind, *key), True
            listed()
            async for event in _changes(store, view, since):
                gone = event.type is EventType.DELETED
                (told.discard if gone else told.add)(_key(event.object))
                yield event.object, gone
        except ThvError as error:
            if error.code is not Code.EXPIRED:
                raise
            await asyncio.sleep(random.random())  # noqa: S311 # others were told the same at the same time


async def pages(store: ResourceStore, view: View) -> AsyncIterator[ResourceList]:
    """The objects that are there, some at a time."""
    continue_ = ""
    while True:
        page = await store.list(
            view.kind,
            view.namespace,
            name=view.name,
            selector=view.selector,
            limit=PAGE,
            continue_=continue_,
            partial=view.partial,
        )
        yield page
        continue_ = page.continue_
        if not continue_:
            return


async def _changes(store: ResourceStore, view: View, since: str) -> AsyncIterator[WatchEvent]:
    told = store.watch(
        view.kind,
        view.namespace,
        since=since,
        name=view.name,
        selector=view.selector,
        partial=view.partial,
    )
    async with aclosing(told) as events:
        async for event in events:
            if event.type is not EventType.BOOKMARK:
                yield event


def _key(obj: JsonObject) -> Key:
    return namespace_of(obj), name_of(obj)


def _nameless(kind: Kind, namespace: str, name: str) -> JsonObject:
    """An object of which only the name is known."""
    metadata = {"namespace": namespace, "name": name}
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}


async def feed(
    store: ResourceStore, view: View, take: Callable[[JsonObject, bool], Awaitable[None]]
) -> None:
    """Hands on every object and every change; comes back by itself when the store was out of reach."""
    pause, known = _FIRST_PAUSE, set[Key]()
    while True:
        try:
            async for obj, gone in observed(store, view, known=known):
                await _handed_on(take, obj, gone)
                pause = _FIRST_PAUSE
        except ThvError as error:
            wait = pause * (0.5 + random.random())  # noqa: S311 # spreads the callers
            log.warning("watch of %s: %s; again in %.1f s", view.kind.plural, error.message, wait)
            await asyncio.sleep(wait)
            pause = min(pause * 2, _LONGEST_PAUSE)


async def _handed_on(
    take: Callable[[JsonObject, bool], Awaitable[None]], obj: JsonObject, gone: bool
) -> None:
    """An object that nobody foresaw keeps none of the others from being told."""
    try:
        await take(obj, gone)
    except ThvError:
        raise
    except Exception:
        log.exception("%s/%s: unexpected failure as it was told", *_key(obj))

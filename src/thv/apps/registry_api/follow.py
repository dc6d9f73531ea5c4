"""Keeps read models in step with the registries' status.

In the flow: after a pointer was flipped, before anybody is answered from the new snapshot. Whatever goes wrong
here, the last good content is served.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import weakref
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeAlias

from thv.apps.kit.memory import release
from thv.apps.registry_api.served import Served
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.domain.registry import Registry, load_registry
from thv.domain.resources import name_of, namespace_of
from thv.domain.snapshot import SnapshotRef
from thv.domain.taxonomy import Taxonomy
from thv.stores.chunks.base import ChunkStore, Owner
from thv.stores.models.apply import apply
from thv.stores.models.pool import Pool
from thv.stores.models.publish import content_tag
from thv.stores.models.work import Moment

log = logging.getLogger(__name__)

Key: TypeAlias = tuple[str, str]
"""Namespace and name."""

Updated: TypeAlias = Callable[[Registry, SnapshotRef], None]
"""Told of a snapshot that is served in place of another one; must not block."""

Moved: TypeAlias = Callable[[Key], None]
"""Told of a registry that is another one now, serves something else, or is gone; must not block."""

_AT_ONCE = 2
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 60.0
_SOON = {Code.FORBIDDEN: 5.0, Code.STORE_UNAVAILABLE: 5.0}
"""The longest pause where somebody else is about to help: rights reach an API server a little after they are given."""
_TOLD_FROM = 1.0
"""Pauses that are shorter are not worth a line."""


class Follower:
    """The registries of a door, by namespace and name."""

    def __init__(
        self,
        chunks: ChunkStore,
        models: Path,
        *,
        pool: Pool,
        taxonomy: Taxonomy,
        clock: Callable[[], datetime],
        updated: Updated = lambda *_: None,
    ) -> None:
        """`models` is the folder that has a folder for each registry; `updated` is told of later snapshots."""
        self._chunks = chunks
        self._models = models
        self._pool = pool
        self._taxonomy = taxonomy
        self._clock = clock
        self._updated = updated
        self._served: dict[Key, Served] = {}
        self._working: dict[Key, asyncio.Task[None]] = {}
        self._checked: weakref.WeakSet[Served] = weakref.WeakSet()
        """Whose model this process has looked at once: files may be of another edition, or damaged."""
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._again: dict[Key, asyncio.Event] = {}
        self._moved: Moved = lambda _: None

    def tell(self, moved: Moved) -> None:
        """Whom to tell of every registry that moves from now on."""
        self._moved = moved

    def find(self, namespace: str, name: str) -> Served | None:
        """A registry that has an API."""
        served = self._served.get((namespace, name))
        return served if served and served.registry.spec.api.enabled else None

    def every(self) -> Iterable[Served]:
        """All registries that have an API, by namespace and name."""
        return [self._served[key] for key in sorted(self._served) if self.find(*key)]

    def is_at_rest(self) -> bool:
        """Whether every registry is served as its pointer says, or cannot be for now."""
        return all(task.done() or self._served[key].trouble for key, task in self._working.items())

    async def run(self, events: AsyncIterator[tuple[JsonObject, bool]]) -> None:
        """Follows the events, each an object and whether it is gone, until it is cancelled or they end."""
        async with asyncio.TaskGroup() as group:
            async for obj, gone in events:
                await self.take(obj, gone=gone, group=group)

    async def take(self, obj: JsonObject, *, gone: bool, group: asyncio.TaskGroup) -> None:
        """One event."""
        key = (namespace_of(obj), name_of(obj))
        if gone:
            await self._drop(key)
            return
        try:
            registry = load_registry(obj)
        except ThvError as error:
            log.warning("%s/%s: %s", *key, error.message)
            return
        await self._describe(key, registry)
        task = self._working.get(key)
        if (task is None or task.done()) and self._wanted(self._served[key]):
            self._working[key] = group.create_task(self._catch_up(key))
        self._again.setdefault(key, asyncio.Event()).set()

    async def _describe(self, key: Key, registry: Registry) -> None:
        served = self._served.get(key)
        if served is not None and served.registry.uid != registry.uid:
            await self._drop(key)
            served = None
        if served is None:
            path = self._path(registry)
            self._served[key] = Served(registry, self._pool, path, self._seconds)
        else:
            served.describe(registry)
        self._moved(key)

    async def _drop(self, key: Key) -> None:
        served = self._served.pop(key, None)
        task = self._working.pop(key, None)
        self._again.pop(key, None)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        if served is not None:
            served.changed(rebuilt=True)
            self._moved(key)
            path = self._path(served.registry)
            await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)

    async def _catch_up(self, key: Key) -> None:
        """Applies snapshots until what is served is what the pointer names."""
        pause = _FIRST_PAUSE
        while (served := self._served.get(key)) and (ref := self._wanted(served)):
            try:
                async with self._room:
                    await self._apply(served, ref)
                pause = _FIRST_PAUSE
            except ThvError as error:
                served.trouble = error.message
                pause = min(pause, _SOON.get(error.code, _LONGEST_PAUSE))
                if pause >= _TOLD_FROM:
                    log.warning("%s/%s: %s; again in %.0f s", *key, error.message, pause)
                await self._pause(key, pause)
                pause *= 2
            except Exception:
                served.trouble = "The read model could not be built; the log has the details."
                pause = min(pause, _LONGEST_PAUSE)
                log.exception("%s/%s: again in %.1f s", *key, pause)
                await self._pause(key, pause)
                pause *= 2

    async def _pause(self, key: Key, seconds: float) -> None:
        """An event ends it early: a snapshot that cannot be read is often followed by one that can."""
        again = self._again.setdefault(key, asyncio.Event())
        again.clear()
        with suppress(TimeoutError):  # see `Controller`: asyncio.wait_for may lose a cancellation
            async with asyncio.timeout(seconds):
                await again.wait()

    async def _apply(self, served: Served, ref: SnapshotRef) -> None:
        registry = served.registry
        owner = Owner(registry.namespace, registry.name, registry.uid)
        now = self._clock()
        outcome = await apply(
            self._path(registry),
            ref,
            partial(self._chunks.get, owner),
            taxonomy=self._taxonomy,
            at=Moment(_rfc3339(now), now.timestamp()),
        )
        served.trouble = ""
        is_update = served in self._checked
        self._checked.add(served)
        served.changed(rebuilt=outcome.how == "full")
        self._moved(served.owner)
        if is_update:
            self._updated(registry, ref)
        if outcome.how == "full":
            release()

    def _wanted(self, served: Served) -> SnapshotRef | None:
        """The snapshot to apply, None when it is served already."""
        ref = served.registry.status.snapshot
        if ref is None:
            return None
        model = served.model
        is_served = model is not None and model.current.content == content_tag(ref)
        return None if is_served and served in self._checked else ref

    def _path(self, registry: Registry) -> Path:
        """Where the read model of a registry lies; a registry that is made anew has another one."""
        return self._models / (registry.uid or f"{registry.namespace}.{registry.name}")

    def _seconds(self) -> float:
        return self._clock().timestamp()


def _rfc3339(moment: datetime) -> str:
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")

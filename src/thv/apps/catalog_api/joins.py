"""Keeps the catalog's read model in step with the registries, one after the other.

In the flow: the follower tells which registry moved; what is served of it is compared with what is joined, and only the
difference is written. Questions are answered from the state before until a registry is joined as a whole.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from thv.apps.kit.http.problems import ProblemError, Word
from thv.apps.kit.memory import release
from thv.apps.registry_api.door import Registries
from thv.apps.registry_api.follow import Key
from thv.apps.registry_api.served import Served
from thv.apps.registry_api.standing import Standing
from thv.stores.catalogs.folder import working_folder
from thv.stores.catalogs.join import Joined, Joiner, Joining
from thv.stores.catalogs.scope import Shelf
from thv.stores.catalogs.tables import connect, create
from thv.stores.models.cache import Cache
from thv.stores.models.view import Model

log = logging.getLogger(__name__)

RESULT_BYTES = 4 << 20
"""Memory for counts and results of all callers together."""
_PAUSE = 1.0
"""Seconds before what failed is tried again; each failure doubles them, up to `_LONGEST`."""
_LONGEST = 300.0
_NO_CACHE = Cache(0)
_MUCH = 5_000
"""Servers whose joining leaves memory behind that is worth giving back."""


class _Failure(NamedTuple):
    """A registry that could not be joined."""

    tries: int
    due: float
    """When it is tried again, by the clock of the loop."""


class Joins:
    """What is joined, and what has to be."""

    def __init__(self, registries: Registries, standing: Standing, parent: Path) -> None:
        """`parent` is the folder in which each process has one for its catalog."""
        self._registries = registries
        self._standing = standing
        self._parent = parent
        self._joined: dict[Key, Joined] = {}
        self._moved: dict[Key, None] = {}
        self._failed: dict[Key, _Failure] = {}
        self._woken = asyncio.Event()
        self._waiting: dict[Key, asyncio.Event] = {}
        self._following: dict[asyncio.Event, frozenset[Key]] = {}
        self._shelf: Shelf | None = None
        self._is_joining = False

    @property
    def shelf(self) -> Shelf:
        """What is joined now; raises SNAPSHOT_UNAVAILABLE before anything is."""
        if self._shelf is None:
            raise ProblemError(Word.SNAPSHOT_UNAVAILABLE, "Nothing was joined yet.", retry_after=1)
        return self._shelf

    @property
    def is_at_rest(self) -> bool:
        """Whether everything that moved is joined, but for what cannot be."""
        return self._shelf is not None and not (self._moved or self._is_joining)

    def moved(self, key: Key) -> None:
        """A registry serves something else, says something else, or is gone."""
        self._moved[key] = None
        self._woken.set()
        waiting = self._waiting.pop(key, None)
        if waiting is not None:
            waiting.set()

    async def wait_for_move(self, key: Key) -> None:
        """Returns when the registry moves."""
        await self._waiting.setdefault(key, asyncio.Event()).wait()

    async def wait_for_join(self, keys: frozenset[Key]) -> None:
        """Returns when one of these registries is joined anew or gone, or when there is one more."""
        woken = asyncio.Event()
        self._following[woken] = keys
        try:
            await woken.wait()
        finally:
            del self._following[woken]

    async def run(self) -> None:
        """Joins what moves, until it is cancelled."""
        with working_folder(self._parent) as folder:
            writing = create(folder)
            reading = connect(folder)
            try:
                joiner = Joiner(writing)
                self._shelf = Shelf(reading, Cache(RESULT_BYTES))
                while True:
                    await self._wait()
                    await self._catch_up(joiner)
            finally:
                self._shelf = None
                self._joined.clear()
                reading.close()
                writing.close()

    async def _wait(self) -> None:
        """Until something moves, or until what failed is due."""
        due = min((failure.due for failure in self._failed.values()), default=None)
        with suppress(TimeoutError):  # see `Controller`: asyncio.wait_for may lose a cancellation
            async with asyncio.timeout_at(due):
                await self._woken.wait()
        self._woken.clear()

    async def _catch_up(self, joiner: Joiner) -> None:
        now = asyncio.get_running_loop().time()
        due = [key for key, failure in self._failed.items() if failure.due <= now]
        for key in dict.fromkeys((*self._moved, *due)):
            # What moves while it is joined is looked at once more.
            self._moved.pop(key, None)
            self._is_joining = True
            try:
                await self._join(joiner, key)
            except (sqlite3.Error, OSError) as error:
                # What was interrupted fails while it is taken back, in the place of the cancellation.
                if _is_cancelled():
                    raise asyncio.CancelledError from error
                self._fail(key, error)
            except Exception:
                # One registry must not take the others with it; what it had stays until it moves again.
                log.exception("%s/%s cannot be joined", *key)
                self._failed.pop(key, None)
            else:
                self._failed.pop(key, None)
            finally:
                self._is_joining = False

    def _fail(self, key: Key, error: Exception) -> None:
        before = self._failed.get(key)
        tries = before.tries + 1 if before else 0
        pause = min(_PAUSE * 2 ** min(tries, 10), _LONGEST)
        self._failed[key] = _Failure(tries, asyncio.get_running_loop().time() + pause)
        log.warning("%s/%s cannot be joined: %s; trying again in %.0f s", *key, error, pause)

    async def _join(self, joiner: Joiner, key: Key) -> None:
        known, served = self._joined.get(key), self._registries.find(*key)
        if served is None:
            if known is not None:
                await joiner.drop(known)
                del self._joined[key]
                self._told(key, is_new=False)
            return
        joining = self._joining(served)
        if known is not None and _is_as_joined(served, joining, known):
            return
        model = Model.open(served.path, _NO_CACHE)
        if model is None:
            return
        try:
            joined = await joiner.join(known, joining, model)
        finally:
            model.close()
        self._joined[key] = joined
        self._told(key, is_new=known is None)
        if model.current.servers > _MUCH and known is None:
            release()

    def _told(self, key: Key, *, is_new: bool) -> None:
        """Another state can be asked for."""
        self.shelf.changed(dict(self._joined))
        for woken, keys in self._following.items():
            if is_new or key in keys:
                woken.set()

    def _joining(self, served: Served) -> Joining:
        namespace, name = served.owner
        return Joining(
            namespace=namespace,
            name=name,
            uid=served.registry.uid,
            trust=self._standing.of(served)[0],
            standing=self._standing.text(served),
        )


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _is_as_joined(served: Served, joining: Joining, known: Joined) -> bool:
    model = served.model
    return (
        model is not None
        and model.current.content == known.content
        and joining.uid == known.uid
        and joining.standing == known.standing
    )

"""The servers that are installed, as they are now: those that name a registry, and those that name none.

In the flow: beside the registries of a door, which are compared with them. Of an object nothing is kept but what is told
of it. Both groups are followed where they are served; a cluster may have neither, or get one later.
"""

from __future__ import annotations

import asyncio
import logging
import random
import sys
from bisect import bisect_left, insort
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import NamedTuple, TypeAlias

import msgspec

from thv.apps.kit.http.problems import ProblemError, Word
from thv.apps.kit.loop import View, observed
from thv.apps.kit.sparing import Sparing
from thv.apps.registry_api.follow import Key
from thv.catalog.installed import Installed, installed_of
from thv.domain.canonical import JsonObject
from thv.domain.errors import ThvError
from thv.domain.resources import (
    KINDS,
    OLD_PREFIX,
    PREFIX,
    SERVER_KINDS,
    Kind,
    name_of,
    namespace_of,
)
from thv.domain.text import label_value
from thv.stores.resources.base import ResourceStore

log = logging.getLogger(__name__)

ServedKinds: TypeAlias = Callable[[Sequence[Kind]], Awaitable[tuple[Kind, ...]]]
"""Those of some kinds that a store has, in their order."""

LOOK = 10.0
"""Seconds between two looks whether a group is served now, while somebody asks."""
RARELY = 600.0
"""The same while nobody does: a cluster may have a thousand of us."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
_COMPLAINTS = 60.0
_LONGEST_TEXT = 2048
_MOST_LABELS = 50
MOST_UNCLAIMED = 10_000
"""Servers of no registry that are kept: nobody but whoever adopts one asks for them."""
GROUPS = tuple(dict.fromkeys(kind.group for kind in SERVER_KINDS))


async def kept_here(kinds: Sequence[Kind]) -> tuple[Kind, ...]:
    """The kinds of a store of this product's own."""
    return tuple(kind for kind in kinds if kind in KINDS)


class Place(NamedTuple):
    """Where an installed server is: both groups may have one of the same name."""

    name: str
    namespace: str
    group: str


class _Ranks:
    """Servers in the order of their places."""

    def __init__(self) -> None:
        self._servers: dict[Place, Installed] = {}
        self._order: list[Place] = []

    def __len__(self) -> int:
        return len(self._order)

    def __iter__(self) -> Iterator[tuple[Place, Installed]]:
        return ((place, self._servers[place]) for place in self._order)

    def find(self, place: Place) -> Installed | None:
        return self._servers.get(place)

    def put(self, place: Place, installed: Installed) -> None:
        if place not in self._servers:
            insort(self._order, place)
        self._servers[place] = _kept(installed)

    def drop(self, place: Place) -> None:
        if self._servers.pop(place, None) is not None:
            del self._order[bisect_left(self._order, place)]


class Fleet:
    """The installed servers, by name, namespace and group."""

    def __init__(
        self, groups: tuple[str, ...] = GROUPS, *, unclaimed: int = MOST_UNCLAIMED
    ) -> None:
        """`groups` are those of the kinds that hold servers; `unclaimed` servers of no registry are kept at most."""
        self._groups = groups
        self._claimed, self._unclaimed = _Ranks(), _Ranks()
        self._most_unclaimed = unclaimed
        self._kinds: dict[str, Kind] = {}
        self._untold = set(groups)
        self._asked = {group: asyncio.Event() for group in groups}
        self._sparing = Sparing(_COMPLAINTS)

    @property
    def is_told(self) -> bool:
        """Whether all that there were are known."""
        return not self._untold

    def ask(self) -> bool:
        """Somebody wants to know; whether it is known what there is."""
        for asked in self._asked.values():
            asked.set()
        return self.is_told

    def require(self) -> None:
        """The same; raises SNAPSHOT_UNAVAILABLE while it is not known."""
        if not self.ask():
            raise ProblemError(
                Word.SNAPSHOT_UNAVAILABLE,
                "It is not known yet which servers are installed.",
                retry_after=1,
            )

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds that are followed, the place that is written to first; none where none is served."""
        return tuple(kind for kind in SERVER_KINDS if kind in self._kinds.values())

    def every(self) -> Iterator[tuple[Place, Installed]]:
        """Those that name a registry, in the order of their places."""
        return iter(self._claimed)

    def unclaimed(self) -> Iterator[tuple[Place, Installed]]:
        """Those that name none, in the same order, as many as are kept."""
        return iter(self._unclaimed)

    @property
    def is_cut(self) -> bool:
        """Whether there may be more servers of no registry than are kept."""
        return len(self._unclaimed) >= self._most_unclaimed

    def find(self, place: Place) -> Installed | None:
        """A server of either sort."""
        return self._claimed.find(place) or self._unclaimed.find(place)

    async def follow(
        self, store: ResourceStore, kinds: ServedKinds, namespace: str | None = None
    ) -> None:
        """Keeps it up to date, until it is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for group in self._groups:
                tasks.create_task(self._follow(store, kinds, group, namespace))

    async def _follow(
        self, store: ResourceStore, kinds: ServedKinds, group: str, namespace: str | None
    ) -> None:
        """The servers of one group, in the first version of it that is served."""
        versions = [kind for kind in SERVER_KINDS if kind.group == group]
        known, pause = set[Key](), _FIRST_PAUSE
        while True:
            try:
                kind = next(iter(await kinds(versions)), None)
                if kind is None:
                    self._told_none(group, known)
                    await self._until_asked(group)
                    continue
                self._kinds[group] = kind
                view = View(kind=kind, namespace=namespace)
                listed = partial(self._untold.discard, group)
                async for obj, gone in observed(store, view, known=known, listed=listed):
                    self._take(group, obj, gone=gone)
                    pause = _FIRST_PAUSE
            except ThvError as error:
                if self._sparing.is_due():
                    log.warning("watch of servers (%s): %s; trying again", group, error.message)
                await asyncio.sleep(pause * (0.5 + random.random()))  # noqa: S311 # spreads the callers
                pause = min(pause * 2, _LONGEST_PAUSE)

    async def _until_asked(self, group: str) -> None:
        self._asked[group].clear()
        await asyncio.sleep(LOOK)
        with suppress(TimeoutError):  # see `Controller`: asyncio.wait_for may lose a cancellation
            async with asyncio.timeout(RARELY * (0.5 + random.random())):  # noqa: S311 # spreads the callers
                await self._asked[group].wait()

    def _told_none(self, group: str, known: set[Key]) -> None:
        """There is no such kind, so that none is left of it."""
        for namespace, name in known:
            self.drop(Place(name, namespace, group))
        known.clear()
        self._kinds.pop(group, None)
        self._untold.discard(group)

    def _take(self, group: str, obj: JsonObject, *, gone: bool) -> None:
        try:
            self._taken(group, obj, gone=gone)
        except Exception:  # an object that nobody foresaw keeps none of the others from being told
            log.exception("%s/%s: unexpected failure", namespace_of(obj), name_of(obj))

    def _taken(self, group: str, obj: JsonObject, *, gone: bool) -> None:
        place = Place(name_of(obj), namespace_of(obj), group)
        if gone:
            self.drop(place)
        else:
            self.put(place, installed_of(obj))

    def put(self, place: Place, installed: Installed) -> None:
        """A server is there, or is another one now."""
        if installed.registry:
            self._unclaimed.drop(place)
            self._claimed.put(place, installed)
            return
        self._claimed.drop(place)
        if self._unclaimed.find(place) or not self.is_cut:
            self._unclaimed.put(place, installed)

    def drop(self, place: Place) -> None:
        """A server is gone."""
        self._claimed.drop(place)
        self._unclaimed.drop(place)


def claim_of(installed: Installed) -> Key:
    """Namespace and name of the registry that a server names, as labels spell them; without a namespace its own."""
    space = installed.registry_namespace or installed.namespace
    return label_value(space), label_value(installed.registry)


def _kept(installed: Installed) -> Installed:
    """Bounded, and with what many servers say alike in memory once."""
    texts = {
        field: sys.intern(value[:_LONGEST_TEXT])
        for field, value in msgspec.structs.asdict(installed).items()
        if isinstance(value, str)
    }
    ours_first = sorted(
        installed.labels.items(), key=lambda each: not each[0].startswith((PREFIX, OLD_PREFIX))
    )
    labels = {sys.intern(key): sys.intern(value) for key, value in islice(ours_first, _MOST_LABELS)}
    return msgspec.structs.replace(installed, **texts, labels=labels)

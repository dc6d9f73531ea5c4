"""The registry API with everything it needs.

In the flow: a process that serves registries calls `registries`, runs what it gets, and mounts the application.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from functools import partial
from pathlib import Path

from thv.apps.kit.authorization import Authorization
from thv.apps.kit.http.dispatch import Authorize
from thv.apps.kit.http.rates import Limiter
from thv.apps.kit.http.server import HttpServer, Meter
from thv.apps.kit.loop import View, observed
from thv.apps.registry_api.aggregate import Aggregate
from thv.apps.registry_api.door import Options, Root, many, single
from thv.apps.registry_api.fleet import MOST_UNCLAIMED, Fleet, ServedKinds, kept_here
from thv.apps.registry_api.follow import Follower, Key, Updated
from thv.apps.registry_api.guard import Guard, owned
from thv.apps.registry_api.settings import Settings
from thv.domain.canonical import JsonObject
from thv.domain.errors import ThvError
from thv.domain.resources import MCP_REGISTRY, name_of, namespace_of
from thv.domain.taxonomy import Taxonomy
from thv.stores.chunks.base import ChunkStore
from thv.stores.models.cache import Cache
from thv.stores.models.pool import Pool
from thv.stores.resources.base import ResourceStore

log = logging.getLogger(__name__)

RESULT_BYTES = 8 << 20
"""Memory for results and page plans of all registries together."""


class Door:
    """The API of all registries of a resource store."""

    def __init__(
        self,
        app: HttpServer,
        follower: Follower,
        resources: ResourceStore,
        following: Following,
        beside: Root = Root(),  # noqa: B008 # a frozen value
        *,
        follow_servers: Callable[[], Awaitable[None]],
    ) -> None:
        self.app = app
        self.beside = beside
        self.follower = follower
        self._resources = resources
        self._following = following
        self._follow_servers = follow_servers

    async def follow(self) -> None:
        """Keeps what is served in step with the registries, until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            if self.beside.follow is not None:
                group.create_task(_run(self.beside.follow))
            group.create_task(self._follow())
            group.create_task(_run(self._follow_servers))

    def is_at_rest(self) -> bool:
        """Whether everything that there is was told, and is served as it says."""
        is_told = self._following.is_told and self.follower.is_at_rest()
        return is_told and self.beside.is_at_rest()

    async def _follow(self) -> None:
        while True:
            try:
                await self.follower.run(self._events())
            except* ThvError as errors:
                log.warning("watch of registries: %s", errors.exceptions[0])
            await asyncio.sleep(1)

    async def _events(self) -> AsyncIterator[tuple[JsonObject, bool]]:
        view, following = View(kind=MCP_REGISTRY), self._following
        async for obj, gone in observed(self._resources, view, listed=following.was_told):
            if following.only in (None, (namespace_of(obj), name_of(obj))):
                yield obj, gone


async def _run(work: Callable[[], Awaitable[None]]) -> None:
    await work()


class Following:
    """Which registries a door follows, and whether it knows them yet."""

    def __init__(self, only: Key | None) -> None:
        self.only = only
        self.is_told = False

    def was_told(self) -> None:
        """All that there are were told."""
        self.is_told = True


Watched = Callable[[Authorize], Authorize]
"""Puts a counter around what decides."""
MakeRoot = Callable[[Follower, Guard | None, Fleet], Root]
"""Makes what stands at the root of these registries and installed servers; without a guard a caller sees all."""


def registries(
    resources: ResourceStore,
    chunks: ChunkStore,
    models: Path,
    *,
    taxonomy: Taxonomy,
    settings: Settings,
    clock: Callable[[], datetime],
    only: Key | None = None,
    authorization: Authorization | None = None,
    owner: Authorization | None = None,
    watched: Watched = lambda authorize: authorize,
    meters: tuple[Meter, ...] = (),
    updated: Updated = lambda *_: None,
    root: MakeRoot = lambda *_: Root(),
    anonymous_read: bool = True,
    kinds: ServedKinds = kept_here,
) -> Door:
    """The door over these stores; `models` is the folder for read models.

    `only` is the one registry that is served, at the root; None serves all of them below it. Without `authorization`
    everybody reads everything; `owner` then knows who may do more. `meters` count requests, `updated` is told of
    snapshots that take the place of others. `anonymous_read` tells callers whom nobody knows of several registries
    together, as far as those are open. `kinds` says in which kinds the store may hold servers that are installed.
    """
    fleet = Fleet(unclaimed=MOST_UNCLAIMED if only is None else 0)
    follower = Follower(
        chunks,
        models,
        pool=Pool(Cache(RESULT_BYTES)),
        taxonomy=taxonomy,
        clock=clock,
        updated=updated,
    )
    following = Following(only)
    guard = None
    if authorization is not None:
        guard = Guard(
            follower.find,
            authorization,
            lambda: following.is_told,
            anonymous_read=anonymous_read,
        )
    options = Options(
        authorize=watched(guard.authorize) if guard else owned(owner),
        user_of=guard.user_of if guard else lambda *_: "",
        limiter=Limiter(settings.clients.rates),
        authorization=authorization or owner,
        is_open=guard is None,
        cors_origins=frozenset(settings.cors_origins),
        hosts=settings.hosts,
        meters=meters,
        fleet=fleet,
    )
    follow_servers = partial(fleet.follow, resources, kinds, only[0] if only else None)

    def seconds() -> float:
        return clock().timestamp()

    if only is not None:
        app = single(follower, only, options, seconds)
        return Door(app, follower, resources, following, follow_servers=follow_servers)
    aggregate = Aggregate(
        follower.every,
        scope=settings.official_scope,
        order=settings.registry_order,
        visible=guard.visible if guard else None,
    )
    beside = root(follower, guard, fleet)
    app = many(follower, aggregate, options, seconds, beside)
    return Door(app, follower, resources, following, beside, follow_servers=follow_servers)

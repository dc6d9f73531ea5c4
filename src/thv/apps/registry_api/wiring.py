"""The registry API with everything it needs.

In the flow: a process that serves registries calls `registries`, runs what it gets, and mounts the application.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from thv.apps.kit.http.dispatch import Authorize
from thv.apps.kit.http.server import HttpServer
from thv.apps.kit.loop import observed
from thv.apps.registry_api.aggregate import Aggregate, Visible
from thv.apps.registry_api.door import Options, many
from thv.apps.registry_api.follow import Follower
from thv.apps.registry_api.settings import Settings
from thv.domain.errors import ThvError
from thv.domain.resources import MCP_REGISTRY
from thv.domain.taxonomy import Taxonomy
from thv.stores.chunks.base import ChunkStore
from thv.stores.models.cache import Cache
from thv.stores.models.pool import Pool
from thv.stores.resources.base import ResourceStore

log = logging.getLogger(__name__)

RESULT_BYTES = 4 << 20
"""Memory for results and page plans of all registries together."""


class Door:
    """The API of all registries of a resource store."""

    def __init__(self, app: HttpServer, follower: Follower, resources: ResourceStore) -> None:
        self.app = app
        self.follower = follower
        self._resources = resources

    async def follow(self) -> None:
        """Keeps what is served in step with the registries, until it is cancelled."""
        while True:
            try:
                await self.follower.run(observed(self._resources, MCP_REGISTRY))
            except* ThvError as errors:
                log.warning("watch of registries: %s", errors.exceptions[0])
            await asyncio.sleep(1)


def registries(
    resources: ResourceStore,
    chunks: ChunkStore,
    models: Path,
    *,
    taxonomy: Taxonomy,
    settings: Settings,
    clock: Callable[[], datetime],
    authorize: Authorize | None = None,
    visible: Visible | None = None,
) -> Door:
    """The door over these stores; `models` is the folder for read models."""
    follower = Follower(
        chunks, models, pool=Pool(Cache(RESULT_BYTES)), taxonomy=taxonomy, clock=clock
    )
    aggregate = Aggregate(
        follower.every,
        scope=settings.official_scope,
        order=settings.registry_order,
        visible=visible,
    )
    options = Options(
        authorize=authorize,
        cors_origins=frozenset(settings.cors_origins),
        hosts=settings.hosts,
    )
    app = many(follower, aggregate, options, lambda: clock().timestamp())
    return Door(app, follower, resources)

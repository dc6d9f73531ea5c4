"""What a process of the registry API in a cluster serves, and how it learns of it.

In the flow: `pod_process` runs it. It reads what the operator wrote, with the rights of its own ServiceAccount, and
writes nothing there. Without the API server it goes on with what it has, also after a restart.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from datetime import datetime
from functools import partial

from thv import data
from thv.apps.kit.addresses import listen_address
from thv.apps.kit.authorization import Authorization
from thv.apps.kit.http.access_log import AccessLog
from thv.apps.kit.http.connection import Responder
from thv.apps.kit.http.rates import Limiter
from thv.apps.kit.http.serve import Server
from thv.apps.kit.loop import View, observed
from thv.apps.kit.metrics import Metrics
from thv.apps.kit.metrics_http import HttpFigures, Timed
from thv.apps.kit.metrics_process import process_figures
from thv.apps.kit.metrics_updates import UpdateFigures
from thv.apps.kit.reviews import KubeReviews
from thv.apps.kit.sparing import Sparing
from thv.apps.kit.traces import Tracer
from thv.apps.registry_api.copies import Copies
from thv.apps.registry_api.door import Options, singles
from thv.apps.registry_api.fleet import Fleet
from thv.apps.registry_api.follow import Follower, Key
from thv.apps.registry_api.guard import Guard
from thv.apps.registry_api.pod_settings import PodSettings
from thv.apps.registry_api.ports import Ports
from thv.clients.kube.client import KubeClient
from thv.domain.canonical import JsonObject
from thv.domain.errors import ThvError
from thv.domain.permissions import server_ways
from thv.domain.resources import MCP_REGISTRY, name_of, namespace_of
from thv.formats.taxonomy import load_taxonomy
from thv.stores.chunks.configmaps import ConfigMapChunks
from thv.stores.models.cache import Cache
from thv.stores.models.pool import Pool
from thv.stores.resources.kubernetes import KubernetesStore
from thv.stores.resources.kubernetes_kinds import served as served_kinds

log = logging.getLogger(__name__)

RESULT_BYTES = 8 << 20
"""Memory for results and page plans of all registries together."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 2.0
"""Seconds before the registries are asked for again."""
_COMPLAINTS = 30.0


class Pod:
    """One registry, or those of a namespace that share a process."""

    def __init__(
        self, client: KubeClient, settings: PodSettings, clock: Callable[[], datetime]
    ) -> None:
        self._settings = settings
        what = settings.registry or "the registries that share a process"
        self.serves = f"{what} of the namespace {settings.namespace}"
        self.is_bound = not settings.shared
        self._store = KubernetesStore(client)
        self._copies = Copies(settings.data / "registries")
        figures, updates = HttpFigures("registry"), UpdateFigures(clock)
        self.tracer = Tracer(settings.traces, "registry-api") if settings.traces else None
        self.metrics = Metrics(process_figures(), figures.metrics, updates.metrics)
        self._follower = Follower(
            ConfigMapChunks(self._store),
            settings.data / "models",
            pool=Pool(Cache(RESULT_BYTES)),
            taxonomy=load_taxonomy(data.read("taxonomy.json")),
            clock=clock,
            updated=updates.applied,
        )
        authorization = Authorization(
            Timed(KubeReviews(client), figures),
            accept_cluster_audience=settings.accept_cluster_audience,
            ways=server_ways,
        )
        fleet = Fleet(unclaimed=0)
        self._follow_servers = partial(
            fleet.follow, self._store, partial(served_kinds, client), settings.namespace
        )
        guard = Guard(self._follower.find, authorization, lambda: self._is_told)
        options = Options(
            authorize=figures.watched(guard.authorize),
            user_of=guard.user_of,
            limiter=Limiter(settings.clients.rates),
            authorization=authorization,
            cors_origins=frozenset(settings.cors_origins),
            meters=(figures, *_access_log(settings), *filter(None, [self.tracer])),
            fleet=fleet,
        )
        make = singles(self._follower, options, lambda: clock().timestamp(), self.is_ready)
        self._ports = Ports(listen_address(settings.listen)[0], make)
        self.app: Responder = self._ports if settings.shared else make(self._only)
        self.is_ending = False
        """Set by whoever runs it, when requests should go elsewhere."""
        self._is_told = self._is_loaded = False
        self._sparing = Sparing(_COMPLAINTS)

    def is_ready(self) -> bool:
        """Whether there is something to answer from, and the process is not about to end."""
        if self.is_ending:
            return False
        if not self._settings.shared:
            served = self._follower.find(*self._only)
            return served is not None and served.model is not None
        is_at_rest = self._ports.is_at_rest and self._follower.is_at_rest()
        self._is_loaded = self._is_loaded or (self._is_told and is_at_rest)
        return self._is_loaded

    def work(self, server: Server) -> Iterator[Coroutine[None, None, None]]:
        """What goes on while the server answers, until it is cancelled."""
        yield self._follower.run(self._registries())
        yield self._follow_servers()
        if self._settings.shared:
            yield self._ports.run(server)

    async def close(self) -> None:
        """Closes connections."""
        await self._store.close()

    @property
    def _only(self) -> Key:
        return self._settings.namespace, self._settings.registry

    @property
    def _view(self) -> View:
        """A pod of one registry may read no other."""
        settings = self._settings
        return View(kind=MCP_REGISTRY, namespace=settings.namespace, name=settings.registry)

    # ------------------------------------------------------------ what is served

    async def _registries(self) -> AsyncIterator[tuple[JsonObject, bool]]:
        """What was seen before a restart, then what the cluster tells; True for what is served no longer."""
        known: set[Key] = set()
        for obj in self._copies:
            if self._is_ours(obj):
                known.add((namespace_of(obj), name_of(obj)))
                self._route(obj)
                yield obj, False
        self._is_told = bool(known)
        pause = _FIRST_PAUSE
        while True:
            try:
                async for obj, gone in observed(
                    self._store, self._view, known=known, listed=self._was_told
                ):
                    pause = _FIRST_PAUSE
                    yield obj, not self._taken(obj, gone=gone)
            except ThvError as error:
                if self._sparing.is_due():
                    log.warning("watch of registries: %s; trying again", error.message)
                await asyncio.sleep(pause * (0.5 + random.random()))  # noqa: S311 # spreads the pods
                pause = min(pause * 2, _LONGEST_PAUSE)

    def _was_told(self) -> None:
        self._is_told = True

    def _taken(self, obj: JsonObject, *, gone: bool) -> bool:
        """Whether the registry is served from now on; a restart will know."""
        is_served = not gone and self._is_ours(obj)
        try:
            if is_served:
                self._copies.keep(obj)
            else:
                self._copies.forget(obj)
        except OSError as error:
            log.warning("a restart will not know of %s: %s", name_of(obj), error)
        self._route(obj, gone=not is_served)
        return is_served

    def _is_ours(self, obj: JsonObject) -> bool:
        if not self._settings.shared:
            return (namespace_of(obj), name_of(obj)) == self._only
        return namespace_of(obj) == self._settings.namespace and shared_port(obj) is not None

    def _route(self, obj: JsonObject, *, gone: bool = False) -> None:
        if self._settings.shared:
            key = (namespace_of(obj), name_of(obj))
            self._ports.want(key, None if gone else shared_port(obj))


def _access_log(settings: PodSettings) -> tuple[AccessLog, ...]:
    return (AccessLog(settings.log_format),) if settings.access_log else ()


def shared_port(obj: JsonObject) -> int | None:
    """The port that the operator gave to a registry behind shared pods; None for one that has pods of its own."""
    api = (obj.get("spec") or {}).get("api") or {}
    if not api.get("enabled", True) or api.get("mode") == "dedicated":
        return None
    port = ((obj.get("status") or {}).get("apiStatus") or {}).get("targetPort")
    return port if isinstance(port, int) else None

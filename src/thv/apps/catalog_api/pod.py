"""The catalog in a cluster: what it serves, and how it learns of it.

In the flow: `thv catalog-api` runs it. It reads what the operator wrote with the rights of its own ServiceAccount, asks
the API server about every caller, and writes nothing but requests for syncs and the sealed sessions of its dashboard; what
callers generate is written with their own tokens.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine, Iterator
from functools import partial

from thv import data
from thv.apps.catalog_api.generation_cluster import on_cluster
from thv.apps.catalog_api.pod_settings import CatalogPodSettings
from thv.apps.catalog_api.wiring import catalog
from thv.apps.dashboard.door import with_pages
from thv.apps.dashboard.providers import Provider
from thv.apps.dashboard.shared import SharedSessions
from thv.apps.kit.authorization import ON_A_CLUSTER, Advice, Authorization
from thv.apps.kit.http.access_log import AccessLog
from thv.apps.kit.http.connection import Responder
from thv.apps.kit.http.dispatch import Access
from thv.apps.kit.http.endpoints import Endpoint
from thv.apps.kit.http.serve import Server
from thv.apps.kit.metrics import Metrics
from thv.apps.kit.metrics_http import HttpFigures, Timed
from thv.apps.kit.metrics_process import process_figures
from thv.apps.kit.metrics_updates import UpdateFigures
from thv.apps.kit.outbound import Outbound, Roots, allow_list
from thv.apps.kit.reviews import KubeReviews
from thv.apps.kit.traces import Tracer
from thv.apps.registry_api.pod_process import now, run_process
from thv.apps.registry_api.settings import Settings as DoorSettings
from thv.clients.kube.client import KubeClient
from thv.clients.kube.config import find_access
from thv.domain.permissions import ways
from thv.domain.roles import SESSIONS
from thv.formats.taxonomy import load_taxonomy
from thv.stores.chunks.configmaps import ConfigMapChunks
from thv.stores.resources.kubernetes import KubernetesStore
from thv.stores.resources.kubernetes_kinds import served


async def run_catalog(settings: CatalogPodSettings, provider: Provider | None = None) -> None:
    """Serves until it is told to stop; raises INVALID for what it cannot work with.

    `provider` signs people in elsewhere, as the settings say.
    """
    await run_process(settings, lambda client: CatalogPod(client, settings, provider))


class CatalogPod:
    """All registries of a cluster."""

    serves = "the catalog of all registries"
    is_bound = True

    def __init__(
        self,
        client: KubeClient,
        settings: CatalogPodSettings,
        provider: Provider | None = None,
    ) -> None:
        self._store = KubernetesStore(client)
        figures, updates = HttpFigures("catalog"), UpdateFigures(now)
        self.tracer = Tracer(settings.traces, "catalog-api") if settings.traces else None
        self.metrics = Metrics(process_figures(), figures.metrics, updates.metrics)
        self.is_ending = False
        authorization = Authorization(
            Timed(KubeReviews(client), figures),
            _advice(settings),
            accept_cluster_audience=settings.accept_cluster_audience,
            ways=ways,
        )
        access_log = (AccessLog(settings.log_format),) if settings.access_log else ()
        meters = (figures, *access_log, *filter(None, [self.tracer]))
        self._door = catalog(
            self._store,
            ConfigMapChunks(self._store),
            settings.data / "models",
            taxonomy=load_taxonomy(data.read("taxonomy.json")),
            settings=_door_settings(settings),
            clock=now,
            authorization=authorization,
            watched=figures.watched,
            meters=meters,
            updated=updates.applied,
            told=settings.catalog,
            generation=_generation(settings, authorization),
            kinds=partial(served, client),
        )
        self.app: Responder = self._door.app
        if settings.dashboard:
            sessions = SharedSessions(self._store, settings.namespace, SESSIONS)
            self.app = with_pages(
                self._door.app,
                has_sign_in=True,
                sessions=sessions,
                provider=provider,
                tries=settings.try_sources,
            )
        self._is_loaded = False

    def is_ready(self) -> bool:
        """Whether everything that there was at the beginning is in the catalog, and the process is not about to end."""
        self._is_loaded = self._is_loaded or self._door.is_at_rest()
        return self._is_loaded and not self.is_ending

    def work(self, _server: Server) -> Iterator[Coroutine[None, None, None]]:
        """What goes on while the server answers, until it is cancelled."""
        yield self._door.follow()

    async def close(self) -> None:
        """Closes connections."""
        await self._store.close()


def _generation(settings: CatalogPodSettings, authorization: Authorization) -> tuple[Endpoint, ...]:
    """What makes registries of chosen servers, each with the token of whoever asks for it."""
    access = find_access(os.environ, kubeconfig=settings.kubeconfig, context=settings.context)
    return on_cluster(
        access,
        os.environ,
        authorization,
        clock=now,
        tried=settings.try_sources,
        outbound=_outbound(settings),
    )


def _outbound(settings: CatalogPodSettings) -> Callable[[], Outbound]:
    """How sources are reached, asked anew for each; raises INVALID at once for what cannot be."""
    allow_list(settings.allow)
    roots = Roots(settings.trust)
    return lambda: Outbound(allow=settings.allow, proxy=settings.proxy, trust=roots())


def _door_settings(settings: CatalogPodSettings) -> DoorSettings:
    return DoorSettings(
        any_host=True,
        cors_origins=settings.cors_origins,
        official_scope=settings.official_scope,
        registry_order=settings.registry_order,
        clients=settings.clients,
    )


def _advice(settings: CatalogPodSettings) -> Advice:
    """One audience for all registries: that of the catalog."""
    audience = settings.audience

    def command(_: Access) -> str:
        return f"kubectl create token SERVICEACCOUNT -n NAMESPACE --audience {audience}"

    return Advice(audience=lambda _: audience, token=command, check=ON_A_CLUSTER.check)

"""The operator put together: which kinds it works with.

In the flow: `main` opens one of these and runs it while it leads.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

from thv import data
from thv.apps.kit.controllers import run_registries
from thv.apps.kit.election import Election
from thv.apps.kit.engine import Engine, Places, Reach
from thv.apps.kit.loop import View, pages
from thv.apps.kit.metrics import Family, Kind, Metrics, Told
from thv.apps.kit.metrics_process import process_figures
from thv.apps.kit.metrics_registries import RegistryFigures
from thv.apps.kit.outbound import Roots, allow_list
from thv.apps.kit.readers import readable
from thv.apps.kit.traces import Tracer
from thv.apps.kit.traces_syncs import traced
from thv.apps.operator.events import Events
from thv.apps.operator.settings import Settings
from thv.clients.kube.client import KubeClient
from thv.domain.canonical import JsonObject
from thv.domain.errors import ThvError
from thv.domain.registry import Registry
from thv.domain.resources import MCP_REGISTRY, metadata_of
from thv.formats.taxonomy import load_taxonomy
from thv.stores.chunks.configmaps import ConfigMapChunks
from thv.stores.resources.fenced import FencedStore
from thv.stores.resources.kubernetes import KubernetesStore
from thv.sync.reconcile import RegistryReconciler
from thv.sync.serving.keeper import OWNED_KINDS
from thv.sync.serving.kubernetes import KubernetesApi

log = logging.getLogger(__name__)

SWEEP_EVERY, SWEEP_SOON = 600, 10
"""Seconds between two looks for state of registries that are gone; the second ones, after a beginning or a failure."""
LEASE_NAME = "toolhive-registry-operator"
DENIED_HINT = "the operator's setting THV_ALLOW opens single hosts, as host:port"


class Operator:
    """The controllers of a cluster; run it, then close it."""

    def __init__(
        self, client: KubeClient, settings: Settings, clock: Callable[[], datetime]
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._namespaces: tuple[str | None, ...] = settings.namespaces or (None,)
        plain = KubernetesStore(client)
        namespace = settings.namespace or client.namespace
        self.election = Election(plain, namespace, LEASE_NAME, settings.identity, clock=clock)
        self._figures = RegistryFigures(clock, lambda: self.election.leads)
        self.tracer = Tracer(settings.traces, "registry-operator") if settings.traces else None
        self._store = FencedStore(plain, self.election.require)
        allow = allow_list(settings.allow)
        chunks = ConfigMapChunks(self._store, limit=settings.chunk_mebibytes << 20)
        self._engine = Engine(
            self._store,
            chunks,
            Places.below(settings.data),
            Reach(
                allow=lambda: allow,
                denied_hint=DENIED_HINT,
                reader=f"{namespace}:{settings.service_account}",
                fetch_backoff=settings.fetch_backoff,
                proxy=settings.proxy,
                trust=Roots(settings.trust),
            ),
            taxonomy=load_taxonomy(data.read("taxonomy.json")),
            clock=clock,
        )
        self._api = KubernetesApi(self._store, settings.api(namespace))
        self._reconciler = RegistryReconciler(
            self._store,
            self._engine.tools,
            api=self._api,
            announcer=Events(self._store, settings.identity, clock),
            ended=traced(self._figures.ended, self.tracer),
            chunk_grace=settings.chunk_grace,
        )

    @property
    def metrics(self) -> Metrics:
        """What the process tells of itself and, while it leads, of the registries."""
        leader = Family("thv_operator_leader", Kind.GAUGE, "1 for the process that leads.")
        leads = Told(leader, lambda: [((), float(self.election.leads))])
        return Metrics(process_figures(), [leads], self._figures.metrics)

    async def run(self) -> None:
        """Stands for election and works while it leads, until it is cancelled."""
        await self.election.run(self._work)

    async def close(self) -> None:
        """Closes connections and files."""
        await self._engine.close()
        await self._store.close()

    async def _work(self) -> None:
        self._api.forget()
        self._figures.clear()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._housekeeping())
            group.create_task(
                run_registries(
                    self._store,
                    self._reconciler.reconcile,
                    self._clock,
                    namespaces=self._namespaces,
                    owned=OWNED_KINDS,
                    saw=lambda obj, gone: self._api.saw(obj, gone=gone),
                    saw_registry=self._figures.saw,
                    workers=self._settings.workers,
                )
            )

    async def _housekeeping(self) -> None:
        """Removes what registries that are gone left behind.

        Twice at the beginning: of one that goes before the watches are there nobody tells.
        """
        pause = SWEEP_SOON
        while True:
            try:
                registries = await self._registries()
                await self._engine.forget_all_but(registries)
                await self._api.sweep(registries, namespaces=self._namespaces)
            except (ThvError, OSError) as error:
                log.warning("housekeeping: %s", error)
                pause = SWEEP_SOON
            await asyncio.sleep(pause)
            pause = SWEEP_EVERY

    async def _registries(self) -> list[Registry]:
        """Every registry that can be read, with no more of it than its name, its source and its API."""
        found: list[Registry] = []
        for namespace in self._namespaces:
            async for page in pages(self._store, View(kind=MCP_REGISTRY, namespace=namespace)):
                found += readable([_essence(obj) for obj in page.items])
        return found


def _essence(obj: JsonObject) -> JsonObject:
    """Labels, filters and status take megabytes where there are many registries."""
    metadata, spec = metadata_of(obj), obj.get("spec") or {}
    return {
        **obj,
        "metadata": {key: metadata[key] for key in ("namespace", "name", "uid") if key in metadata},
        "spec": {key: spec[key] for key in ("source", "api") if key in spec},
        "status": {},
    }

"""The one process: engine, registry API and HTTP server over one data folder.

In the flow: `thv serve` and `thv dev` run it until somebody stops it. Nothing in it decides anything: it joins the
reconcile loop, the door and the server, and ends them in order.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from functools import partial
from pathlib import Path

from thv.apps.catalog_api.generation_wiring import on_machine
from thv.apps.catalog_api.wiring import catalog
from thv.apps.cli.engine import Engine, reach_of
from thv.apps.cli.loader import load
from thv.apps.cli.wiring import Local
from thv.apps.kit.codes import Codes
from thv.apps.kit.controllers import run_registries
from thv.apps.kit.engine import Engine as AnyEngine
from thv.apps.kit.engine import Places
from thv.apps.kit.http.access_log import AccessLog
from thv.apps.kit.http.connection import Responder
from thv.apps.kit.http.endpoints import Endpoint
from thv.apps.kit.http.serve import door_of
from thv.apps.kit.http.server import Meter
from thv.apps.kit.memory import keep_buffers, settle
from thv.apps.kit.open_files import allow_open_files
from thv.apps.kit.operations import told
from thv.apps.kit.tls import shown
from thv.apps.kit.turns import short_turns
from thv.apps.registry_api.wiring import Door, registries
from thv.apps.standalone.access import Callers, callers_of
from thv.apps.standalone.figures import Figures
from thv.apps.standalone.links import told_where
from thv.apps.standalone.settings import Settings
from thv.domain.errors import Code, ThvError
from thv.domain.registry import Registry
from thv.domain.registry_status import ApiPhase, ApiStatus
from thv.stores.chunks.base import ChunkStore
from thv.stores.resources.base import ResourceStore
from thv.sync.api import KnownApi

log = logging.getLogger(__name__)

_SERVER = " on port "
"""Tells a server's lock from one that a command holds until it is done."""
_LOCK_PAUSE = 0.5
SWEEP_EVERY = 600
"""Seconds between two looks for state of registries that are gone."""


@asynccontextmanager
async def running(
    local: Local, settings: Settings, listener: socket.socket
) -> AsyncIterator[asyncio.Future[list[None]]]:
    """The service, until the context ends; what it gives is done earlier only when something broke.

    Raises LOCKED when another process synchronizes this data folder.
    """
    async with shown(settings.tls) as tls, _running(local, settings, listener, tls) as work:
        yield work


@asynccontextmanager
async def _running(
    local: Local, settings: Settings, listener: socket.socket, tls: ssl.SSLContext | None
) -> AsyncIterator[asyncio.Future[list[None]]]:
    codes = Codes(local.home.codes)
    callers = callers_of(settings, codes)
    keep_buffers()
    short_turns()
    allow_open_files()
    if not settings.read_only:
        _take_lock(local, settings)
    figures = Figures.of(local)
    engine = Engine(
        local,
        settings.engine,
        api=KnownApi(lambda registry: _api(settings, registry)),
        ended=figures.registries.ended,
    )
    door = _door(local, settings, figures, callers)
    clients = settings.api.clients
    server = door_of(
        _front(door, settings, callers),
        tls=tls,
        limits=clients.limits,
        trusted_proxies=clients.trusted_proxies,
    )
    settle()
    serving = asyncio.ensure_future(server.serve([listener]))
    work = [asyncio.ensure_future(each) for each in (door.follow(), callers.follow())]
    if not settings.read_only:
        work.append(asyncio.ensure_future(_synchronize(local, settings, engine, figures)))
    together = asyncio.gather(serving, *work)
    try:
        with told_where(local.home, settings):
            async with _operations(settings, figures, tls):
                yield together
    finally:
        server.should_exit = True
        for task in work:
            task.cancel()
        await asyncio.wait([serving, *work])
        await asyncio.gather(together, return_exceptions=True)
        await engine.close()


def _take_lock(local: Local, settings: Settings) -> bool:
    """Makes this process the one that synchronizes the data folder; False while a command does for a moment.

    Raises LOCKED when another server does.
    """
    if local.lock.acquire(f"thv (pid {os.getpid()}){_SERVER}{settings.api.port}"):
        return True
    holder = local.lock.holder()
    if _SERVER in holder:
        raise ThvError(
            Code.LOCKED,
            f"{holder} already synchronizes the data folder {local.home.root}",
            hint="Add --read-only to serve beside it, or choose another folder with --data.",
        )
    return False


async def _synchronize(local: Local, settings: Settings, engine: Engine, figures: Figures) -> None:
    while not _take_lock(local, settings):  # noqa: ASYNC110 # another process holds it
        await asyncio.sleep(_LOCK_PAUSE)
    async with asyncio.TaskGroup() as group:
        group.create_task(
            run_registries(
                local.resources,
                engine.reconciler.reconcile,
                local.clock,
                saw_registry=figures.registries.saw,
            )
        )
        group.create_task(_housekeeping(engine))


async def _housekeeping(engine: Engine) -> None:
    """Removes what registries left behind."""
    while True:
        try:
            await engine.sweep()
        except (ThvError, OSError) as error:
            log.warning("housekeeping: %s", error)
        await asyncio.sleep(SWEEP_EVERY)


def _operations(
    settings: Settings, figures: Figures, tls: ssl.SSLContext | None
) -> AbstractAsyncContextManager[None]:
    """Health and figures, where they are asked for."""
    if settings.operations is None:
        return nullcontext()
    return told(settings.operations, lambda: True, figures.metrics, tls=tls)


def _front(door: Door, settings: Settings, callers: Callers) -> Responder:
    """What connections talk to: pages in front of the catalog, one registry as it is.

    Pages are imported where they are shown: their templates cost some megabytes.
    """
    if settings.only is not None:
        return door.app
    sign_in = settings.sign_in
    made: Responder = load("thv.apps.dashboard.door:with_pages")(
        door.app,
        has_sign_in=callers.authorization is not None,
        hosts=settings.api.hosts,
        take=callers.take,
        provider=load("thv.apps.dashboard.oidc:OidcProvider")(sign_in) if sign_in else None,
    )
    return made


def _door(local: Local, settings: Settings, figures: Figures, callers: Callers) -> Door:
    """One registry at the root, or the catalog of all."""
    serve = (
        partial(catalog, told=settings.catalog, generation=_generation(local, settings, callers))
        if settings.only is None
        else partial(registries, only=settings.only)
    )
    return serve(
        local.resources,
        local.chunks,
        local.home.models,
        taxonomy=local.taxonomy,
        settings=settings.api,
        clock=local.clock,
        authorization=callers.authorization,
        owner=callers.owner,
        watched=figures.requests.watched,
        meters=_meters(settings, figures),
        updated=figures.updates.applied,
    )


def _generation(local: Local, settings: Settings, callers: Callers) -> tuple[Endpoint, ...]:
    """What makes registries of the catalog's servers, for whoever may."""
    return on_machine(
        local.resources,
        callers.authorization or callers.owner,
        address=settings.url_of,
        clock=local.clock,
        read_only=settings.read_only,
        by_owner=callers.owner is not None,
        open_reading=partial(_reading, local, settings),
    )


def _reading(
    local: Local, settings: Settings, store: ResourceStore, chunks: ChunkStore, folder: Path
) -> AnyEngine:
    """An engine that reads sources as ours does, with what somebody else may read."""
    places, reach = Places.below(folder), reach_of(local, settings.engine)
    return AnyEngine(store, chunks, places, reach, taxonomy=local.taxonomy, clock=local.clock)


def _meters(settings: Settings, figures: Figures) -> tuple[Meter, ...]:
    counted = (figures.requests,) if settings.operations else ()
    return (*counted, AccessLog()) if settings.api.access_log else counted


def _api(settings: Settings, registry: Registry) -> ApiStatus | None:
    key = (registry.namespace, registry.name)
    if not registry.spec.api.enabled or settings.only not in (None, key):
        return None
    return ApiStatus(phase=ApiPhase.READY, endpoint=settings.url_of(*key), ready_replicas=1)

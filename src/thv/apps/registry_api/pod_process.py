"""The process of a door in a cluster, from its settings to its end.

In the flow: `thv registry-api` runs it in a pod of the operator's making, `thv catalog-api` in its own. Told to stop, it first says that it is no
longer ready, answers on for a while, and lets open requests finish.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import ssl
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Protocol

from thv.apps.kit.addresses import listen_address
from thv.apps.kit.http.clients import ClientSettings
from thv.apps.kit.http.connection import Responder
from thv.apps.kit.http.serve import Server, door_of
from thv.apps.kit.logs import LogFormat, LogLevel, log_lines
from thv.apps.kit.memory import keep_buffers, settle
from thv.apps.kit.metrics import Metrics
from thv.apps.kit.open_files import allow_open_files
from thv.apps.kit.operations import told
from thv.apps.kit.tls import KeyPair, shown
from thv.apps.kit.traces import Tracer, sending
from thv.apps.kit.turns import short_turns
from thv.apps.registry_api.pod import Pod
from thv.apps.registry_api.pod_settings import PodSettings
from thv.apps.registry_api.ports import sockets
from thv.clients.kube.client import KubeClient
from thv.clients.kube.config import from_environment
from thv.clients.kube.errors import KubeConfigError
from thv.domain.errors import Code, ThvError

log = logging.getLogger(__name__)


class ProcessSettings(Protocol):
    """What every process of a door may need to know; see `PodSettings`."""

    @property
    def kubeconfig(self) -> str: ...
    @property
    def context(self) -> str: ...
    @property
    def listen(self) -> str: ...
    @property
    def listen_operations(self) -> str: ...
    @property
    def tls(self) -> KeyPair | None: ...
    @property
    def drain(self) -> float: ...
    @property
    def clients(self) -> ClientSettings: ...
    @property
    def log_level(self) -> LogLevel: ...
    @property
    def log_format(self) -> LogFormat: ...


class Process(Protocol):
    """A door, and what goes on behind it."""

    app: Responder
    tracer: Tracer | None
    metrics: Metrics
    is_ending: bool
    """Set when requests should go elsewhere."""
    serves: str
    """What it serves, for people."""
    is_bound: bool
    """Whether it answers where the settings say; else it opens ports itself."""

    def is_ready(self) -> bool: ...
    def work(self, server: Server, /) -> Iterator[Coroutine[None, None, None]]: ...
    async def close(self) -> None: ...


async def run_pod(settings: PodSettings) -> None:
    """Serves registries until it is told to stop; raises INVALID for what it cannot work with."""
    await run_process(settings, lambda client: Pod(client, settings, now))


def now() -> datetime:
    """The time of a process."""
    return datetime.now(UTC)


async def run_process(settings: ProcessSettings, make: Callable[[KubeClient], Process]) -> None:
    """Serves until it is told to stop; raises INVALID for what it cannot work with."""
    log_lines(settings.log_level, settings.log_format)
    keep_buffers()
    short_turns()
    allow_open_files()
    client = _client(settings)
    pod = make(client)
    log.info("serving %s on %s", pod.serves, client.server)
    listen = listen_address(settings.listen_operations)
    async with shown(settings.tls) as tls, told(listen, pod.is_ready, pod.metrics, tls=tls):
        try:
            async with sending(pod.tracer):
                await _serve(pod, settings, tls)
        finally:
            await pod.close()


async def _serve(pod: Process, settings: ProcessSettings, tls: ssl.SSLContext | None) -> None:
    listeners = _bound(settings.listen) if pod.is_bound else []
    clients = settings.clients
    server = door_of(
        pod.app, tls=tls, limits=clients.limits, trusted_proxies=clients.trusted_proxies
    )
    settle()
    with _told_to_stop() as stop:
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(server.serve(listeners))
            work = [group.create_task(each) for each in pod.work(server)]
            await stop.wait()
            log.info("told to stop; answering for %.0f s more", settings.drain)
            pod.is_ending = True
            server.say_last_answers()
            await asyncio.sleep(settings.drain)
            server.should_exit = True
            await serving
            for task in work:
                task.cancel()


def _client(settings: ProcessSettings) -> KubeClient:
    try:
        return from_environment(
            os.environ, kubeconfig=settings.kubeconfig, context=settings.context
        )
    except KubeConfigError as error:
        raise ThvError(
            Code.INVALID, error.message, hint="Set KUBECONFIG, or run it in a pod."
        ) from error


def _bound(listen: str) -> list[socket.socket]:
    try:
        return sockets(*listen_address(listen))
    except OSError as error:
        raise ThvError(
            Code.INVALID,
            f"cannot listen on {listen}: {error.strerror}",
            hint="Give another address with --listen.",
        ) from error


@contextmanager
def _told_to_stop() -> Iterator[asyncio.Event]:
    """Set by SIGTERM and Ctrl-C; the second one ends at once."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def told_so() -> None:
        stop.set()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told_so)
    yield stop

"""The process of the registry API in a cluster, from its settings to its end.

In the flow: `thv registry-api` runs it in a pod of the operator's making. Told to stop, it first says that it is no
longer ready, answers on for a while, and lets open requests finish.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from thv.apps.kit.addresses import listen_address
from thv.apps.kit.http.serve import door_of
from thv.apps.kit.logs import log_lines
from thv.apps.kit.memory import keep_buffers
from thv.apps.kit.open_files import allow_open_files
from thv.apps.kit.operations import told
from thv.apps.kit.tls import shown
from thv.apps.kit.traces import sending
from thv.apps.registry_api.pod import Pod
from thv.apps.registry_api.pod_settings import PodSettings
from thv.apps.registry_api.ports import sockets
from thv.clients.kube.client import KubeClient
from thv.clients.kube.config import from_environment
from thv.clients.kube.errors import KubeConfigError
from thv.domain.errors import Code, ThvError

log = logging.getLogger(__name__)


async def run_pod(settings: PodSettings) -> None:
    """Serves until it is told to stop; raises INVALID for what it cannot work with."""
    log_lines(settings.log_level, settings.log_format)
    keep_buffers()
    allow_open_files()
    client = _client(settings)
    pod = Pod(client, settings, lambda: datetime.now(UTC))
    log.info(
        "serving %s of the namespace %s on %s",
        settings.registry or "the registries that share a process",
        settings.namespace,
        client.server,
    )
    listen = listen_address(settings.listen_operations)
    async with shown(settings.tls) as tls, told(listen, pod.is_ready, pod.metrics, tls=tls):
        try:
            async with sending(pod.tracer):
                await _serve(pod, settings, tls)
        finally:
            await pod.close()


async def _serve(pod: Pod, settings: PodSettings, tls: ssl.SSLContext | None) -> None:
    listeners = [] if settings.shared else _bound(settings.listen)
    clients = settings.clients
    server = door_of(
        pod.app, tls=tls, limits=clients.limits, trusted_proxies=clients.trusted_proxies
    )
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


def _client(settings: PodSettings) -> KubeClient:
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

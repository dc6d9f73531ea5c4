"""The operator's process, from its settings to its end.

In the flow: `thv operator` runs it in the image; on Kubernetes a Deployment keeps one or several of it, of which
one works.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from contextlib import suppress
from datetime import UTC, datetime

from thv.apps.kit.addresses import listen_address
from thv.apps.kit.logs import log_lines
from thv.apps.kit.memory import keep_buffers
from thv.apps.kit.operations import told
from thv.apps.kit.tls import shown
from thv.apps.kit.traces import sending
from thv.apps.operator.settings import Settings
from thv.apps.operator.wiring import Operator
from thv.clients.kube.config import from_environment
from thv.clients.kube.errors import KubeConfigError
from thv.domain.errors import Code, ThvError

log = logging.getLogger(__name__)


async def run_operator(settings: Settings) -> None:
    """Works until it is told to stop; raises INVALID and STORE_UNAVAILABLE for what it cannot work with."""
    log_lines(settings.log_level, settings.log_format)
    keep_buffers()
    try:
        client = from_environment(
            os.environ, kubeconfig=settings.kubeconfig, context=settings.context
        )
    except KubeConfigError as error:
        raise ThvError(
            Code.INVALID, str(error), hint="Set KUBECONFIG, or run it in a pod."
        ) from error
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    operator = Operator(client, settings, lambda: datetime.now(UTC))
    listen = listen_address(settings.listen)
    async with shown(settings.tls) as tls, told(listen, lambda: True, operator.metrics, tls=tls):
        log.info("operator %s on %s", settings.identity, client.server)
        try:
            async with sending(operator.tracer):
                await _until_stopped(operator)
        finally:
            await operator.close()


async def _until_stopped(operator: Operator) -> None:
    working = asyncio.ensure_future(operator.run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, working.cancel)
    with suppress(asyncio.CancelledError):
        await working

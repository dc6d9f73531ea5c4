"""Runs an ASGI application in this process and this event loop.

In the flow: the last line of a door's wiring. One process serves: a second one would need read models of its
own; on Kubernetes there are replicas for that.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeAlias

import uvicorn

from thv.apps.kit.http.server import Receive, Scope, Send

Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
"""What the ASGI standard calls one."""

GRACE = 10
"""Seconds that open requests have when the process is told to stop."""


class Server(uvicorn.Server):
    """A server that leaves signals to whoever runs the process, and that takes sockets while it runs."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._begun = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn does, and lets those in who wait for it."""
        await super().startup(sockets)
        self._begun.set()

    async def listen(self, listener: socket.socket) -> asyncio.AbstractServer:
        """Serves one more bound socket, once the server runs; closing what comes back ends that."""
        await self._begun.wait()
        config = self.config

        def protocol() -> asyncio.Protocol:
            made: asyncio.Protocol = config.http_protocol_class(  # type: ignore[call-arg] # as uvicorn itself calls it
                config=config, server_state=self.server_state, app_state=self.lifespan.state
            )
            return made

        loop = asyncio.get_running_loop()
        opened = await loop.create_server(
            protocol, sock=listener, ssl=config.ssl, backlog=config.backlog
        )
        self.servers = [each for each in self.servers if each.is_serving()]
        self.servers.append(opened)
        return opened

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Takes none."""
        yield


def server_of(
    app: Application, *, tls: ssl.SSLContext | None = None, access_log: bool = False
) -> Server:
    """A server to be run with `await server.serve(sockets=[...])`; `server.should_exit = True` ends it.

    With `tls` it speaks HTTPS on every socket.
    """
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        ssl_context_factory=(lambda *_: tls) if tls else None,
        access_log=access_log,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=GRACE,
    )
    return Server(config)


def listening(host: str, port: int) -> socket.socket:
    """A bound socket; port 0 takes a free one. Binding here tells early that an address is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        bound.set_inheritable(True)
    except OSError:
        bound.close()
        raise
    return bound

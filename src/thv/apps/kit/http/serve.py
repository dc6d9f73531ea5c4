"""Runs an ASGI application in this process and this event loop.

In the flow: the last line of a door's wiring. One process serves: a second one would need read models of its
own; on Kubernetes there are replicas for that.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, TypeAlias

import uvicorn
from uvicorn.server import ServerState

from thv.apps.kit.http.connection import Connection, Responder
from thv.apps.kit.http.proxies import Proxies
from thv.apps.kit.http.server import Receive, Scope, Send
from thv.apps.kit.http.traffic import Limits, Traffic

Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
"""What the ASGI standard calls one."""

GRACE = 10
"""Seconds that open requests have when the process is told to stop."""


class Server(uvicorn.Server):
    """A server that leaves signals to whoever runs the process, and that takes sockets while it runs."""

    def __init__(self, config: uvicorn.Config, traffic: Traffic | None = None) -> None:
        super().__init__(config)
        self._begun = asyncio.Event()
        self._traffic = traffic

    def say_last_answers(self) -> None:
        """From now on each connection ends with its next answer: new ones go elsewhere."""
        if self._traffic is not None:
            self._traffic.is_ending = True

    async def on_tick(self, counter: int) -> bool:
        """As uvicorn does, ten times a second, and ends what takes too long."""
        if self._traffic is not None:
            self._traffic.sweep()
        return await super().on_tick(counter)

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


def server_of(app: Application, *, tls: ssl.SSLContext | None = None) -> Server:
    """A server to be run with `await server.serve(sockets=[...])`; `server.should_exit = True` ends it.

    With `tls` it speaks HTTPS on every socket.
    """
    return Server(_config(app, tls, http="httptools"))


def door_of(
    responder: Responder,
    *,
    tls: ssl.SSLContext | None = None,
    limits: Limits | None = None,
    trusted_proxies: Sequence[str] = (),
) -> Server:
    """The same for a door: what its clients may cost is bounded, and what waits for nobody is answered at once."""
    traffic = Traffic(limits)
    proxies = Proxies(trusted_proxies) if trusted_proxies else None

    def connection(*, server_state: ServerState, **_: Any) -> Connection:
        return Connection(responder, traffic, server_state, proxies)

    return Server(_config(responder, tls, http=connection), traffic)


def _config(app: Any, tls: ssl.SSLContext | None, *, http: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="uvloop",
        http=http,
        interface="asgi3",
        ws="none",
        lifespan="off",
        ssl_context_factory=(lambda *_: tls) if tls else None,
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=GRACE,
    )


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

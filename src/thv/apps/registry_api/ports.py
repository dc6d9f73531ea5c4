"""Many registries behind one process, each on a port of its own.

In the flow: the operator chooses the ports and points a Service at each; here they are opened and closed as
registries come and go. A request finds its registry by the port that it came to.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable

from thv.apps.kit.addresses import is_loopback, is_wildcard
from thv.apps.kit.http.connection import Responder
from thv.apps.kit.http.dispatch import Context
from thv.apps.kit.http.message import Reply, Request
from thv.apps.kit.http.problems import ProblemError
from thv.apps.kit.http.serve import Server, listening
from thv.apps.registry_api.follow import Key

log = logging.getLogger(__name__)

_TRY_AGAIN = 2.0
_NOBODY = Reply(404, [(b"content-length", b"0")], b"", is_last=True)
"""On a connection to a port that was closed meanwhile."""


class Ports:
    """Answers for the registries that answer at their ports."""

    def __init__(self, host: str, make: Callable[[Key], Responder]) -> None:
        """`make` gives what answers for a registry."""
        self._host = host
        self._make = make
        self._wanted: dict[Key, int] = {}
        self._apps: dict[int, tuple[Key, Responder]] = {}
        self._open: dict[int, list[asyncio.AbstractServer]] = {}
        self._changed = asyncio.Event()
        self.is_at_rest = False
        """Whether every port is open that is wanted, but for those that somebody else holds."""

    # ------------------------------------------------------------ requests

    def respond(self, request: Request, context: Context) -> Reply | Awaitable[Reply]:
        """The answer of the registry of the port."""
        found = self._apps.get(request.port)
        return _NOBODY if found is None else found[1].respond(request, context)

    def refuse(self, request: Request, context: Context, problem: ProblemError) -> Reply:
        """As the registry of the port says it."""
        found = self._apps.get(request.port)
        return _NOBODY if found is None else found[1].refuse(request, context, problem)

    def done(self, request: Request, context: Context, *, sent: bool) -> None:
        """The registry of the port is told, if it is still there."""
        found = self._apps.get(request.port)
        if found is not None:
            found[1].done(request, context, sent=sent)

    # ------------------------------------------------------------ ports

    def want(self, key: Key, port: int | None) -> None:
        """A registry is to answer at this port from now on; None: at none."""
        if port == self._wanted.get(key):
            return
        if port is None:
            del self._wanted[key]
        else:
            self._wanted[key] = port
        self.is_at_rest = False
        self._changed.set()

    async def run(self, server: Server) -> None:
        """Opens and closes ports of this server until it is cancelled."""
        while True:
            self._changed.clear()
            is_done = await self._settle(server)
            self.is_at_rest = not self._changed.is_set()
            try:
                async with asyncio.timeout(None if is_done else _TRY_AGAIN):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def _settle(self, server: Server) -> bool:
        """Whether everything is as it should be; a port that somebody else holds is tried again."""
        owners = {port: key for key, port in self._wanted.items()}
        for port in self._open.keys() - owners.keys():
            for opened in self._open.pop(port):
                opened.close()
        for port in self._apps.keys() - owners.keys():
            del self._apps[port]
        for port, key in owners.items():
            if port not in self._apps or self._apps[port][0] != key:
                self._apps[port] = (key, self._make(key))
        missing = owners.keys() - self._open.keys()
        return all([await self._opened(server, port, owners[port]) for port in sorted(missing)])

    async def _opened(self, server: Server, port: int, key: Key) -> bool:
        try:
            bound = sockets(self._host, port)
        except OSError as error:
            log.warning("%s/%s: cannot listen on port %d: %s", *key, port, error.strerror)
            return False
        self._open[port] = [await server.listen(each) for each in bound]
        return True


def sockets(host: str, port: int) -> list[socket.socket]:
    """The address, and the loopback of the pod: there `kubectl port-forward` comes in. Raises OSError."""
    first = listening(host, port)
    if is_loopback(host) or is_wildcard(host):
        return [first]
    try:
        return [first, listening("127.0.0.1", first.getsockname()[1])]
    except OSError as error:
        log.info("no port-forward to port %d: %s", port, error.strerror)
        return [first]

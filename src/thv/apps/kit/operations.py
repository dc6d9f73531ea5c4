"""The port of a server process that only its platform asks: is it alive, is it ready, and its figures.

In the flow: beside whatever the process does. It looks at no dependency: who restarts a process because another one
is away makes things worse.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from thv.apps.kit.http.message import headers_of
from thv.apps.kit.http.serve import listening, server_of
from thv.apps.kit.http.server import Receive, Scope, Send
from thv.apps.kit.metrics import Metrics
from thv.domain.errors import Code, ThvError

_ALIVE = frozenset({"/healthz", "/livez", "/health"})
_READY = frozenset({"/readyz", "/readiness"})
_FIGURES = "/metrics"
_JSON = b"application/json"


class Operations:
    """An ASGI application that tells how the process is."""

    def __init__(self, is_ready: Callable[[], bool], metrics: Metrics) -> None:
        self._is_ready = is_ready
        self._metrics = metrics

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answers one request."""
        status, kind, body = self._answer(scope)
        shown = b"" if scope["method"] == "HEAD" else body
        headers = [
            (b"content-type", kind),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": shown})

    def _answer(self, scope: Scope) -> tuple[int, bytes, bytes]:
        """Status, type and body."""
        if scope["method"] in ("GET", "HEAD") and scope["path"] == _FIGURES:
            accept = headers_of(scope["headers"]).get(b"accept", b"")
            return 200, *self._metrics.written(accept.decode("latin-1"))
        status, word = self._health(scope["path"])
        if scope["method"] not in ("GET", "HEAD"):
            status, word = 405, "method not allowed"
        return status, _JSON, b'{"status": "%s"}\n' % word.encode()

    def _health(self, path: str) -> tuple[int, str]:
        if path in _ALIVE:
            return 200, "ok"
        if path in _READY:
            return (200, "ok") if self._is_ready() else (503, "not ready")
        return 404, "not found"


@asynccontextmanager
async def told(
    listen: tuple[str, int],
    is_ready: Callable[[], bool],
    metrics: Metrics,
    *,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[None]:
    """Answers there until the context ends; raises INVALID for an address that cannot be had."""
    listener = _bound(*listen)
    server = server_of(Operations(is_ready, metrics), tls=tls)
    serving = asyncio.ensure_future(server.serve([listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving
        listener.close()


def _bound(host: str, port: int) -> socket.socket:
    try:
        return listening(host, port)
    except OSError as error:
        raise ThvError(
            Code.INVALID,
            f"cannot listen on {host}:{port}: {error.strerror}",
            hint="Give another address with --listen-operations.",
        ) from error

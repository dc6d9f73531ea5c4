"""Kept connections, one pool a target, and the TLS settings that they share.

In the flow: `client` borrows a pool for each hop. Targets differ when anything that was judged differs: scheme,
host, port, the allow-list's word, the trust roots; a connection is never used under a judgement it was not made for.
"""

from __future__ import annotations

import hashlib
import ssl
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpcore2
import msgspec

from thv.clients.http.connect import GuardedBackend
from thv.clients.http.errors import TlsError
from thv.clients.http.proxy import Proxy
from thv.clients.http.resolve import Resolve
from thv.clients.http.url import Origin, Url

_MOST_CONTEXTS = 32


class Target(msgspec.Struct, frozen=True):
    """What a pool is for."""

    origin: Origin
    opened: bool
    trust: bytes
    """Extra trust roots, PEM; `b""` for those of the system alone."""


class _Kept:
    def __init__(self, pool: httpcore2.AsyncConnectionPool) -> None:
        self.pool = pool
        self.users = 0


class Pools:
    """Pools by target; the longest unused ones beyond `most` are closed."""

    def __init__(
        self,
        resolve: Resolve,
        dial: httpcore2.AsyncNetworkBackend,
        proxy: Proxy | None,
        *,
        most: int,
        connections: int,
        keep_alive: float,
    ) -> None:
        """`connections` a target at once; `keep_alive` is in seconds."""
        self._resolve = resolve
        self._dial = dial
        self._proxy = proxy
        self._most = most
        self._connections = connections
        self._keep_alive = keep_alive
        self._kept: OrderedDict[Target, _Kept] = OrderedDict()
        self._contexts: OrderedDict[bytes, ssl.SSLContext] = OrderedDict()

    @asynccontextmanager
    async def pool(self, url: Url, target: Target) -> AsyncIterator[httpcore2.AsyncConnectionPool]:
        """The pool for requests to this target, not closed while it is in use."""
        kept = self._kept.get(target)
        if kept is None:
            kept = self._kept[target] = _Kept(self._new_pool(url, target))
        self._kept.move_to_end(target)
        kept.users += 1
        try:
            yield kept.pool
        finally:
            kept.users -= 1
            await self._close_surplus()

    async def close(self) -> None:
        """Closes every connection."""
        kept, self._kept = list(self._kept.values()), OrderedDict()
        for each in kept:
            await each.pool.aclose()

    async def _close_surplus(self) -> None:
        surplus = len(self._kept) - self._most
        if surplus <= 0:
            return
        idle = [target for target, kept in self._kept.items() if not kept.users][:surplus]
        for kept in [self._kept.pop(target) for target in idle]:
            await kept.pool.aclose()

    def _new_pool(self, url: Url, target: Target) -> httpcore2.AsyncConnectionPool:
        proxy = self._proxy if self._proxy and self._proxy.carries(url.host) else None
        via = proxy.place if proxy else None
        return httpcore2.AsyncConnectionPool(
            ssl_context=self._context(target.trust) if url.scheme == "https" else None,
            proxy=self._through(proxy, via, target.trust) if proxy and via else None,
            max_connections=self._connections,
            keepalive_expiry=self._keep_alive,
            network_backend=GuardedBackend(
                url, opened=target.opened, resolve=self._resolve, dial=self._dial, proxy=via
            ),
        )

    def _through(self, proxy: Proxy, via: Url, trust: bytes) -> httpcore2.Proxy:
        return httpcore2.Proxy(
            httpcore2.URL(
                scheme=via.scheme.encode(), host=via.host.encode(), port=via.port, target=b"/"
            ),
            auth=(proxy.username.encode(), proxy.password.encode()) if proxy.username else None,
            ssl_context=self._context(trust) if via.scheme == "https" else None,
        )

    def _context(self, trust: bytes) -> ssl.SSLContext:
        """Built when first needed, it costs 50 ms, and shared by all who trust the same roots."""
        key = hashlib.sha256(trust).digest()
        if key not in self._contexts:
            self._contexts[key] = _context_trusting(trust)
            if len(self._contexts) > _MOST_CONTEXTS:
                self._contexts.popitem(last=False)
        return self._contexts[key]


def _context_trusting(trust: bytes) -> ssl.SSLContext:
    context: ssl.SSLContext = httpcore2.default_ssl_context()
    if trust:
        try:
            context.load_verify_locations(cadata=trust.decode("ascii"))
        except (ssl.SSLError, UnicodeDecodeError, ValueError) as e:
            raise TlsError("the extra trust roots are no PEM certificates") from e
    return context

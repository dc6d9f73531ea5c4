"""The client: a guarded GET or POST whose time, size and trail are bounded.

In the flow: called by adapters; below it `guard` decides and `connect` obeys. Requests go out one hop at a time, so
that every redirect is judged like a first URL and credentials stay with their origin. No cookies, no automatic
decoding, no environment.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from types import TracebackType
from typing import Self

import httpcore2
import msgspec

from thv.clients.http.echo import Echo
from thv.clients.http.errors import TooManyRedirectsError
from thv.clients.http.guard import (
    NOTHING,
    AllowList,
    Credential,
    after_redirect,
    require_header,
    require_scheme,
)
from thv.clients.http.pools import Pools, Target
from thv.clients.http.proxy import Proxy
from thv.clients.http.resolve import Resolve, resolve_by_system
from thv.clients.http.response import Budget, Limits, Response
from thv.clients.http.translation import translated
from thv.clients.http.url import Url, parse_url

# At debug level the library logs headers of answers, which may echo what must stay secret.
logging.getLogger("httpcore2").setLevel(logging.INFO)

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class HttpSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What is the same for all requests of one client."""

    user_agent: str = "toolhive-registry"
    proxy: Proxy | None = None
    connections: int = 8
    """To one target at once."""
    targets: int = 64
    """Whose connections are kept."""
    keep_alive: float = 30.0


class HttpClient:
    """GET and POST for URLs that somebody else chose."""

    def __init__(
        self,
        resolve: Resolve = resolve_by_system,
        settings: HttpSettings = HttpSettings(),  # noqa: B008  # a frozen value
        dial: httpcore2.AsyncNetworkBackend | None = None,
    ) -> None:
        """`dial` opens sockets to addresses; tests watch or replace it."""
        self._settings = settings
        self._pools = Pools(
            resolve,
            dial or httpcore2.AnyIOBackend(),
            settings.proxy,
            most=settings.targets,
            connections=settings.connections,
            keep_alive=settings.keep_alive,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes all kept connections."""
        await self._pools.close()

    @asynccontextmanager
    async def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        credentials: Sequence[Credential] = (),
        allow: AllowList = NOTHING,
        trust: bytes = b"",
        limits: Limits = Limits(),  # noqa: B008  # a frozen value
    ) -> AsyncIterator[Response]:
        """The answer of the last hop, whatever its status, open while the context is; raises HttpError.

        `headers` go along every redirect, `credentials` only where they belong; once dropped they stay dropped.
        `trust` holds extra trust roots, PEM.
        """
        target = first = parse_url(url)
        budget, echo = Budget(limits.total, first), Echo(credentials)
        for hop in range(limits.redirects + 1):
            credentials = [each for each in credentials if each.fits(first.origin, target.origin)]
            request = _request(target, self._headers(target, headers or {}, credentials), limits)
            pool = self._pool(target, allow, trust)
            async with pool as lent, _exchange(lent, target, request, budget) as answer:
                response = Response(target, answer, budget, limits, hops=hop, echo=echo)
                location = response.headers.get("location")
                if response.status not in _REDIRECTS or location is None:
                    yield response
                    await response.drain()
                    return
                await response.drain()
            target = after_redirect(target, location)
        raise TooManyRedirectsError(f"{first} redirects more than {limits.redirects} times")

    @asynccontextmanager
    async def post(
        self,
        url: str,
        body: bytes,
        *,
        headers: Mapping[str, str] | None = None,
        credentials: Sequence[Credential] = (),
        allow: AllowList = NOTHING,
        trust: bytes = b"",
        limits: Limits = Limits(),  # noqa: B008  # a frozen value
    ) -> AsyncIterator[Response]:
        """The answer to a body, whatever its status; a redirect is an answer, so that the body goes nowhere else."""
        target = parse_url(url)
        budget, echo = Budget(limits.total, target), Echo(credentials)
        fitting = [each for each in credentials if each.fits(target.origin, target.origin)]
        sent = self._headers(target, headers or {}, fitting)
        request = _request(target, [*sent, _length(body)], limits, body)
        pool = self._pool(target, allow, trust)
        async with pool as lent, _exchange(lent, target, request, budget) as answer:
            response = Response(target, answer, budget, limits, hops=0, echo=echo)
            yield response
            await response.drain()

    def _pool(
        self, target: Url, allow: AllowList, trust: bytes
    ) -> AbstractAsyncContextManager[httpcore2.AsyncConnectionPool]:
        """Connections to a target, once the guard lets it pass."""
        opened = allow.opens(target.host, target.port)
        require_scheme(target, opened=opened)
        return self._pools.pool(target, Target(target.origin, opened, trust))

    def _headers(
        self, url: Url, headers: Mapping[str, str], credentials: Sequence[Credential]
    ) -> list[tuple[bytes, bytes]]:
        """Later ones win; each name is sent once."""
        given = [*headers.items(), *(pair for each in credentials for pair in each.headers)]
        for name, value in given:
            require_header(name, value)
        chosen = {name.lower(): (name, value) for name, value in given}
        chosen.setdefault("user-agent", ("User-Agent", self._settings.user_agent))
        fixed = [("Host", url.authority), ("Accept-Encoding", "gzip")]
        return [(name.encode(), value.encode()) for name, value in [*fixed, *chosen.values()]]


@asynccontextmanager
async def _exchange(
    pool: httpcore2.AsyncConnectionPool, url: Url, request: httpcore2.Request, budget: Budget
) -> AsyncIterator[httpcore2.Response]:
    """One request, one answer."""
    with translated(url):
        answer = await budget.spend(pool.handle_async_request(request))
    async with aclosing(answer):
        yield answer


def _length(body: bytes) -> tuple[bytes, bytes]:
    return b"Content-Length", str(len(body)).encode()


def _request(
    url: Url, headers: list[tuple[bytes, bytes]], limits: Limits, body: bytes | None = None
) -> httpcore2.Request:
    """A POST where there is a body."""
    return httpcore2.Request(
        b"GET" if body is None else b"POST",
        httpcore2.URL(
            scheme=url.scheme.encode(),
            host=url.host.encode(),
            port=url.port,
            target=url.target.encode(),
        ),
        headers=headers,
        content=body,
        extensions={
            "timeout": {
                "connect": limits.connect,
                "read": limits.read,
                "write": limits.read,
                "pool": limits.total,
            }
        },
    )

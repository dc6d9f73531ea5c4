"""Sockets to judged addresses only: resolve, check all, connect to one of the checked.

In the flow: called by the connection pool whenever it needs a new connection, on every redirect hop alike. A
connection that is kept alive goes on to the address it was made to; only a new one asks the resolver again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

import httpcore2
import msgspec

from thv.clients.http.errors import NameUnknownError
from thv.clients.http.guard import matches_host
from thv.clients.http.resolve import Resolve, resolve_checked
from thv.clients.http.url import Url, parse_url

_MOST_ATTEMPTS = 4

SocketOption = (
    tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]
)


class Proxy(msgspec.Struct, frozen=True, kw_only=True):
    """The outbound proxy, an explicit setting of an administrator; the environment is never asked."""

    url: str
    """`http://proxy.corp:3128`, without user name and password."""
    username: str = ""
    password: str = ""
    direct: tuple[str, ...] = ()
    """Hosts that are reached without it: names, addresses, `*.corp.example`."""

    def __repr__(self) -> str:
        return f"Proxy({parse_url(self.url)})"

    def carries(self, host: str) -> bool:
        return not matches_host(host, self.direct)


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Opens the connections of one target."""

    def __init__(
        self,
        target: Url,
        *,
        opened: bool,
        resolve: Resolve,
        dial: httpcore2.AsyncNetworkBackend,
        proxy: Url | None = None,
    ) -> None:
        """`opened`: the allow-list names the target; `dial` opens sockets to addresses."""
        self._target = target
        self._opened = opened
        self._resolve = resolve
        self._dial = dial
        self._proxy = proxy

    async def connect_tcp(
        self,
        host: str,  # noqa: ARG002  # the interface's
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,  # noqa: ARG002
        socket_options: Iterable[SocketOption] | None = None,  # noqa: ARG002
    ) -> httpcore2.AsyncNetworkStream:
        """Host and port are those of the target or the proxy, which this backend knows already."""
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._addresses()
                return await self._first_answering(addresses, port, timeout or 60.0)
        except TimeoutError as e:
            raise httpcore2.ConnectTimeout(str(e)) from e

    async def _addresses(self) -> tuple[str, ...]:
        if self._proxy is None:
            return await self._judged(self._target, opened=self._opened)
        await self._judge_behind_proxy()
        return await self._judged(self._proxy, opened=True)

    async def _judge_behind_proxy(self) -> None:
        """The proxy resolves names itself; what this machine can resolve must pass all the same."""
        try:
            await self._judged(self._target, opened=self._opened)
        except NameUnknownError:
            return

    async def _judged(self, url: Url, *, opened: bool) -> tuple[str, ...]:
        return await resolve_checked(
            self._resolve, url.host, url.port, is_address=url.is_address, opened=opened
        )

    async def _first_answering(
        self, addresses: Sequence[str], port: int, seconds: float
    ) -> httpcore2.AsyncNetworkStream:
        tried = addresses[:_MOST_ATTEMPTS]
        for address in tried[:-1]:
            try:
                return await self._dial.connect_tcp(address, port, timeout=seconds / len(tried))
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue
        return await self._dial.connect_tcp(tried[-1], port, timeout=seconds)

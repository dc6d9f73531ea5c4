"""Sockets to judged addresses only: resolve, check all, connect to one of the checked.

In the flow: called by the connection pool whenever it needs a new connection, on every redirect hop alike. A
connection that is kept alive goes on to the address it was made to; only a new one asks the resolver again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

import httpcore2

from thv.clients.http.resolve import Resolve, judge_behind_proxy, resolve_checked
from thv.clients.http.url import Url

_MOST_ATTEMPTS = 4

SocketOption = (
    tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]
)


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
        await judge_behind_proxy(
            self._resolve,
            self._target.host,
            self._target.port,
            is_address=self._target.is_address,
            opened=self._opened,
        )
        return await self._judged(self._proxy, opened=True)

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

"""Names to addresses, each of them judged.

In the flow: right before a connection is made, and never again for that connection: whoever connects takes what
`resolve_checked` returned and resolves nothing a second time, so that a name cannot change its answer in between.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from thv.clients.http.errors import NameUnknownError
from thv.clients.http.guard import checked
from thv.clients.http.proxy import require_resolvable_by_proxy

_PATIENCE_BEHIND_PROXY = 2.0

Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host name for a port, best first; raises NameUnknownError."""


async def resolve_by_system(host: str, port: int) -> list[str]:
    """What the operating system knows."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as e:
        raise NameUnknownError(f"the name {host} has no address") from e
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


async def resolve_checked(
    resolve: Resolve, host: str, port: int, *, is_address: bool, opened: bool
) -> tuple[str, ...]:
    """The addresses to connect to; raises AddressDeniedError when any one of them may not be reached."""
    addresses = [host] if is_address else await resolve(host, port)
    if not addresses:
        raise NameUnknownError(f"the name {host} has no address")
    return checked(host, port, addresses, opened=opened)


async def judge_behind_proxy(
    resolve: Resolve, host: str, port: int, *, is_address: bool, opened: bool
) -> None:
    """Refuses a target that this machine can tell may not be reached, before an outbound proxy is asked for it.

    The proxy resolves the name once more, by its own lights: what it leads to is the proxy's to judge as well. Where a
    proxy is needed, nobody may answer for names of the outside at all.
    """
    try:
        async with asyncio.timeout(_PATIENCE_BEHIND_PROXY):
            await resolve_checked(resolve, host, port, is_address=is_address, opened=opened)
    except (NameUnknownError, TimeoutError):
        require_resolvable_by_proxy(host, port, opened=opened)

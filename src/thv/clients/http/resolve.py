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

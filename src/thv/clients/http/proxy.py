"""The outbound proxy, and which hosts are reached without it: values and decisions, no I/O.

In the flow: a setting of an administrator; the clients ask it for each target. The environment is never asked.
"""

from __future__ import annotations

import ipaddress
from typing import Self

import msgspec

from thv.clients.http.errors import AddressDeniedError, UrlInvalidError
from thv.clients.http.url import Url, normalize_host, parse_url

_METADATA_NAMES = frozenset(
    {
        "metadata.google.internal",
        "metadata.goog",
        "metadata.azure.internal",
        "instance-data.ec2.internal",
    }
)
"""What clouds call the places at which they hand out credentials."""


class Proxy(msgspec.Struct, frozen=True, kw_only=True):
    """Speaks HTTP, and CONNECT for everything that is encrypted."""

    url: str
    """`http://proxy.corp:3128`, without user name and password."""
    username: str = ""
    password: str = ""
    direct: tuple[str, ...] = ()
    """Who is reached without it, as in NO_PROXY: a name stands for itself and all below it, `.corp.example` and
    `*.corp.example` for those below it alone; addresses and networks; `*` for everybody."""

    @classmethod
    def parse(
        cls, url: str, *, username: str = "", password: str = "", direct: tuple[str, ...] = ()
    ) -> Self:
        """Raises UrlInvalidError, whose message holds no user name and no password."""
        found = parse_url(url)
        if found.target != "/":
            raise UrlInvalidError("the URL of a proxy ends behind its port")
        return cls(
            url=found.text,
            username=username,
            password=password,
            direct=tuple(map(_checked, direct)),
        )

    def __repr__(self) -> str:
        return f"Proxy({parse_url(self.url)})"

    @property
    def place(self) -> Url:
        """Where it is."""
        return parse_url(self.url)

    def carries(self, host: str) -> bool:
        """Whether what is meant for this host goes through it."""
        return not any(_matches(host, pattern) for pattern in self.direct)


def _checked(pattern: str) -> str:
    """In one spelling."""
    if pattern == "*" or _network(pattern) is not None:
        return pattern
    below, name = _split(pattern)
    return ("." if below else "") + normalize_host(name)


def _matches(host: str, pattern: str) -> bool:
    if pattern == "*":
        return True
    network = _network(pattern)
    if network is not None:
        address = _network(host)
        return (
            address is not None
            and address.version == network.version
            and address.network_address in network
        )
    below, name = _split(pattern)
    return host.endswith(f".{name}") or (not below and host == name)


def _split(pattern: str) -> tuple[bool, str]:
    """Whether only what is below the name is meant, and the name."""
    name = pattern.removeprefix("*").removeprefix(".")
    return name != pattern, name


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def require_resolvable_by_proxy(host: str, port: int, *, opened: bool) -> None:
    """Refuses names that nobody but the proxy can resolve and that can only mean something inside.

    `opened`: an entry of the allow-list names the target.
    """
    if host in _METADATA_NAMES:
        message = f"{host} is a place at which clouds hand out credentials"
        raise AddressDeniedError(message, host=host, port=port, openable=False)
    if "." not in host and not opened:
        message = f"{host} is a name without a domain, which only the outbound proxy could resolve"
        raise AddressDeniedError(message, host=host, port=port, openable=True)

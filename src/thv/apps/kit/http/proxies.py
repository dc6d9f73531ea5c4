"""Whom a request comes from, where proxies stand in between that may say so.

In the flow: asked by a connection for each request of a proxy that is trusted; nobody else's word counts.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from functools import lru_cache

_FOR, _PROTO = b"x-forwarded-for", b"x-forwarded-proto"


class Proxies:
    """The proxies that are trusted, as networks."""

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks = [ipaddress.ip_network(each) for each in networks]
        self._trusts = lru_cache(maxsize=1024)(self._is_trusted)

    def origin(self, peer: str, scheme: str, headers: Mapping[bytes, bytes]) -> tuple[str, str]:
        """Address and scheme of the client: the last address that no trusted proxy has."""
        if not self._trusts(peer):
            return peer, scheme
        said = headers.get(_PROTO, b"").decode("latin-1").strip().lower()
        scheme = said if said in ("http", "https") else scheme
        for hop in reversed(headers.get(_FOR, b"").decode("latin-1").split(",")):
            address = hop.strip()
            if not _is_address(address):
                break
            peer = address
            if not self._trusts(peer):
                break
        return peer, scheme

    def _is_trusted(self, address: str) -> bool:
        if not _is_address(address):
            return False
        found = ipaddress.ip_address(address)
        return any(found in network for network in self._networks)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True

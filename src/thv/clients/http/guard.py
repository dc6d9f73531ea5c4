"""Who may be reached, and who may see a credential: decisions over values, no I/O.

In the flow: after the URL was parsed and its name resolved, before a socket is opened; again on every redirect.
The table names every special-purpose range of the IANA registries and every address at which clouds hand out
credentials, because `ipaddress.is_global` calls several of them global (6to4, NAT64, site-local, Azure's
168.63.129.16).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Self

import msgspec

from thv.clients.http.errors import (
    AddressDeniedError,
    HeaderInvalidError,
    RedirectRefusedError,
    UrlInvalidError,
)
from thv.clients.http.url import Origin, Url, join_url, split_authority

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Range(msgspec.Struct, frozen=True):
    """Addresses that nobody's URL reaches; `opens`: an allow-list entry may make an exception."""

    network: _Network
    what: str
    opens: bool = False


def _ranges(what: str, *networks: str, opens: bool = False) -> list[Range]:
    return [Range(ipaddress.ip_network(network), what, opens) for network in networks]


METADATA = _ranges(
    "an address at which clouds hand out credentials",
    "169.254.169.254/32",  # AWS, Google, Azure, OpenStack, Oracle, DigitalOcean
    "169.254.170.2/32",  # AWS container credentials
    "169.254.170.23/32",
    "168.63.129.16/32",  # Azure WireServer, outside every special range
    "100.100.100.200/32",  # Alibaba
    "192.0.0.192/32",  # Oracle classic
    "fd00:ec2::254/128",  # AWS
    "fd00:ec2::23/128",
    "fd20:ce::254/128",  # Google
)
DENIED = (
    *METADATA,
    *_ranges("a loopback address", "127.0.0.0/8", "::1/128", opens=True),
    *_ranges(
        "a private address",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",  # shared by carriers, pods and nodes of several clouds
        "fc00::/7",
        opens=True,
    ),
    *_ranges("a link-local address", "169.254.0.0/16", "fe80::/10"),
    *_ranges("a site-local address", "fec0::/10"),
    *_ranges("an address of this host or network", "0.0.0.0/8", "::/128"),
    *_ranges("a multicast address", "224.0.0.0/4", "ff00::/8"),
    *_ranges("a reserved or broadcast address", "240.0.0.0/4", "255.255.255.255/32"),
    *_ranges(
        "an address for documentation",
        "192.0.2.0/24",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "2001:db8::/32",
        "3fff::/20",
    ),
    *_ranges("an address for benchmarks", "198.18.0.0/15", "2001:2::/48"),
    *_ranges(
        "a service address of the Internet",
        "192.31.196.0/24",  # AS112
        "192.175.48.0/24",
        "192.52.193.0/24",  # AMT
        "2620:4f:8000::/48",
    ),
    *_ranges(
        "an IPv6 address that leads to an IPv4 address",
        "::ffff:0:0/96",  # mapped
        "::ffff:0:0:0/96",  # translated
        "::/96",  # compatible
        "64:ff9b::/96",  # NAT64
        "64:ff9b:1::/48",
        "2001::/32",  # Teredo
        "2002::/16",  # 6to4
        "192.88.99.0/24",  # its relays
    ),
    *_ranges("an address that discards", "100::/64", "100:0:0:1::/64"),
    *_ranges("a segment routing address", "5f00::/16"),
    *_ranges("an address reserved for protocols", "192.0.0.0/24", "2001::/23"),
)
_UNICAST6 = ipaddress.IPv6Network("2000::/3")


class Denial(msgspec.Struct, frozen=True):
    """Why an address is not connected to."""

    what: str
    openable: bool


def denial(address: str, *, opened: bool) -> Denial | None:
    """Why this address is not connected to, None when it is; `opened`: an allow-list entry names the target."""
    try:
        value = ipaddress.ip_address(address)
    except ValueError:
        return Denial("no address that can be read", openable=False)
    hits = [row for row in DENIED if value in row.network]
    if not hits:
        outside = value.version == 6 and value not in _UNICAST6
        return Denial("outside the public address space", openable=False) if outside else None
    # Ranges lie in each other, and the narrowest speaks: metadata in private ones, ::1 in the v4-compatible.
    row = max(hits, key=lambda row: row.network.prefixlen)
    return None if row.opens and opened else Denial(row.what, openable=row.opens)


def checked(host: str, port: int, addresses: Iterable[str], *, opened: bool) -> tuple[str, ...]:
    """The addresses, when all of them may be reached; one that may not denies the name."""
    given = tuple(dict.fromkeys(addresses))
    for address in given:
        found = denial(address, opened=opened)
        if found is not None:
            subject = f"{host} is" if host == address else f"{host} resolves to {address},"
            raise AddressDeniedError(
                f"{subject} {found.what}", host=host, port=port, openable=found.openable
            )
    return given


class AllowEntry(msgspec.Struct, frozen=True):
    """One host and port that may be private, loopback and plain http."""

    host: str
    port: int | None
    """None: any port."""


class AllowList(msgspec.Struct, frozen=True):
    """What an administrator opened."""

    entries: tuple[AllowEntry, ...] = ()

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Self:
        """Entries `host:port`, `[::1]:8080`, `host:*`; raises UrlInvalidError."""
        return cls(tuple(_allow_entry(text.strip()) for text in texts if text.strip()))

    def opens(self, host: str, port: int) -> bool:
        """True when an entry names this host, as the URL spells it after normalization, and port."""
        return any(entry.host == host and entry.port in (None, port) for entry in self.entries)


NOTHING = AllowList()


def _allow_entry(text: str) -> AllowEntry:
    host, _, port = text.rpartition(":")
    try:
        name, number = split_authority(f"{host}:{1 if port == '*' else port}", 0)
    except UrlInvalidError as e:
        raise UrlInvalidError(f'"{text}" is no entry of the form host:port or host:*') from e
    return AllowEntry(name, None if port == "*" else number)


def require_scheme(url: Url, *, opened: bool) -> None:
    """Plain http is for targets on the allow-list."""
    if url.scheme == "http" and not opened:
        raise AddressDeniedError(
            f"{url} uses plain http, which is not allowed for this host",
            host=url.host,
            port=url.port,
            openable=True,
        )


def after_redirect(now: Url, location: str) -> Url:
    """Where a redirect leads; from https never to http."""
    try:
        url = join_url(now, location)
    except UrlInvalidError as e:
        raise RedirectRefusedError(f"{now} redirects to an unusable place: {e.message}") from e
    if now.scheme == "https" and url.scheme == "http":
        raise RedirectRefusedError(f"{now} redirects from https to http")
    return url


class Credential(msgspec.Struct, frozen=True):
    """Headers that only the origin of the first URL gets, and the https hosts that their owner named."""

    headers: tuple[tuple[str, str], ...]
    hosts: tuple[str, ...] = ()
    secret: bool = True
    """False: anybody may see the values."""

    def __repr__(self) -> str:
        return f"Credential({', '.join(name for name, _ in self.headers)})"

    def fits(self, first: Origin, now: Origin) -> bool:
        """True when the headers may be sent to `now`, the first URL being of `first`."""
        return now == first or (now.scheme == "https" and matches_host(now.host, self.hosts))


def matches_host(host: str, patterns: Iterable[str]) -> bool:
    """True when a pattern is the host, or `*.` and a domain that the host lies under."""
    return any(
        host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern
        for pattern in (pattern.strip().lower() for pattern in patterns)
    )


_OWN_HEADERS = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "http2-settings",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "range",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")


def require_header(name: str, value: str) -> None:
    """A header that may be sent for somebody: no framing, no other line, nothing that only the client decides."""
    if not name or not _NAME_CHARACTERS.issuperset(name.lower()):
        raise HeaderInvalidError("a header name has letters, digits and hyphens only")
    if name.lower() in _OWN_HEADERS:
        raise HeaderInvalidError(f"the header {name} is set by the client itself")
    if value != value.strip() or not all(" " <= char <= "~" or char == "\t" for char in value):
        raise HeaderInvalidError(f"the value of the header {name} has characters that HTTP forbids")

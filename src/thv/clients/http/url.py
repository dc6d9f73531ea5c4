"""URLs as values: read strictly, so that what was judged is what is connected to.

In the flow: first; everything behind works on the parsed form and never looks at the text again. A host that has
several spellings is brought to one or refused, because a second reader might understand it in another way.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, urlencode, urljoin

import msgspec

from thv.clients.http.errors import UrlInvalidError

_LONGEST = 8192
_PORTS = {"http": 80, "https": 443}
_URL = re.compile(r"(https?)://([^/?#]*)([^#]*)(?:#.*)?", re.IGNORECASE | re.DOTALL)
_AUTHORITY = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::([0-9]{0,5}))?")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
_NUMERIC = re.compile(r"(?:[0-9]+|0[xX][0-9a-fA-F]*)", re.ASCII)
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f\\]")
_KEPT = "/?:@!$&'()*+,;=-._~%[]|^{}`\"<>"


class Origin(NamedTuple):
    """What credentials are bound to."""

    scheme: str
    host: str
    port: int


class Url(msgspec.Struct, frozen=True, kw_only=True):
    """An http or https URL without user name, password and fragment."""

    scheme: str
    host: str
    """A lower-case ASCII name without trailing dot, or an address in its one canonical spelling, no brackets."""
    port: int
    path: str
    query: str = ""

    @property
    def origin(self) -> Origin:
        return Origin(self.scheme, self.host, self.port)

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def target(self) -> str:
        """Path and query, as they are sent."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def text(self) -> str:
        """The whole URL; its query may hold a secret."""
        return f"{self.scheme}://{self.authority}{self.target}"

    @property
    def is_address(self) -> bool:
        """True when the host needs no resolution."""
        return ":" in self.host or _NUMERIC.fullmatch(self.host.rpartition(".")[2]) is not None

    def __str__(self) -> str:
        """For people, logs and errors: without the query."""
        return f"{self.scheme}://{self.authority}{self.path}"

    def __repr__(self) -> str:
        return f"Url({self})"

    def at(self, path: str, query: Iterable[tuple[str, str]] = ()) -> Url:
        """Another place of the same origin."""
        return msgspec.structs.replace(self, path=path, query=encode_query(query))

    @property
    def parameters(self) -> list[tuple[str, str]]:
        """The query, decoded."""
        return parse_qsl(self.query, keep_blank_values=True)

    def asking(self, parameters: Iterable[tuple[str, str]]) -> Url:
        """The same place with these parameters; one that the query already has is replaced."""
        new = list(parameters)
        names = {name for name, _ in new}
        kept = [pair for pair in self.parameters if pair[0] not in names]
        return msgspec.structs.replace(self, query=encode_query([*kept, *new]))


def encode_query(parameters: Iterable[tuple[str, str]]) -> str:
    """Parameters in their order, blanks as `%20`."""
    return urlencode(list(parameters), quote_via=quote, safe="")


def parse_url(text: str) -> Url:
    """The URL that the text spells; raises UrlInvalidError, whose message holds no part of user info or query."""
    if len(text) > _LONGEST:
        raise UrlInvalidError(f"the URL is longer than {_LONGEST} characters")
    if _FORBIDDEN.search(text):
        raise UrlInvalidError("the URL contains a space, a control character or a backslash")
    found = _URL.fullmatch(text)
    if found is None:
        raise UrlInvalidError("the URL must start with http:// or https://")
    scheme, authority, rest = found[1].lower(), found[2], found[3]
    host, port = split_authority(authority, _PORTS[scheme])
    path, _, query = rest.partition("?")
    return Url(
        scheme=scheme, host=host, port=port, path=_escaped(path) or "/", query=_escaped(query)
    )


def join_url(base: Url, reference: str) -> Url:
    """Where a reference such as a Location header leads from `base`."""
    if _FORBIDDEN.search(reference):
        raise UrlInvalidError("the URL contains a space, a control character or a backslash")
    try:
        return parse_url(urljoin(base.text, reference))
    except ValueError as e:  # brackets that do not match
        raise UrlInvalidError("the URL cannot be read") from e


def split_authority(authority: str, default: int) -> tuple[str, int]:
    """Host and port of `host:port`, `[::1]:port`, `host`; the default where it names none."""
    if "@" in authority:
        raise UrlInvalidError("the URL must not contain a user name or password")
    found = _AUTHORITY.fullmatch(authority)
    if found is None or "%" in authority:
        raise UrlInvalidError("the host or port of the URL cannot be read")
    port = int(found[2]) if found[2] else default
    if not 0 < port < 65536:
        raise UrlInvalidError("the port of the URL must be between 1 and 65535")
    host = found[1]
    return (_ipv6(host[1:-1]) if host.startswith("[") else normalize_host(host)), port


def normalize_host(text: str) -> str:
    """The one spelling of a host; numeric spellings other than four decimal numbers are refused."""
    if len(text) > 1024:
        raise UrlInvalidError("the host of the URL is too long")
    host = (text if text.isascii() else _to_ascii(text)).removesuffix(".").lower()
    if not host:
        raise UrlInvalidError("the URL names no host")
    if _NUMERIC.fullmatch(host.rpartition(".")[2]):
        return _dotted_decimal(host)
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in host.split(".")):
        raise UrlInvalidError("the host of the URL is no valid name")
    return host


def _ipv6(text: str) -> str:
    try:
        return str(ipaddress.IPv6Address(text))
    except ValueError:
        raise UrlInvalidError("the host of the URL is no valid IPv6 address") from None


def _dotted_decimal(host: str) -> str:
    try:
        return str(ipaddress.IPv4Address(host))
    except ValueError:
        raise UrlInvalidError(
            "the host of the URL ends in a number: write an IPv4 address as four decimal numbers"
        ) from None


def _to_ascii(host: str) -> str:
    # The codec also folds full-width digits and other dots, so that the checks behind see the real name.
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        raise UrlInvalidError("the host of the URL is no valid international name") from None


def _escaped(text: str) -> str:
    return text if text.isascii() else quote(text, safe=_KEPT)

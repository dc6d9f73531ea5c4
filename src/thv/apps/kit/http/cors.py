"""Who may read answers from a page of another origin.

In the flow: a preflight is answered before anybody is authenticated; every other answer, errors included, gets
the headers of its family.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from thv.apps.kit.http.message import Answer, Header, Request
from thv.apps.kit.http.problems import Family

METHODS = ("GET", "HEAD", "OPTIONS")
REQUEST_HEADERS = ("Authorization", "Content-Type", "If-None-Match", "X-Request-Id")
EXPOSED = b"ETag, Link, Retry-After, X-Request-Id, X-Snapshot"
_ALLOWED = frozenset(name.lower() for name in REQUEST_HEADERS)

_METHOD = b"access-control-request-method"
_CROSS = (b"cross-origin-resource-policy", b"cross-origin")
_SAME = (b"cross-origin-resource-policy", b"same-origin")
_EVERYBODY: tuple[Header, ...] = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", EXPOSED),
    _CROSS,
)


class Cors(msgspec.Struct, frozen=True):
    """The origins that may read our own API; the official one is open to all."""

    origins: frozenset[str] = frozenset()

    def headers(self, family: Family, request: Request) -> tuple[Header, ...]:
        """What an answer gets; a preflight has its own already."""
        if is_preflight(request):
            return ()
        if family in (Family.OFFICIAL, Family.OPEN):
            return _EVERYBODY
        origin = request.header(b"origin") if self.origins else ""
        if not origin or origin not in self.origins:
            return (_SAME,)
        return (
            (b"access-control-allow-origin", origin.encode("latin-1")),
            (b"access-control-expose-headers", EXPOSED),
            _CROSS,
        )

    def preflight(self, family: Family, request: Request) -> Answer | None:
        """The answer to a preflight, None when the request is none."""
        if not is_preflight(request):
            return None
        origin, method = self._origin(family, request), request.header(_METHOD)
        if not origin or method not in METHODS or not _fits(request.headers):
            return Answer(403, (_SAME,))
        age = b"86400" if origin == "*" else b"600"
        return Answer(
            204,
            (
                (b"access-control-allow-origin", origin.encode("latin-1")),
                (b"access-control-allow-methods", ", ".join(METHODS).encode()),
                (b"access-control-allow-headers", ", ".join(REQUEST_HEADERS).encode()),
                (b"access-control-max-age", age),
                _CROSS,
            ),
        )

    def _origin(self, family: Family, request: Request) -> str:
        if family in (Family.OFFICIAL, Family.OPEN):
            return "*"
        origin = request.header(b"origin")
        return origin if origin in self.origins else ""


def is_preflight(request: Request) -> bool:
    """Whether a browser asks before it asks."""
    headers = request.headers
    return request.method == "OPTIONS" and _METHOD in headers and b"origin" in headers


def _fits(headers: Mapping[bytes, bytes]) -> bool:
    asked = headers.get(b"access-control-request-headers", b"").decode("latin-1")
    return all(name.strip().lower() in _ALLOWED for name in asked.split(",") if name.strip())

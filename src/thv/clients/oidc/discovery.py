"""What an issuer says of itself: where its keys are, where people sign in, and who gives tokens.

In the flow: before anything else is asked of an issuer. Its document must be about the very issuer, and name no address
that is less safe than its own.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

import msgspec

from thv.clients.oidc.errors import IssuerUnavailableError

FRESH = 300.0
"""Seconds after which the document is fetched again."""
LEAST = 10.0
"""Seconds between two fetches, whoever asks."""
_DISCOVERY = "/.well-known/openid-configuration"

Fetch: TypeAlias = Callable[[str], Awaitable[bytes]]
"""The document at a URL; raises IssuerUnavailableError."""


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """The part of the document that is used; an address that there is not is `""`."""

    issuer: str
    keys: str
    authorization: str = ""
    tokens: str = ""
    end_session: str = ""
    names_itself: bool = False
    """Whether each of its answers says whose it is (RFC 9207)."""
    takes_basic: bool = True
    """Whether a secret may be in a header; else it is in the form."""


async def described(url: str, fetch: Fetch) -> Description:
    """What the issuer with this URL says; raises IssuerUnavailableError."""
    about = document(await fetch(url.rstrip("/") + _DISCOVERY))
    if about.get("issuer") != url:
        raise IssuerUnavailableError("its discovery document is about another issuer")
    keys = _address(about, "jwks_uri", url)
    if not keys:
        raise IssuerUnavailableError("its discovery document names no https address of keys")
    methods = about.get("token_endpoint_auth_methods_supported")
    return Description(
        issuer=url,
        keys=keys,
        authorization=_address(about, "authorization_endpoint", url),
        tokens=_address(about, "token_endpoint", url),
        end_session=_address(about, "end_session_endpoint", url),
        names_itself=about.get("authorization_response_iss_parameter_supported") is True,
        takes_basic=not isinstance(methods, list) or "client_secret_post" not in methods
        or "client_secret_basic" in methods,
    )  # fmt: skip


class Discovery:
    """What one issuer says, as it was a moment ago."""

    def __init__(self, url: str, fetch: Fetch, clock: Callable[[], float] = time.monotonic) -> None:
        """`url` is the issuer as its tokens name it."""
        self._url = url
        self._fetch = fetch
        self._clock = clock
        self._said: Description | IssuerUnavailableError | None = None
        self._asked = 0.0
        self._one_at_a_time = asyncio.Lock()

    async def description(self) -> Description:
        """What it says; raises IssuerUnavailableError."""
        async with self._one_at_a_time:
            if self._is_due():
                self._said, self._asked = await self._look(), self._clock()
        if isinstance(self._said, Description):
            return self._said
        raise IssuerUnavailableError(str(self._said))

    def _is_due(self) -> bool:
        holds = FRESH if isinstance(self._said, Description) else LEAST
        return self._said is None or self._clock() - self._asked >= holds

    async def _look(self) -> Description | IssuerUnavailableError:
        try:
            return await described(self._url, self._fetch)
        except IssuerUnavailableError as error:
            return error


def document(content: bytes) -> Mapping[str, Any]:
    """A JSON object; raises IssuerUnavailableError for anything else."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise IssuerUnavailableError("a document of its is no JSON") from error
    if not isinstance(found, dict):
        raise IssuerUnavailableError("a document of its is no JSON object")
    return found


def _address(about: Mapping[str, Any], name: str, issuer: str) -> str:
    """Plain http is for issuers that are so themselves."""
    place = about.get(name)
    if not isinstance(place, str) or not place.isascii() or not place.isprintable():
        return ""
    schemes = ("https://",) if issuer.startswith("https://") else ("https://", "http://")
    return place if place.startswith(schemes) else ""

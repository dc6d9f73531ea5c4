"""How an OpenID issuer is asked: briefly, for little, and where it sends nobody on.

In the flow: under whoever checks tokens or exchanges codes. Whoever wrote the settings has chosen the issuer's host, so
that may be a private one; what its documents name elsewhere is held to public addresses.
"""

from __future__ import annotations

from collections.abc import Sequence

from thv.clients.http.client import HttpClient
from thv.clients.http.errors import HttpError
from thv.clients.http.guard import AllowList, Credential
from thv.clients.http.response import Limits
from thv.clients.http.url import parse_url
from thv.clients.oidc.code_flow import Exchange
from thv.clients.oidc.errors import IssuerUnavailableError

_LIMITS = Limits(connect=2.0, read=2.0, total=5.0, body_bytes=1 << 20, redirects=0)
_SLOWER = Limits(connect=2.0, read=8.0, total=10.0, body_bytes=1 << 18, redirects=0)
"""Of whoever looks up a person before it answers."""
_FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}


async def fetched(place: str, issuer: str, *, trust: bytes = b"") -> bytes:
    """A document of an issuer; raises IssuerUnavailableError. `trust` holds extra trust roots, PEM."""
    try:
        allow = AllowList.parse([_entry(issuer)])
        async with (
            HttpClient() as client,
            client.get(place, allow=allow, trust=trust, limits=_LIMITS) as answer,
        ):
            if answer.status != 200:
                raise IssuerUnavailableError(f"{place} answers {answer.status}")
            return await answer.body()
    except HttpError as error:
        raise IssuerUnavailableError(error.message) from error


async def sent(
    place: str, exchange: Exchange, issuer: str, *, trust: bytes = b""
) -> tuple[int, bytes]:
    """Status and body of the answer to a form; raises IssuerUnavailableError."""
    try:
        allow = AllowList.parse([_entry(issuer)])
        async with (
            HttpClient() as client,
            client.post(
                place,
                exchange.body,
                headers=_FORM,
                credentials=_credentials(exchange),
                allow=allow,
                trust=trust,
                limits=_SLOWER,
            ) as answer,
        ):
            return answer.status, await answer.body()
    except HttpError as error:
        raise IssuerUnavailableError(error.message) from error


def _credentials(exchange: Exchange) -> Sequence[Credential]:
    if not exchange.authorization:
        return ()
    return [Credential((("Authorization", exchange.authorization),))]


def _entry(url: str) -> str:
    parsed = parse_url(url)
    host = f"[{parsed.host}]" if ":" in parsed.host else parsed.host
    return f"{host}:{parsed.port}"

"""How an OpenID issuer is asked: briefly, for little, and where it sends nobody on.

In the flow: under whoever checks tokens or exchanges codes. Whoever wrote the settings has chosen the issuer's host, so
that may be a private one; what its documents name elsewhere is held to public addresses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from thv.clients.http.client import HttpClient, HttpSettings
from thv.clients.http.errors import HttpError
from thv.clients.http.guard import AllowList, Credential
from thv.clients.http.proxy import Proxy
from thv.clients.http.response import Limits
from thv.clients.http.url import parse_url
from thv.clients.oidc.code_flow import Exchange
from thv.clients.oidc.errors import IssuerUnavailableError

_LIMITS = Limits(connect=2.0, read=2.0, total=5.0, body_bytes=1 << 20, redirects=0)
_SLOWER = Limits(connect=2.0, read=8.0, total=10.0, body_bytes=1 << 18, redirects=0)
"""Of whoever looks up a person before it answers."""
_FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}


class IssuerHttp:
    """The connections to one issuer."""

    def __init__(
        self,
        issuer: str,
        *,
        trust: Callable[[], bytes] = bytes,
        proxy: Proxy | None = None,
    ) -> None:
        """`trust` gives extra trust roots, PEM, as they are now."""
        self._issuer = issuer
        self._settings = HttpSettings(proxy=proxy)
        self._trust = trust

    async def fetch(self, place: str) -> bytes:
        """A document; raises IssuerUnavailableError."""
        try:
            async with (
                HttpClient(settings=self._settings) as client,
                client.get(
                    place, allow=_allowed(self._issuer), trust=self._trust(), limits=_LIMITS
                ) as answer,
            ):
                if answer.status != 200:
                    raise IssuerUnavailableError(f"{place} answers {answer.status}")
                return await answer.body()
        except HttpError as error:
            raise IssuerUnavailableError(error.message) from error

    async def send(self, place: str, exchange: Exchange) -> tuple[int, bytes]:
        """Status and body of the answer to a form; raises IssuerUnavailableError."""
        try:
            async with (
                HttpClient(settings=self._settings) as client,
                client.post(
                    place,
                    exchange.body,
                    headers=_FORM,
                    credentials=_credentials(exchange),
                    allow=_allowed(self._issuer),
                    trust=self._trust(),
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


def _allowed(issuer: str) -> AllowList:
    parsed = parse_url(issuer)
    host = f"[{parsed.host}]" if ":" in parsed.host else parsed.host
    return AllowList.parse([f"{host}:{parsed.port}"])

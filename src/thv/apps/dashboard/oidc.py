"""An OpenID issuer as one who signs people in: the code flow with PKCE, and every check of what comes back.

In the flow: made with the process where the settings name an issuer, and imported nowhere else, as it brings cryptography.
Whether the API takes the token is the API's to say.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from thv.apps.dashboard.pending import Pending
from thv.apps.dashboard.providers import Failure, Granted, NotSignedInError, Returned
from thv.apps.kit.issuer_http import IssuerHttp
from thv.apps.kit.outbound import Roots
from thv.apps.kit.sign_in import SignIn, secret_in
from thv.clients.oidc.code_flow import (
    Client,
    Tokens,
    authorization_url,
    end_session_url,
    exchange_of,
    id_claims_of,
    tokens_in,
    word_of,
)
from thv.clients.oidc.discovery import Description, Discovery
from thv.clients.oidc.errors import GrantRefusedError, IssuerUnavailableError, TokenRefusedError
from thv.clients.oidc.keys import Keys
from thv.domain.errors import ThvError
from thv.formats.tokens import ALGORITHMS

log = logging.getLogger(__name__)

LEEWAY = 30.0
"""Seconds that clocks may differ."""
LONGEST = 12 * 1024
"""Bytes of a token that still fits into a request with everything else."""
AT_ONCE = 8
"""Codes that are exchanged together; anybody may send some."""
_OURS = ("invalid_client", "unauthorized_client")
_WRONG = (IssuerUnavailableError, GrantRefusedError, TokenRefusedError, ThvError)


class OidcProvider:
    """One issuer, for one process."""

    def __init__(
        self,
        settings: SignIn,
        *,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`now` is in Unix seconds; raises INVALID for trust roots that cannot be read."""
        self._settings = settings
        self._now = now
        roots = Roots(settings.trust)
        self._http = IssuerHttp(settings.issuer, trust=roots, proxy=settings.proxy)
        self._discovery = Discovery(settings.issuer, self._http.fetch, clock)
        self._keys = Keys(settings.issuer, self._http.fetch, clock)
        self._at_once = asyncio.Semaphore(AT_ONCE)

    @property
    def name(self) -> str:
        """What people call it."""
        return self._settings.name

    @property
    def public_url(self) -> str:
        """Where it sends browsers back to."""
        return self._settings.public_url

    async def entrance(self, pending: Pending, redirect: str) -> str:
        """Where somebody signs in."""
        async with self._explained():
            return authorization_url(
                await self._discovery.description(),
                self._settings.client_id,
                redirect=redirect,
                scopes=self._settings.scopes,
                state=pending.state,
                nonce=pending.nonce,
                verifier=pending.verifier,
            )

    async def grant(self, pending: Pending, returned: Returned, redirect: str) -> Granted:
        """What the answer is good for, once everything about it was checked."""
        if not pending.fits(returned.state, self._now()):
            raise NotSignedInError(Failure.NOT_BEGUN)
        async with self._explained(), self._at_once:
            about = await self._discovery.description()
            self._require_own(about, returned)
            if returned.error or not returned.code:
                raise NotSignedInError(*_refusal(returned.error))
            tokens = await self._exchanged(about, pending, returned.code, redirect)
            return await self._checked(tokens, pending)

    async def exit(self, back: str) -> str:
        """Where somebody ends the session there."""
        async with self._explained():
            about = await self._discovery.description()
            return end_session_url(about, self._settings.client_id, back)

    def _require_own(self, about: Description, returned: Returned) -> None:
        """An answer that another issuer was tricked into must not bring its code to this one (RFC 9207)."""
        is_named = returned.issuer == self._settings.issuer
        if not is_named and (returned.issuer or about.names_itself):
            raise TokenRefusedError("the answer is another issuer's, or does not say whose it is")

    async def _exchanged(
        self, about: Description, pending: Pending, code: str, redirect: str
    ) -> Tokens:
        client = Client(self._settings.client_id, secret_in(self._settings.client_secret))
        place, exchange = exchange_of(
            about, client, code=code, redirect=redirect, verifier=pending.verifier
        )
        status, content = await self._http.send(place, exchange)
        return tokens_in(status, content)

    async def _checked(self, tokens: Tokens, pending: Pending) -> Granted:
        claims = await id_claims_of(
            tokens.id_token,
            self._keys,
            issuer=self._settings.issuer,
            client_id=self._settings.client_id,
            nonce=pending.nonce,
            algorithms=ALGORITHMS,
            leeway=LEEWAY,
        )
        granted = Granted(tokens.id_token, float(claims["exp"]))
        if self._settings.sent == "access_token":
            ends = self._now() + tokens.seconds if tokens.seconds else granted.ends
            granted = Granted(tokens.access_token, ends)
        if len(granted.token) > LONGEST:
            raise NotSignedInError(Failure.TOO_LARGE)
        return granted

    @asynccontextmanager
    async def _explained(self) -> AsyncIterator[None]:
        """What went wrong, in the words of the pages; why, in the log, which is not for strangers."""
        try:
            yield
        except _WRONG as error:
            log.warning("sign-in at %s: %s", self._settings.issuer, error)
            raise NotSignedInError(*_meaning(error)) from error


def _meaning(error: Exception) -> tuple[Failure, str]:
    """What somebody is told of it, and the word of the issuer."""
    match error:
        case IssuerUnavailableError():
            return Failure.UNREACHABLE, ""
        case TokenRefusedError():
            return Failure.MISTAKEN, ""
        case GrantRefusedError(word=word) if word not in _OURS:
            return Failure.SPENT, word
        case GrantRefusedError(word=word):
            return Failure.CLIENT, word
        case _:
            return Failure.CLIENT, ""


def _refusal(error: str) -> tuple[Failure, str]:
    """What an answer without a code means."""
    word = word_of(error)
    if word in _OURS:
        return Failure.CLIENT, word
    if word in ("server_error", "temporarily_unavailable"):
        return Failure.UNREACHABLE, word
    return Failure.REFUSED, word

"""Whom the issuers of an access file vouch for.

In the flow: asked about tokens that are not in the file. Imported once a file names issuers, as it brings cryptography.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from thv.apps.kit.issuer_http import IssuerHttp
from thv.apps.kit.reviews import ReviewFailedError
from thv.apps.kit.sparing import Sparing
from thv.apps.kit.tokens import Somebody
from thv.clients.oidc.errors import IssuerUnavailableError, TokenRefusedError
from thv.clients.oidc.keys import Keys
from thv.clients.oidc.tokens import claims_of, issuer_of
from thv.formats.tokens import Issuer

log = logging.getLogger(__name__)

_LONGEST = 253
_MOST_GROUPS = 256
_COMPLAINTS = 10.0


class SigningIssuers:
    """Checks tokens on this machine: an issuer is asked for its keys alone, and rarely."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._keys: dict[str, Keys] = {}
        self._sparing = Sparing(_COMPLAINTS, clock)

    async def identity(self, token: str, issuers: Sequence[Issuer]) -> Somebody | None:
        """Whose token it is, None when it is good for none of these; raises ReviewFailedError."""
        named = issuer_of(token)
        issuer = next((each for each in issuers if each.url == named), None)
        if issuer is None:
            return None
        try:
            claims = await claims_of(
                token,
                self._keys_of(issuer.url),
                issuer=issuer.url,
                audiences=issuer.audiences,
                algorithms=issuer.algorithms,
                leeway=issuer.leeway,
            )
            return somebody(claims, issuer)
        except TokenRefusedError as error:
            if self._sparing.is_due():
                log.info("a token of %s is refused: %s", issuer.url, error)
            return None
        except IssuerUnavailableError as error:
            raise ReviewFailedError(str(error)) from error

    def _keys_of(self, url: str) -> Keys:
        if url not in self._keys:
            self._keys[url] = Keys(url, IssuerHttp(url).fetch, self._clock)
        return self._keys[url]


def somebody(claims: Mapping[str, Any], issuer: Issuer) -> Somebody:
    """Whom checked claims speak of; raises TokenRefusedError for whom the issuer is not believed to know."""
    subject, user = claims["sub"], claims.get(issuer.user_claim)
    if not any(fnmatchcase(subject, pattern) for pattern in issuer.subjects):
        raise TokenRefusedError("its subject is none of those that are let in")
    if not _is_name(user):
        raise TokenRefusedError(f"its claim {issuer.user_claim} names nobody")
    said = claims.get(issuer.groups_claim)
    listed = [said] if isinstance(said, str) else said if isinstance(said, list) else []
    groups = tuple(f"{issuer.prefix}{name}" for name in listed if _is_name(name))[:_MOST_GROUPS]
    return Somebody(f"{issuer.prefix}{user}", groups, float(claims["exp"]) + issuer.leeway)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST and value.isprintable()

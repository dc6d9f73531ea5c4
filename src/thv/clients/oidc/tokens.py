"""What a signed token says, once everything about it was checked: issuer, key, algorithm, audience, times.

In the flow: called by whoever must know a caller that an issuer vouches for. What comes out was signed; what goes in
is believed in nothing but in which issuer to ask.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import jwt
from jwt.types import Options

from thv.clients.oidc.errors import TokenRefusedError
from thv.clients.oidc.keys import Keys

_REQUIRED = ("exp", "iss", "aud", "sub")
_NOT_GOOD = (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError)
"""What the library says of a token, and of JSON that is deeper or larger than anybody means."""
_UNVERIFIED: Options = {"verify_signature": False}


def issuer_of(token: str) -> str | None:
    """The issuer that a token names, None for what is no token of an issuer; nothing is verified yet."""
    try:
        named = jwt.decode(token, options=_UNVERIFIED).get("iss")
    except _NOT_GOOD:
        return None
    return named if isinstance(named, str) else None


async def claims_of(
    token: str,
    keys: Keys,
    *,
    issuer: str,
    audiences: Sequence[str],
    algorithms: Sequence[str],
    leeway: float,
) -> Mapping[str, Any]:
    """What the token says; raises TokenRefusedError, or IssuerUnavailableError when nobody can say.

    `leeway` is in seconds.
    """
    algorithm, kid = _head(token)
    if algorithm not in algorithms:
        raise TokenRefusedError(f"it is signed by {algorithm[:20]!r}")
    try:
        key = await keys.key(kid, algorithm)
        if key is None:
            raise TokenRefusedError("its key is none of the issuer's")
        found: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            audience=list(audiences),
            issuer=issuer,
            leeway=timedelta(seconds=leeway),
            options={"require": list(_REQUIRED)},
        )
    except _NOT_GOOD as error:
        raise TokenRefusedError(str(error)[:200]) from error
    return found


def _head(token: str) -> tuple[str, str]:
    """Algorithm and name of the key."""
    try:
        head = jwt.get_unverified_header(token)
    except _NOT_GOOD as error:
        raise TokenRefusedError(str(error)[:200]) from error
    if "crit" in head:
        raise TokenRefusedError("it demands what we do not know")
    algorithm, kid = head.get("alg"), head.get("kid", "")
    if not isinstance(algorithm, str) or not isinstance(kid, str):
        raise TokenRefusedError("its head is none")
    return algorithm, kid

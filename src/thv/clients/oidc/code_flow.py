"""The authorization code flow with PKCE: where the browser is sent, what the code is exchanged for, what the ID token must say.

In the flow: above `discovery` and `tokens`, below whoever keeps what belongs to one browser. Values come in and go out;
nothing here talks to anybody.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

import msgspec

from thv.clients.oidc.discovery import Description, document
from thv.clients.oidc.errors import GrantRefusedError, IssuerUnavailableError, TokenRefusedError
from thv.clients.oidc.keys import Keys
from thv.clients.oidc.tokens import claims_of

_WORD = re.compile(r"[a-z_]{1,64}")


class Client(msgspec.Struct, frozen=True):
    """Who we are to the issuer."""

    id: str
    secret: str = ""
    """`""` for one that has none: PKCE alone binds a code to whoever asked for it."""

    def __repr__(self) -> str:
        return f"Client({self.id})"


class Exchange(msgspec.Struct, frozen=True):
    """A form for the token endpoint."""

    body: bytes
    authorization: str = ""
    """A header; `""` for none."""

    def __repr__(self) -> str:
        return "Exchange()"


class Tokens(msgspec.Struct, frozen=True):
    """What a code was exchanged for."""

    id_token: str
    access_token: str
    seconds: float = 0.0
    """How long the access token is good for, 0 where that is not said."""

    def __repr__(self) -> str:
        return "Tokens()"


def authorization_url(
    about: Description,
    client_id: str,
    *,
    redirect: str,
    scopes: str,
    state: str,
    nonce: str,
    verifier: str,
) -> str:
    """Where the browser is sent to; raises IssuerUnavailableError where nobody signs in."""
    asked = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect,
        "scope": scopes,
        "state": state,
        "nonce": nonce,
        "code_challenge": challenge_of(verifier),
        "code_challenge_method": "S256",
    }
    return _asking(_there(about.authorization, "authorization_endpoint"), asked)


def challenge_of(verifier: str) -> str:
    """What the issuer is told of the verifier beforehand."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def end_session_url(about: Description, client_id: str, back: str) -> str:
    """Where somebody ends the session at the issuer, `""` where that is not offered.

    No token goes along: addresses are written down in too many places.
    """
    if not about.end_session:
        return ""
    asked = {"client_id": client_id, "post_logout_redirect_uri": back}
    return _asking(about.end_session, asked)


def exchange_of(
    about: Description, client: Client, *, code: str, redirect: str, verifier: str
) -> tuple[str, Exchange]:
    """Where the code is shown and how; raises IssuerUnavailableError where nobody takes it."""
    place = _there(about.tokens, "token_endpoint")
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect,
        "code_verifier": verifier,
    }
    if client.secret and about.takes_basic:
        return place, Exchange(urlencode(form).encode(), _basic(client))
    form["client_id"] = client.id
    if client.secret:
        form["client_secret"] = client.secret
    return place, Exchange(urlencode(form).encode())


def tokens_in(status: int, content: bytes) -> Tokens:
    """What the token endpoint answered; raises GrantRefusedError and IssuerUnavailableError."""
    if status in (400, 401, 403):
        raise GrantRefusedError(_word_in(content))
    if status != 200:
        raise IssuerUnavailableError(f"its token endpoint answers {status}")
    said = document(content)
    id_token, access_token = said.get("id_token"), said.get("access_token")
    if not isinstance(id_token, str) or not isinstance(access_token, str):
        raise TokenRefusedError(
            "the answer to the code has no ID token; the scope openid is needed"
        )
    return Tokens(id_token, access_token, _seconds(said.get("expires_in")))


async def id_claims_of(
    token: str,
    keys: Keys,
    *,
    issuer: str,
    client_id: str,
    nonce: str,
    algorithms: Sequence[str],
    leeway: float,
) -> Mapping[str, Any]:
    """What an ID token says that was made for this sign-in and no other; raises as `claims_of`."""
    claims = await claims_of(
        token, keys, issuer=issuer, audiences=[client_id], algorithms=algorithms, leeway=leeway
    )
    said, party = claims.get("nonce"), claims.get("azp")
    if not isinstance(said, str) or not hmac.compare_digest(said.encode(), nonce.encode()):
        raise TokenRefusedError("its nonce is that of another sign-in")
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if party != client_id and (several or party is not None):
        raise TokenRefusedError("it was made for another client")
    return claims


def word_of(text: str) -> str:
    """An error code as issuers have them, `""` for what is none."""
    return text if _WORD.fullmatch(text) else ""


def _seconds(said: object) -> float:
    """Some issuers write a number as text."""
    try:
        found = float(said) if isinstance(said, int | float | str) else 0.0
    except (ValueError, OverflowError):
        return 0.0
    return found if 0 < found < 1e9 else 0.0


def _word_in(content: bytes) -> str:
    try:
        said = json.loads(content)
    except (ValueError, RecursionError):
        return ""
    found = said.get("error") if isinstance(said, dict) else None
    return word_of(found) if isinstance(found, str) else ""


def _there(place: str, name: str) -> str:
    if not place:
        raise IssuerUnavailableError(f"its discovery document names no https {name}")
    return place


def _asking(place: str, parameters: Mapping[str, str]) -> str:
    """The address with these parameters behind those that it has."""
    parts = urlsplit(place)
    query = "&".join(filter(None, [parts.query, urlencode(parameters, quote_via=quote, safe="")]))
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))


def _basic(client: Client) -> str:
    pair = f"{quote(client.id, safe='')}:{quote(client.secret, safe='')}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"

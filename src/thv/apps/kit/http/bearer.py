"""The credential of a request, and what is said to those who have none or a bad one.

In the flow: asked by a door whose callers must say who they are. Only the header counts: cookies and parameters of
the query are left out.
"""

from __future__ import annotations

import re

from thv.apps.kit.http.message import Header, Request
from thv.apps.kit.http.problems import ProblemError, Word

_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")

UNUSABLE = ""
"""A credential that is no bearer token."""


def bearer_token(request: Request) -> str | None:
    """The token of a request, `UNUSABLE` for a credential of another kind, None without any."""
    header = request.header(b"authorization").strip()
    if not header:
        return None
    scheme, _, token = header.partition(" ")
    token = token.strip()
    is_token = scheme.lower() == "bearer" and _TOKEN.fullmatch(token)
    return token if is_token else UNUSABLE


def unauthenticated(audience: str, hint: str) -> ProblemError:
    """No credential where one is needed."""
    return ProblemError(
        Word.UNAUTHENTICATED,
        "This registry wants to know who reads it: send Authorization: Bearer <token>.",
        hint=hint,
        headers=[_challenge(audience)],
    )


def invalid_token(audience: str, command: str) -> ProblemError:
    """A credential that is refused; why is told to nobody. `command` makes one that is not."""
    return ProblemError(
        Word.INVALID_TOKEN,
        f'This token is not valid for the audience "{audience}". Make one: {command}',
        hint=command,
        headers=[_challenge(audience, ', error="invalid_token"')],
    )


def not_forwardable(namespace: str) -> ProblemError:
    """A token that is good for us alone, where something is done with the rights of whoever sent it."""
    return ProblemError(
        Word.TOKEN_NOT_FORWARDABLE,
        "This is done with your own rights, for which the cluster must take your token; it is made for this server alone.",
        hint=f"kubectl create token SERVICEACCOUNT -n {namespace or 'NAMESPACE'}   (without --audience)",
    )


def _challenge(audience: str, error: str = "") -> Header:
    return b"www-authenticate", f'Bearer realm="{audience}"{error}'.encode()

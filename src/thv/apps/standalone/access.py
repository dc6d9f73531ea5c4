"""Who may read what on one machine: as its access file says; without one, what is open to everybody.

In the flow: made with the service. Whoever may reach the port of a process that listens to this machine alone, and has
no access file, may read everything; whoever started it, and shows so by a link of one use, may do everything.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Sequence

import msgspec

from thv.apps.cli.loader import load
from thv.apps.kit.authorization import Advice, Authorization
from thv.apps.kit.codes import Codes
from thv.apps.kit.http.dispatch import Access
from thv.apps.kit.reviews import Identity
from thv.apps.kit.tokens import Issuers, TokenReviews
from thv.apps.standalone.settings import Settings
from thv.domain.access import Action, Grant
from thv.domain.roles import PEOPLE_ROLES, USER_ROLE

AUDIENCE = "toolhive-registry"
"""What tokens of an access file are for."""


class Callers(msgspec.Struct, frozen=True):
    """Who decides about callers, and what keeps that up to date."""

    authorization: Authorization | None = None
    """None where everybody may read everything."""
    file: TokenReviews | None = None
    owner: Authorization | None = None
    """Knows the one who may do more than read, where everybody may read."""
    take: Callable[[str], str] | None = None
    """The token that a code of one use stands for, `""` for none."""

    async def follow(self) -> None:
        """Takes the access file, if there is one, whenever it changed."""
        if self.file is not None:
            await self.file.follow()


def callers_of(settings: Settings, codes: Codes) -> Callers:
    """As the settings say; raises INVALID for an access file that cannot be used."""
    if settings.access_file is not None:
        reviews = TokenReviews(settings.access_file, _issuers)
        return Callers(Authorization(reviews, ON_ONE_MACHINE, issuers=reviews.issuers), reviews)
    if settings.is_guarded:
        return Callers(Authorization(Nobody(), _WITHOUT_FILE))
    return _owned(codes) if settings.has_owner else Callers()


def _owned(codes: Codes) -> Callers:
    """Whoever has a code may have the one token that is good here: it is made with the process and ends with it."""
    token = secrets.token_urlsafe(32)

    def take(code: str) -> str:
        return token if codes.take(code) else ""

    return Callers(owner=Authorization(Owner(token), _OF_OWNER), take=take)


def _issuers() -> Issuers:
    """Imported once an access file names issuers: few do."""
    made: Issuers = load("thv.apps.kit.issuers:SigningIssuers")()
    return made


class Nobody:
    """Knows nobody: what is left is open to everybody."""

    revision = 0

    async def identity(self, _token: str, _audiences: Sequence[str]) -> Identity | None:
        """None: no token is good."""
        return None

    async def allows(self, _who: Identity, _action: Action) -> bool:
        """Nothing is allowed."""
        return False


class Owner:
    """Knows the one who started the process."""

    revision = 0

    def __init__(self, token: str) -> None:
        self._digest = hashlib.sha256(token.encode()).digest()

    async def identity(self, token: str, _audiences: Sequence[str]) -> Identity | None:
        """The owner, by the token of this process."""
        given = hashlib.sha256(token.encode()).digest()
        return _OWNER if hmac.compare_digest(given, self._digest) else None

    async def allows(self, _who: Identity, _action: Action) -> bool:
        """Everything is allowed."""
        return True


_OWNER = Identity(
    user="owner",
    method="one-time-link",
    grants=tuple(Grant(rights=role.rights) for role in PEOPLE_ROLES),
)


def _token_command(access: Access) -> str:
    place = f"@{access.namespace}" if access.namespace else ""
    return f"thv auth token --user NAME --role {USER_ROLE.name}{place}"


def _check(action: Action) -> str:
    name = f" {action.name}" if action.name else ""
    return f"thv auth can-i {action.verb} {action.resource}{name} -n {action.namespace}"


def _opening(access: Access) -> str:
    return (
        f"{_token_command(access)}   (and thv serve --token-file FILE; or open it to everybody: "
        "spec.api.anonymousRead: true, thv serve --anonymous-read)"
    )


ON_ONE_MACHINE = Advice(audience=lambda _: AUDIENCE, token=_token_command, check=_check)
_OF_OWNER = Advice(
    audience=lambda _: AUDIENCE,
    token=lambda _: "Use thv on this machine, or sign in to the dashboard: thv dashboard",
    check=_check,
)
_WITHOUT_FILE = Advice(audience=lambda _: AUDIENCE, token=_opening, check=_check)

"""Who may read what on one machine: as its access file says; without one, what is open to everybody.

In the flow: made with the service. Whoever may reach the port of a process that listens to this machine alone, and has
no access file, may read everything.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from thv.apps.cli.loader import load
from thv.apps.kit.authorization import Advice, Authorization
from thv.apps.kit.http.dispatch import Access
from thv.apps.kit.reviews import Identity
from thv.apps.kit.tokens import Issuers, TokenReviews
from thv.apps.standalone.settings import Settings
from thv.domain.access import Action
from thv.domain.roles import USER_ROLE

AUDIENCE = "toolhive-registry"
"""What tokens of an access file are for."""


class Callers(msgspec.Struct, frozen=True):
    """Who decides about callers, and what keeps that up to date."""

    authorization: Authorization | None = None
    """None where everybody may read everything."""
    file: TokenReviews | None = None

    async def follow(self) -> None:
        """Takes the access file, if there is one, whenever it changed."""
        if self.file is not None:
            await self.file.follow()


def callers_of(settings: Settings) -> Callers:
    """As the settings say; raises INVALID for an access file that cannot be used."""
    if settings.access_file is not None:
        reviews = TokenReviews(settings.access_file, _issuers)
        return Callers(Authorization(reviews, ON_ONE_MACHINE), reviews)
    return Callers(Authorization(Nobody(), _WITHOUT_FILE)) if settings.is_guarded else Callers()


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
_WITHOUT_FILE = Advice(audience=lambda _: AUDIENCE, token=_opening, check=_check)

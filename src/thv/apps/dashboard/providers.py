"""Who signs people in elsewhere, as the pages see it: where one is sent, what comes back, and what may go wrong.

In the flow: between the pages of the sign-in and what talks to an issuer, which is loaded only where there is one.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

import msgspec

from thv.apps.dashboard.pending import Pending


class Failure(StrEnum):
    """Why somebody is not signed in; the page says for each what to do."""

    UNREACHABLE = "unreachable"
    """The issuer does not answer, or what it says of itself cannot be used."""
    REFUSED = "refused"
    """The issuer says no, or somebody did not agree."""
    NOT_BEGUN = "not-begun"
    """This browser began no such sign-in, or too long ago."""
    MISTAKEN = "mistaken"
    """The answer is another issuer's, or holds no good token."""
    CLIENT = "client"
    """The issuer does not know us by our id and secret."""
    SPENT = "spent"
    """The code was used, or is too old."""
    TOO_LARGE = "too-large"
    """The token does not fit into a request."""
    NOT_ACCEPTED = "not-accepted"
    """The API does not know whom the issuer vouches for."""


class NotSignedInError(Exception):
    """Somebody is not signed in."""

    def __init__(self, failure: Failure, word: str = "") -> None:
        """`word` is what the issuer calls it, where it is one of the words that issuers have."""
        super().__init__(f"{failure}: {word}")
        self.failure = failure
        self.word = word


class Returned(msgspec.Struct, frozen=True):
    """What an issuer sends the browser back with."""

    code: str = ""
    state: str = ""
    issuer: str = ""
    error: str = ""

    def __repr__(self) -> str:
        return "Returned()"


class Granted(msgspec.Struct, frozen=True):
    """What somebody may show to the API."""

    token: str
    ends: float
    """In Unix seconds."""

    def __repr__(self) -> str:
        return f"Granted(until {self.ends})"


class Provider(Protocol):
    """One of them; every question raises NotSignedInError where there is no answer."""

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    @property
    def public_url(self) -> str:
        """Where it sends browsers back to, `""` where that is the place that they came from."""
        ...

    async def entrance(self, pending: Pending, redirect: str, /) -> str:
        """Where somebody signs in; it sends them back to `redirect`."""
        ...

    async def grant(self, pending: Pending, returned: Returned, redirect: str, /) -> Granted:
        """What the answer to it is good for."""
        ...

    async def exit(self, back: str, /) -> str:
        """Where somebody ends the session there, `""` where that is not offered."""
        ...

"""A sign-in at an issuer that was begun and not finished: all of it is in one cookie of the browser that began it.

In the flow: made when somebody leaves for the issuer, asked for when they come back. What the issuer is told - state,
nonce and the verifier's digest - is derived from a secret in the cookie together with all else that the cookie says. So
no replica has to keep anything, whoever lacks the cookie can make up no state, and whoever changes the cookie gets a
nonce that no token of the issuer has.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import secrets

import msgspec

from thv.apps.dashboard.places import own_path

SECONDS = 600
"""How long somebody may take to sign in."""
_SKEW = 60
"""Seconds that the clocks of two replicas may differ."""
_LONGEST = 1024
"""Bytes of a place to go on that fit into a cookie."""
_WRITTEN = re.compile(r"([0-9]{1,12})\.([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{0,1400})", re.ASCII)


class Pending(msgspec.Struct, frozen=True):
    """One that waits for its answer."""

    secret: str
    began: int
    """In Unix seconds."""
    wanted: str
    """The page of ours where one goes on."""

    def __repr__(self) -> str:
        return f"Pending({self.began}, {self.wanted})"

    @property
    def state(self) -> str:
        """What the answer must bring back."""
        return self._derived("state")

    @property
    def nonce(self) -> str:
        """What the ID token must say."""
        return self._derived("nonce")

    @property
    def verifier(self) -> str:
        """What the code is good with alone."""
        return self._derived("verifier")

    @property
    def written(self) -> str:
        """As a cookie has it."""
        place = base64.urlsafe_b64encode(self.wanted.encode()).decode().rstrip("=")
        return f"{self.began}.{self.secret}.{place}"

    def fits(self, state: str, now: float) -> bool:
        """Whether an answer with this state is the one to it, and in time."""
        is_same = hmac.compare_digest(state.encode(), self.state.encode())
        return is_same and -_SKEW <= now - self.began <= SECONDS

    def _derived(self, what: str) -> str:
        said = f"{what} {self.began} {self.wanted}"
        digest = hmac.digest(self.secret.encode(), said.encode(), "sha256")
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def new_pending(wanted: str, now: float) -> Pending:
    """One that begins now; a place that is none of ours, or too long for a cookie, is the overview."""
    place = own_path(wanted)
    return Pending(secrets.token_urlsafe(32), int(now), place if len(place) <= _LONGEST else "/")


def read_pending(written: str) -> Pending | None:
    """What a cookie says, None for what is none of ours."""
    found = _WRITTEN.fullmatch(written)
    if found is None:
        return None
    try:
        place = base64.urlsafe_b64decode(found[3] + "=" * (-len(found[3]) % 4)).decode()
    except (ValueError, binascii.Error):
        return None
    return Pending(found[2], int(found[1]), own_path(place))

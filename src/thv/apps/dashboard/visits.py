"""One request of somebody who looks at pages: who that is, what they ask, and what they may be shown.

In the flow: `desk` makes one for each request and gives it to the page's function.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from thv.apps.dashboard.asking import Api
from thv.apps.dashboard.forms import Form
from thv.apps.kit.http.message import Request
from thv.apps.kit.http.parameters import Pairs, pairs_of


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """What a page's function is given."""

    request: Request
    api: Api
    number: str
    """Of the cookie; a new one where there was none."""
    names: Mapping[str, str] = {}  # msgspec makes a new one for each
    """Path parameters."""
    user: str = ""
    """Who is signed in, `""` for nobody."""
    has_sign_in: bool = False
    """Whether anybody is asked who they are."""
    can_sign_in: bool = False
    """Whether there is a way to sign in."""
    form: Form = {}  # msgspec makes a new one for each
    selection: tuple[str, ...] = ()
    """Servers that were put aside for a registry of one's own: `namespace/registry/name`."""

    @property
    def address(self) -> str:
        """Path and query, as they were sent."""
        return address_of(self.request)

    @property
    def is_fragment(self) -> bool:
        """Whether a script asks for the part of the page that changes."""
        return b"hx-request" in self.request.headers

    def query(self) -> Pairs:
        """The parameters, in the order sent."""
        return [(name, value) for name, value in pairs_of(self.request.query) if value]

    def value(self, name: str, default: str = "") -> str:
        """The first value of a parameter."""
        return next((value for key, value in self.query() if key == name), default)

    def values(self, *names: str) -> dict[str, Any]:
        """All values of these parameters, by name; those that were not sent are left out."""
        found: dict[str, list[str]] = {}
        for name, value in self.query():
            if name in names:
                found.setdefault(name, []).append(value)
        return found


def address_of(request: Request) -> str:
    """Path and query, as they were sent."""
    query = request.query.decode("latin-1")
    return request.path.decode("latin-1") + (f"?{query}" if query else "")

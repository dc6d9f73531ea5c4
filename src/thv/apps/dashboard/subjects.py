"""Which server of which registry a page is about.

In the flow: from the address, before anything is asked of the API.
"""

from __future__ import annotations

import msgspec

from thv.apps.dashboard.asking import path, query_of
from thv.apps.dashboard.visits import Visit

PLACE = "/servers/{namespace}/{registry}/{name}"


class Asked(msgspec.Struct, frozen=True):
    """The server that is looked at."""

    namespace: str
    registry: str
    name: str
    version: str

    @property
    def of(self) -> str:
        """The registry, as the API names it."""
        return f"{self.namespace}/{self.registry}"

    @property
    def key(self) -> str:
        """As a selection has it."""
        return f"{self.of}/{self.name}"

    @property
    def place(self) -> str:
        """Its page."""
        return path("/servers/{}/{}/{}", self.namespace, self.registry, self.name)

    @property
    def api(self) -> str:
        """Its address in the API."""
        return path("/api/v1/servers/{}", self.name)

    @property
    def pinned(self) -> dict[str, str]:
        """The query that means this one and no other."""
        return {"registry": self.of, "version": self.version}

    @property
    def twin(self) -> str:
        """The request that answers the same."""
        return f"{self.api}?{query_of(self.pinned)}"


def asked_of(visit: Visit) -> Asked:
    """Which server the address means."""
    names = visit.names
    version = visit.value("version") or "latest"
    return Asked(names["namespace"], names["registry"], names["name"], version)

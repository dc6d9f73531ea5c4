"""`/categories`: what the two classes of servers mean, and what servers are for.

In the flow: for whoever looks around; every count leads to the servers that are counted.
"""

from __future__ import annotations

from thv.apps.dashboard.desk import Desk
from thv.apps.dashboard.visits import Visit
from thv.apps.kit.http.endpoints import Endpoint
from thv.apps.kit.http.message import Answer

_API = "/api/v1/categories"


class Categories:
    """The page."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def rows(self) -> tuple[Endpoint, ...]:
        """Its rows."""
        return (self._desk.row("/categories", self.show),)

    async def show(self, visit: Visit) -> Answer:
        """Classes, and functional categories with the largest first."""
        found = await visit.api.get(_API)
        counted = found["functional_categories"].items()
        return self._desk.renderer.page(
            visit,
            "categories.html",
            classes=found["categories"],
            functional=sorted(counted, key=lambda each: (-each[1], each[0])),
            twin=_API,
        )

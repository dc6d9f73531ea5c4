"""`/api/docs`: everything that a program can ask of this service, for the people who write one.

In the flow: the OpenAPI document of the same door, read aloud; there is no second description.
"""

from __future__ import annotations

from thv.apps.dashboard.desk import Desk
from thv.apps.dashboard.reference import sections_of, shapes_of
from thv.apps.dashboard.visits import Visit
from thv.apps.kit.http.endpoints import Endpoint
from thv.apps.kit.http.message import Answer

_API = "/openapi.json"


class ApiDocs:
    """The reference of the API."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def rows(self) -> tuple[Endpoint, ...]:
        """Its rows."""
        return (self._desk.row("/api/docs", self.show),)

    async def show(self, visit: Visit) -> Answer:
        """Requests, each with its parameters; below them what is sent and answered."""
        document = await visit.api.get(_API)
        request = visit.request
        return self._desk.renderer.page(
            visit,
            "api_docs.html",
            sections=sections_of(document),
            shapes=shapes_of(document),
            base=f"{request.scheme}://{request.header(b'host')}",
            twin=_API,
        )

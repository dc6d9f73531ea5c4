"""`/servers/filter`: the filters that are set in the list of servers, as the filter of a registry.

In the flow: behind a link of the list, with the same query; from here to the form of a new registry, or to a file.
"""

from __future__ import annotations

from thv.apps.dashboard.asking import query_of
from thv.apps.dashboard.desk import Desk
from thv.apps.dashboard.drafts import yaml_of
from thv.apps.dashboard.pages.servers import TITLES, WORDS, address_of, asked_of
from thv.apps.dashboard.snippets import snippet_of
from thv.apps.dashboard.visits import Visit
from thv.apps.kit.http.endpoints import Endpoint
from thv.apps.kit.http.message import Answer

_OF_THE_VIEW = ("sort", "cursor")
"""What says how the list is shown, not what is in it."""


class ServerFilter:
    """The page."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def rows(self) -> tuple[Endpoint, ...]:
        """Its rows."""
        return (self._desk.row("/servers/filter", self.show),)

    async def show(self, visit: Visit) -> Answer:
        """The filter, what it cannot say, and where to go on with it."""
        asked = {key: value for key, value in asked_of(visit).items() if key not in _OF_THE_VIEW}
        narrowed = {
            key: [value] if isinstance(value, str) else value for key, value in asked.items()
        }
        # So that what the API would refuse is refused here, too, and both say how much it is.
        found = await visit.api.get("/api/v1/mcp_servers", limit=1, fields="name", **asked)
        snippet = snippet_of(narrowed)
        return self._desk.renderer.page(
            visit,
            "server_filter.html",
            snippet=snippet,
            yaml=yaml_of(snippet.manifest) if snippet.filter else "",
            asked=narrowed,
            found=found["metadata"]["filtered_count"],
            titles={**TITLES, "search": "Words"},
            words=WORDS,
            back=address_of("/servers", asked),
            twin=f"/api/v1/mcp_servers?{query_of(asked)}",
        )

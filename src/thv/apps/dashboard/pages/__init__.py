"""Every page, one row each.

In the flow: `door` makes routes of them.
"""

from __future__ import annotations

from thv.apps.dashboard.desk import Desk
from thv.apps.dashboard.pages.access import Access
from thv.apps.dashboard.pages.adopt import Adopt
from thv.apps.dashboard.pages.api_docs import ApiDocs
from thv.apps.dashboard.pages.categories import Categories
from thv.apps.dashboard.pages.compare import Compare
from thv.apps.dashboard.pages.deployments import Deployments
from thv.apps.dashboard.pages.generate import Generate
from thv.apps.dashboard.pages.install import Install
from thv.apps.dashboard.pages.new_registry import NewRegistry
from thv.apps.dashboard.pages.offline import Offline
from thv.apps.dashboard.pages.overview import Overview
from thv.apps.dashboard.pages.registries import Registries
from thv.apps.dashboard.pages.registry import OneRegistry
from thv.apps.dashboard.pages.server import Server
from thv.apps.dashboard.pages.server_filter import ServerFilter
from thv.apps.dashboard.pages.servers import Servers
from thv.apps.dashboard.pages.signing_in import SigningIn
from thv.apps.dashboard.pages.signing_in_elsewhere import SigningInElsewhere
from thv.apps.dashboard.pages.tools import Tools
from thv.apps.kit.http.endpoints import Endpoint


def rows(desk: Desk) -> tuple[Endpoint, ...]:
    """All of them."""
    pages = (
        Overview,
        Servers,
        ServerFilter,
        Server,
        Install,
        Compare,
        Tools,
        Categories,
        Registries,
        NewRegistry,
        OneRegistry,
        Deployments,
        Adopt,
        Generate,
        Access,
        ApiDocs,
        Offline,
        SigningIn,
        SigningInElsewhere,
    )
    return tuple(row for page in pages for row in page(desk).rows())

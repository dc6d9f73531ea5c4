"""C20: the groups of all registries.

In the flow: only those registries are asked of which the catalog knows that they have some.
"""

from __future__ import annotations

from thv.apps.catalog_api.answers import answered
from thv.apps.catalog_api.catalog import Catalog, catalog_of
from thv.apps.kit.http.endpoints import Call
from thv.apps.kit.http.message import Answer, Header, encode
from thv.apps.registry_api.groups import described
from thv.apps.registry_api.pages import PLAIN_JSON
from thv.domain.canonical import JsonObject
from thv.stores.catalogs.listing import with_groups
from thv.stores.catalogs.scope import Scope
from thv.stores.models import groups
from thv.stores.models.query import Form


async def list_groups(call: Call) -> Answer:
    """C20: the groups of every registry that the caller may see."""
    catalog = catalog_of(call)
    seen = await catalog.seen(call)

    def make() -> tuple[Header, bytes]:
        found = _groups(catalog, seen)
        count = len(found)
        metadata = {"total_count": count, "filtered_count": count, "count": count}
        return PLAIN_JSON, encode({"groups": found, "metadata": metadata})

    return answered(call, catalog, seen, make)


def _groups(catalog: Catalog, seen: Scope) -> list[JsonObject]:
    having = with_groups(catalog.shelf, seen)
    return [
        {**described(group, Form.TOOLHIVE), "registry": joined.title}
        for joined in seen.registries
        if joined.id in having
        for group in groups.groups(catalog.served(joined).view())
    ]

"""C6: the two classes of servers, and the functional categories.

In the flow: the texts are settings, the counts those of what the caller may see.
"""

from __future__ import annotations

from thv.apps.catalog_api.answers import answered
from thv.apps.catalog_api.catalog import catalog_of
from thv.apps.catalog_api.settings import Class
from thv.apps.kit.http.endpoints import Call
from thv.apps.kit.http.message import Answer, Header, encode
from thv.apps.registry_api.pages import PLAIN_JSON
from thv.domain.canonical import JsonObject
from thv.stores.catalogs.listing import counts, functional_categories


async def list_categories(call: Call) -> Answer:
    """C6: what the classes mean, and how many servers each has."""
    catalog = catalog_of(call)
    seen = await catalog.seen(call)
    classes = catalog.settings.classes

    def make() -> tuple[Header, bytes]:
        counted = counts(catalog.shelf, seen)
        body = {
            "categories": {
                "validated": _told(classes.validated, counted.validated),
                "community": _told(classes.community, counted.community),
            },
            "functional_categories": functional_categories(catalog.shelf, seen),
        }
        return PLAIN_JSON, encode(body)

    return answered(call, catalog, seen, make)


def _told(about: Class, count: int) -> JsonObject:
    return {
        "display_name": about.display_name,
        "description": about.description,
        "server_count": count,
        "enforcement_recommended": about.enforcement_recommended,
        "verification_criteria": about.verification_criteria,
    }

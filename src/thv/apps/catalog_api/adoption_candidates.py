"""What an installed server may be: entries that are like it, the best guess first.

In the flow: before somebody adopts it. The read model has no index of images: what is found by the words of the image and
of the names is compared, so that a guess costs no more than four searches.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from thv.apps.catalog_api.bodies import listed_body
from thv.apps.catalog_api.catalog import Catalog
from thv.catalog.adopt import Likeness, likeness, sought
from thv.catalog.installed import Installed
from thv.domain.canonical import JsonObject
from thv.stores.catalogs import listing
from thv.stores.catalogs.query import ListQuery
from thv.stores.catalogs.scope import Scope, Sight
from thv.stores.models.query import Sort

MOST = 5
_LOOKED_AT = 40
"""Entries of a search that are compared."""
_ORDER = ("image", "repository", "name")


class _Found(msgspec.Struct):
    name: str
    version: str
    registry_info: dict[str, object]
    image: str = ""


_decode = msgspec.json.Decoder(_Found).decode


def candidates(catalog: Catalog, seen: Scope, installed: Installed) -> list[JsonObject]:
    """At most five; the same image before another tag of it, and that before a mere name."""
    alike = [
        (likeness(installed, Likeness(each.name, each.image)), each)
        for each in _looked_at(catalog, seen, installed)
    ]
    told = [_told(how, each) for how, each in alike if how]
    return sorted(told, key=lambda each: _ORDER.index(each["likeness"]))[:MOST]


def _looked_at(catalog: Catalog, seen: Scope, installed: Installed) -> Iterator[_Found]:
    """What the searches find, each entry once."""
    registries = {each.id: each for each in seen.registries}
    known = set[tuple[int, str]]()
    for text in sought(installed):
        query = ListQuery(wish=catalog.wishes.wish(text), every=True, sort=Sort.RELEVANCE)
        page = listing.page(catalog.shelf, Sight(seen, seen), query, None, _LOOKED_AT)
        for row in page.rows:
            if (row.registry, row.name) not in known:
                known.add((row.registry, row.name))
                yield _decode(listed_body(row, registries))


def _told(how: str, found: _Found) -> JsonObject:
    info = found.registry_info
    return {
        "registry": f"{info['namespace']}/{info['name']}",
        "server": found.name,
        "version": found.version,
        "image": found.image or None,
        "likeness": how,
    }

"""C7 and C8: the tools of all servers.

In the flow: as `listing`.
"""

from __future__ import annotations

import msgspec

from thv.apps.catalog_api.answers import answered, linked
from thv.apps.catalog_api.catalog import catalog_of
from thv.apps.catalog_api.cursors import Cursor, cursor_text, key_in
from thv.apps.catalog_api.listing import chosen_registries, sort_of, wish_of
from thv.apps.kit.http.endpoints import Call
from thv.apps.kit.http.message import Answer, Header, encode
from thv.apps.kit.http.problems import ProblemError, Word
from thv.apps.registry_api.cursors import query_tag
from thv.apps.registry_api.pages import PLAIN_JSON, next_url, resolved
from thv.domain.canonical import JsonObject
from thv.stores.catalogs import tools
from thv.stores.catalogs.scope import Scope, Sight
from thv.stores.catalogs.tools import Offer, ToolPage, ToolQuery, ToolSort, width_of


async def list_tools(call: Call) -> Answer:
    """C7: the tools of all servers that the caller may see, and who offers them."""
    catalog = catalog_of(call)
    seen = await catalog.seen(call)
    values = {**call.values, "sort": sort_of(call.values)}
    sort: str = values["sort"]
    query = ToolQuery(
        wish=wish_of(catalog, values["search"]),
        categories=values["category"],
        servers=values["server"],
        sort=ToolSort(sort.removeprefix("-")),
        descending=sort.startswith("-"),
    )
    sight = Sight(seen, _within(seen, values["registry"], values["trust_level"]))
    tag = query_tag("C7", resolved(values, "cursor", "limit"))
    cursor: Cursor | None = values["cursor"]
    after = key_in(cursor, tag, width_of(query))
    digest = catalog.shelf.digest(seen)[7:23]
    more: list[Header] = []

    def make() -> tuple[Header, bytes]:
        page = tools.page(catalog.shelf, sight, query, after, values["limit"])
        body = _listed(page)
        if values["facets"]:
            counts = tools.found_by_category(catalog.shelf, sight.chosen, query)
            body["metadata"]["facets"] = {"category": counts}
        if cursor is not None and cursor.content != digest:
            body["metadata"]["changed"] = True
        if page.following is not None:
            following = cursor_text(digest, tag, page.following)
            body["metadata"]["next_cursor"] = following
            more.append(linked((next_url(call, following), "next")))
        return PLAIN_JSON, encode(body)

    return answered(call, catalog, seen, make, values=values).with_headers(more)


def _within(seen: Scope, registries: tuple[str, ...], levels: tuple[str, ...]) -> Scope:
    scope = chosen_registries(seen, registries)
    if not levels:
        return scope
    return scope.within(each for each in scope.registries if each.trust_level in levels)


def _listed(page: ToolPage) -> JsonObject:
    return {
        "tools": [
            {
                "name": each.name,
                "description": each.description,
                "category": each.category,
                "servers": each.servers,
                "usage_count": each.usage,
            }
            for each in page.tools
        ],
        "categories": page.categories,
        "metadata": {
            "total_count": page.total,
            "filtered_count": page.filtered,
            "count": len(page.tools),
        },
    }


async def read_tool(call: Call) -> Answer:
    """C8: one tool and the servers that offer it."""
    catalog = catalog_of(call)
    seen = await catalog.seen(call)
    name = call.names["tool"]
    registries = {each.id: each for each in seen.registries}

    def offered(offer: Offer) -> JsonObject:
        joined = registries[offer.registry]
        told: JsonObject = {
            "name": offer.key,
            "registry": joined.title,
            "version": offer.version,
            "trust_level": joined.trust_level,
            "description": offer.description,
        }
        if offer.schema is not None:
            told["input_schema"] = msgspec.Raw(offer.schema)
        return told

    def make() -> tuple[Header, bytes]:
        found = tools.tool(catalog.shelf, seen, name)
        if found is None:
            raise ProblemError(
                Word.TOOL_NOT_FOUND,
                "There is no such tool.",
                field="tool",
                value=name,
                hint="Names are compared exactly; look for one at /api/v1/tools?search=.",
            )
        body = {
            "name": found.name,
            "description": found.description,
            "category": found.category,
            "servers": [offered(each) for each in tools.offers(catalog.shelf, seen, name)],
            "usage_count": found.usage,
        }
        return PLAIN_JSON, encode(body)

    return answered(call, catalog, seen, make)

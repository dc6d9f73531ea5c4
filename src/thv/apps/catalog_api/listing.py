"""C1: the list of servers.

In the flow: parameters become a query within what the caller may see; its page gets what differs by registry and by
caller.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from thv.apps.catalog_api.answers import CATALOG, CATALOG_JSON, answered, form_of, linked
from thv.apps.catalog_api.bodies import chosen, listed_body
from thv.apps.catalog_api.catalog import Catalog, catalog_of
from thv.apps.catalog_api.cursors import Cursor, cursor_text, key_in
from thv.apps.kit.http.endpoints import Call
from thv.apps.kit.http.message import Answer, Header
from thv.apps.kit.http.problems import Culprit, ProblemError, Word
from thv.apps.registry_api.cursors import query_tag
from thv.apps.registry_api.pages import (
    TOOLHIVE_JSON,
    UPSTREAM_JSON,
    listed,
    next_url,
    resolved,
)
from thv.domain.canonical import JsonObject
from thv.stores.catalogs import listing
from thv.stores.catalogs.join import Joined
from thv.stores.catalogs.listing import width_of
from thv.stores.catalogs.query import LEVELS, Listed, ListQuery, Page, Wish
from thv.stores.catalogs.scope import Scope, Sight
from thv.stores.models import lookup
from thv.stores.models.query import Form, Sort, Where

CANONICAL = "/api/v1/mcp_servers"
_ONE_OF = tuple(name for name in listing.FACETS if name != "tags")
"""Attributes of which a server has one of the values that are asked for."""


async def list_servers(call: Call) -> Answer:
    """C1: the servers of all registries that the caller may see."""
    catalog = catalog_of(call)
    seen = await catalog.seen(call)
    values = {**call.values, "sort": sort_of(call.values)}
    query = _query(catalog, values)
    sight = Sight(seen, _within(seen, values))
    form = form_of(call)
    tag = query_tag("C1", form, resolved(values, "cursor", "limit", "format"))
    cursor: Cursor | None = values["cursor"]
    after = key_in(cursor, tag, width_of(query))
    digest = catalog.shelf.digest(seen)
    links = [(CANONICAL, "canonical")]
    rows = 0

    def make() -> tuple[Header, bytes]:
        nonlocal rows
        # First, as they count what the page would count again.
        facets = _facets(catalog, seen, values) if values["facets"] else None
        page = listing.page(catalog.shelf, sight, query, after, values["limit"])
        rows = len(page.rows)
        metadata = _metadata(page)
        if facets is not None:
            metadata["facets"] = facets
        if cursor is not None and cursor.content != digest[7:23]:
            metadata["changed"] = True
        if page.following is not None:
            following = cursor_text(digest[7:23], tag, page.following)
            metadata["next_cursor"] = following
            links.append((next_url(call, following), "next"))
        if form == CATALOG:
            bodies = _bodies(page, seen, values["fields"])
            return CATALOG_JSON, listed(b"servers", bodies, metadata)
        return _as_registries_have_it(catalog, page, seen, Form(form), metadata)

    said = () if form == CATALOG else _seals(catalog, sight.chosen)
    answer = answered(call, catalog, seen, make, values=values, said=said)
    return answer.with_headers([linked(*links)], rows=rows)


def sort_of(values: Mapping[str, Any]) -> str:
    """What was asked for, else what fits best in a search; raises INVALID_REQUEST for that without one."""
    searching = values["search"] is not None
    sort: str = values["sort"] or ("relevance" if searching else "name")
    if sort.removeprefix("-") == "relevance" and not searching:
        message = "needs search"
        culprit = Culprit(message, "query.sort", sort)
        raise ProblemError(Word.INVALID_REQUEST, f"sort={sort} {message}.", culprits=[culprit])
    return sort


def _facets(catalog: Catalog, seen: Scope, values: Mapping[str, Any]) -> JsonObject:
    """What was found, by attribute; one that is filtered by is counted without that, for whoever wants a second value."""

    def counted(values: Mapping[str, Any]) -> dict[str, dict[str, int]]:
        return listing.facets(catalog.shelf, _within(seen, values), _query(catalog, values))

    wider = {name: {**values, name: ()} for name in _ONE_OF if values[name]}
    return {**counted(values), **{name: counted(each)[name] for name, each in wider.items()}}


def _query(catalog: Catalog, values: Mapping[str, Any]) -> ListQuery:
    where = Where(
        categories=values["functional_category"],
        transports=values["transport"],
        tiers=values["tier"],
        statuses=values["status"],
        kinds=values["kind"],
        tags=values["tags"],
        tools=values["tools"],
        labels=values["labelSelector"].requirements if values["labelSelector"] else (),
    )
    sort: str = values["sort"]
    return ListQuery(
        where=where,
        classes=values["category"],
        trust=tuple(LEVELS.index(level) for level in values["trust_level"]),
        signed=values["signed"],
        scans=values["scan"],
        reaches=values["reach"],
        wish=wish_of(catalog, values["search"]),
        every=values["duplicates"] == "all",
        sort=Sort(sort.removeprefix("-")),
        descending=sort.startswith("-"),
    )


def wish_of(catalog: Catalog, text: str | None) -> Wish | None:
    """What a search seeks; raises INVALID_REQUEST for one that is too long."""
    if text is None:
        return None
    try:
        return catalog.wishes.wish(text)
    except ValueError as error:
        culprit = Culprit(f"has {error}", "query.search", text)
        raise ProblemError(
            Word.INVALID_REQUEST, f"search can have {error}.", culprits=[culprit]
        ) from error


def _within(seen: Scope, values: Mapping[str, Any]) -> Scope:
    return chosen_registries(seen, values["registry"], values["namespace"])


def chosen_registries(
    seen: Scope, names: tuple[str, ...], namespaces: tuple[str, ...] = ()
) -> Scope:
    """The part with these registries, by name or namespace and name; what is not seen selects nothing."""
    if not (names or namespaces):
        return seen
    return seen.within(each for each in seen.registries if _is_chosen(each, names, namespaces))


def _is_chosen(joined: Joined, names: tuple[str, ...], namespaces: tuple[str, ...]) -> bool:
    is_named = not names or joined.name in names or f"{joined.namespace}/{joined.name}" in names
    return is_named and (not namespaces or joined.namespace in namespaces)


def _metadata(page: Page) -> JsonObject:
    counts = page.counts
    metadata: JsonObject = {
        "total_count": counts.total,
        "filtered_count": page.filtered,
        "categories": {"validated": counts.validated, "community": counts.community},
        "count": len(page.rows),
    }
    return {**metadata, "partial": True} if page.partial else metadata


def _bodies(page: Page, seen: Scope, fields: tuple[str, ...]) -> list[bytes]:
    registries = {each.id: each for each in seen.registries}
    bodies = [listed_body(row, registries) for row in page.rows]
    return [chosen(body, fields) for body in bodies] if fields else bodies


def _seals(catalog: Catalog, scope: Scope) -> tuple[str, ...]:
    """What registries say of themselves in each of their entries, such as when they were synchronized."""
    shown = (catalog.served(each) for each in scope.registries)
    return tuple(served.seal(served.view()).tag for served in shown)


def _as_registries_have_it(
    catalog: Catalog, page: Page, seen: Scope, form: Form, metadata: JsonObject
) -> tuple[Header, bytes]:
    registries = {each.id: each for each in seen.registries}
    found = [_as_it_is(catalog, registries[row.registry], row, form) for row in page.rows]
    bodies = [body for body in found if body is not None]
    if form is Form.TOOLHIVE:
        return TOOLHIVE_JSON, listed(b"servers", bodies, metadata)
    short: JsonObject = {"count": len(bodies)}
    if "next_cursor" in metadata:
        short["nextCursor"] = metadata["next_cursor"]
    return UPSTREAM_JSON, listed(b"servers", bodies, short)


def _as_it_is(catalog: Catalog, joined: Joined, row: Listed, form: Form) -> bytes | None:
    """None when the registry has moved on without it, which the catalog will know in a moment."""
    served = catalog.served(joined)
    view = served.view()
    found = lookup.server(view, row.name)
    if found is None:
        return None
    if form is Form.TOOLHIVE:
        body = view.model.body(form, found.place, found.size)
    else:
        body = view.model.body(form, found.official, found.official_size)
    return served.seal(view).on(form, body)

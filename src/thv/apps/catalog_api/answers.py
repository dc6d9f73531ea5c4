"""What the answers about content share: tags, cache headers, links.

In the flow: between what was found out in a scope and the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeAlias

from thv.apps.catalog_api.catalog import Catalog
from thv.apps.kit.http.caching import (
    PRIVATE,
    PUBLIC,
    Validators,
    is_current,
    not_modified,
    weak_tag,
)
from thv.apps.kit.http.endpoints import Call
from thv.apps.kit.http.message import Answer, Header
from thv.apps.registry_api.pages import resolved
from thv.stores.catalogs.scope import Scope

CATALOG = "catalog"
CATALOG_JSON: Header = (b"content-type", b"application/json; format=catalog")

Make: TypeAlias = Callable[[], tuple[Header, bytes]]
"""Content type and body of an answer; not called for a client that has it already."""


def form_of(call: Call) -> str:
    """The representation: of the query, else of the Accept header."""
    return call.values.get("format") or call.offer.format or CATALOG


def answered(
    call: Call,
    catalog: Catalog,
    seen: Scope,
    make: Make,
    *,
    values: Mapping[str, Any] | None = None,
    said: Hashable = (),
) -> Answer:
    """The answer, or 304 when the client has it; both spellings of a path have the same tag.

    `said` is what the answer tells that is not part of what the catalog holds.
    """
    etag = weak_tag(
        catalog.shelf.digest(seen),
        call.endpoint.id,
        form_of(call),
        said,
        call.names,
        resolved(call.values if values is None else values, "format"),
    )
    validators = Validators(etag)
    headers = (*validators.headers(), _cache_control(call, catalog, seen))
    if is_current(call.request, validators):
        return not_modified(headers)
    content_type, body = make()
    return Answer(200, (content_type, *headers), body)


def _cache_control(call: Call, catalog: Catalog, seen: Scope) -> Header:
    """What a shared cache may keep: nothing that somebody had to identify for."""
    if b"authorization" in call.request.headers:
        return PRIVATE
    opened = all(catalog.is_open(each) for each in seen.registries)
    return PUBLIC if opened else PRIVATE


def linked(*links: tuple[str, str]) -> Header:
    """One header for several links: address and relation."""
    return (b"link", ", ".join(f'<{url}>; rel="{rel}"' for url, rel in links).encode())

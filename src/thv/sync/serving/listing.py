"""Long lists, a page at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator

from thv.domain.canonical import JsonObject
from thv.domain.resources import Kind
from thv.stores.resources.base import ResourceStore

_PAGE = 200


async def listed(
    store: ResourceStore,
    kind: Kind,
    namespace: str | None,
    selector: str = "",
    *,
    partial: bool = False,
) -> AsyncIterator[JsonObject]:
    """Every object; raises EXPIRED when it takes so long that the rest cannot be had."""
    continue_ = ""
    while True:
        page = await store.list(
            kind, namespace, selector=selector, limit=_PAGE, continue_=continue_, partial=partial
        )
        for obj in page.items:
            yield obj
        continue_ = page.continue_
        if not continue_:
            return

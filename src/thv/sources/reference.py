"""The source kind `registry` by reference: another registry of the same namespace, read from its snapshot.

In the flow: before `formats`, without any network. Tells by the snapshot's digest whether anything changed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

import msgspec

from thv.domain.canonical import JsonObject
from thv.domain.entry import OFFICIAL_META
from thv.domain.errors import Code, ThvError
from thv.domain.snapshot import Record
from thv.sources.base import Fetched, Known, Page, Pages, Unchanged

_PAGE = 100


class Snapshots(Protocol):
    """Reads what registries of one namespace serve."""

    async def digest(self, registry: str) -> str:
        """Digest of the served snapshot, `""` before the first one; raises SOURCE_NOT_FOUND."""
        ...

    def records(self, registry: str) -> AsyncIterator[Record]:
        """Its records in key order."""
        ...


class ReferenceSource:
    """Reads one registry."""

    def __init__(self, registry: str, snapshots: Snapshots, *, namespace: str) -> None:
        self._registry = registry
        self._snapshots = snapshots
        self.origin = f"reference:{namespace}/{registry}"

    async def fetch(self, known: Known) -> Fetched:
        """All records, unless the snapshot is the known one."""
        digest = await self._snapshots.digest(self._registry)
        if not digest:
            raise ThvError(
                Code.SOURCE_NOT_READY,
                f'the registry "{self._registry}" has not served anything yet',
                hint=f"Look at it: thv registry status {self._registry}",
            )
        if known.origin == self.origin and known.revision == digest:
            return Unchanged(known)
        return Pages(self._pages(digest), complete=True)

    async def _pages(self, digest: str) -> AsyncIterator[Page]:
        known = Known(origin=self.origin, revision=digest)
        between = Known(origin=self.origin)
        items: list[msgspec.Raw] = []
        async for record in self._snapshots.records(self._registry):
            if not record.removed_at:
                items.append(_item(record))
            if len(items) >= _PAGE:
                yield Page(tuple(items), between)
                items.clear()
        yield Page(tuple(items), known)


def _item(record: Record) -> msgspec.Raw:
    """The record as an answer of the official API has it."""
    content: JsonObject = msgspec.json.decode(record.entry)
    meta = content.get("_meta") or {}
    official = {
        **meta.get(OFFICIAL_META, {}),
        "publishedAt": record.published_at,
        "updatedAt": record.updated_at,
        "isLatest": record.latest,
    }
    return msgspec.Raw(msgspec.json.encode({**content, "_meta": {**meta, OFFICIAL_META: official}}))

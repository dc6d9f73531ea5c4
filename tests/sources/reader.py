"""A consumer as a flow is one: keeps what pages say, and where to go on."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from tests.upstream import OFFICIAL, Corpus
from thv.sources.base import Fetched, Known, Page, Pages, Source, Unchanged

Key = tuple[str, str]


@dataclass
class Reader:
    """Everything that was told, by name and version."""

    entries: dict[Key, dict[str, Any]] = field(default_factory=dict)
    known: Known = field(default_factory=Known)
    pages: list[Page] = field(default_factory=list)
    fresh: dict[Key, dict[str, Any]] = field(default_factory=dict)
    """Of a full run that is not at its end."""

    async def sync(self, source: Source) -> Fetched:
        """One sync, to its end or its failure; a later one goes on."""
        fetched = await source.fetch(self.known)
        if isinstance(fetched, Unchanged):
            self.known = fetched.known
            return fetched
        assert isinstance(fetched, Pages), fetched
        await self._take(fetched)
        return fetched

    async def _take(self, pages: Pages) -> None:
        if pages.complete and not pages.resumed:
            self.fresh = {}
        into = self.fresh if pages.complete else self.entries
        async for page in pages.pages:
            self.pages.append(page)
            for item in page.items:
                entry = json.loads(bytes(item))
                into[entry["server"]["name"], entry["server"]["version"]] = entry
            self.known = page.known
        if pages.complete:
            self.entries, self.fresh = self.fresh, {}

    def alive(self) -> set[Key]:
        """What is not deleted."""
        return {
            key
            for key, entry in self.entries.items()
            if entry["_meta"][OFFICIAL]["status"] != "deleted"
        }


def alive_in(corpus: Corpus) -> set[Key]:
    return {key for key, row in corpus.rows.items() if row.status != "deleted"}

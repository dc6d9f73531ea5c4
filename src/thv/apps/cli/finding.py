"""Servers of several registries in one list.

In the flow: between `thv search` and the read models. Each registry is asked by itself; the lists are then put
into one order: by name, or for a search the names that fit best first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import msgspec

from thv.apps.cli.reading import Book
from thv.domain.canonical import JsonObject
from thv.domain.lenient import as_object, as_objects, as_text, as_texts
from thv.domain.registry import BEST_FIRST
from thv.stores.models.bodies import MARK, Publication
from thv.stores.models.query import START, ListQuery, Position, Sort, Where
from thv.stores.models.servers import page

TRUST_ORDER = {level.value: place for place, level in enumerate(BEST_FIRST)}


class Hit(msgspec.Struct, frozen=True):
    """A server and the registry that holds it."""

    book: Book
    entry: JsonObject
    """The ToolHive entry with its name, and `registry_info`."""
    rank: int
    """How many of its registry come before it."""

    @property
    def name(self) -> str:
        return text_of(self.entry, "name")


class Found(msgspec.Struct, frozen=True):
    """The first servers that were found, and of how many."""

    hits: list[Hit]
    matched: int
    total: int


def find_servers(books: Sequence[Book], where: Where, limit: int) -> Found:
    """The first servers of all registries."""
    hits: list[Hit] = []
    matched = total = 0
    for book in books:
        query = ListQuery(
            own=book.own, where=where, sort=Sort.RELEVANCE if where.search else Sort.NAME
        )
        first = page(book.view, query, START, limit)
        matched += first.filtered
        total += first.total
        entries = islice(_entries(book, query, limit), limit)
        hits += [Hit(book, entry, rank) for rank, entry in enumerate(entries)]
    searched = where.search.text if where.search else ""
    hits.sort(key=lambda hit: _order(hit, searched))
    return Found(hits[:limit], matched, total)


def _entries(book: Book, query: ListQuery, limit: int) -> Iterator[JsonObject]:
    """A page may end early where bodies are large."""
    position: Position | None = START
    while position is not None:
        found = page(book.view, query, position, limit)
        if found.plan.count:
            yield from bodies_of(book, book.view.model.read(found.plan))
        position = found.following


def bodies_of(book: Book, bodies: bytes) -> list[JsonObject]:
    """The entries behind ToolHive bodies, with what their registry says."""
    sealed = bodies.replace(MARK, publication_of(book).toolhive())
    entries: list[JsonObject] = msgspec.json.decode(b"[" + sealed + b"]")
    return entries


def publication_of(book: Book) -> Publication:
    """What the registry says about all its entries."""
    registry = book.shelf.registry
    return Publication(
        namespace=registry.namespace,
        name=registry.name,
        display_name=registry.spec.display_name or registry.name,
        trust_level=book.trust,
        snapshot=book.view.generation.digest,
        synced_at=registry.status.sync_status.last_sync_time,
    )


def _order(hit: Hit, searched: str) -> tuple[Any, ...]:
    trust = TRUST_ORDER[hit.book.trust]
    if not searched:
        return (hit.name, trust, hit.book.name)
    folded = hit.name.casefold()
    last = folded.rpartition("/")[2]
    if searched in (folded, last):
        fit = 0
    else:
        fit = 1 if folded.startswith(searched) or last.startswith(searched) else 2
    return (fit, hit.rank if fit == 2 else 0, trust, hit.name, hit.book.name)


def text_of(entry: JsonObject, key: str) -> str:
    """A text of an entry, `""` when it has none."""
    return as_text(entry.get(key))


def texts_of(entry: JsonObject, key: str) -> list[str]:
    """The texts of a list of an entry."""
    return as_texts(entry.get(key))


def object_of(entry: JsonObject, key: str) -> JsonObject:
    """An object of an entry, empty when it has none."""
    return as_object(entry.get(key))


def objects_of(entry: JsonObject, key: str) -> list[JsonObject]:
    """The objects of a list of an entry."""
    return as_objects(entry.get(key))

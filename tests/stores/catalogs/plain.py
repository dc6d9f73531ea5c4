"""What the list of servers answers, worked out one row after the other in plain Python."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cmp_to_key

import msgspec

from thv.stores.catalogs.join import Joined
from thv.stores.catalogs.listing import FACET_LIMIT
from thv.stores.catalogs.query import CLASSES, ListQuery, Wish
from thv.stores.catalogs.rows import Shared
from thv.stores.catalogs.scope import Scope, Shelf
from thv.stores.models.query import Sort

LEVELS = ("trusted", "tested", "raw")
_PLAIN = ("name", "key", "short", "version", "score", "stars", "pulls", "updated")


class Row(msgspec.Struct, frozen=True):
    """An entry of the catalog with all that is known of it."""

    registry: Joined
    traits: Shared
    name: str
    key: str
    short: str
    version: str
    score: int
    stars: int
    pulls: int
    updated: int
    spoken: tuple[tuple[str, ...], ...]
    """The words of each field."""
    tags: frozenset[str]

    @property
    def title(self) -> str:
        return f"{self.registry.namespace}/{self.registry.name}"


def rows_of(shelf: Shelf, scope: Scope) -> list[Row]:
    """Everything in the scope."""
    registries = {each.id: each for each in scope.registries}
    found = shelf.ask(
        f"SELECT e.id, e.registry, e.traits, {', '.join(f'e.{each}' for each in _PLAIN)}, "
        "w.host, w.name, w.title, w.description, w.tags, w.tools FROM entry e JOIN spoken w ON w.id = e.id"
    ).fetchall()
    facts = shelf.ask("SELECT item, substr(fact, 2) FROM fact WHERE fact >= 't' AND fact < 'u'")
    tags: dict[int, set[str]] = {}
    for item, tag in facts:
        tags.setdefault(item, set()).add(tag)
    traits = shelf.traits()
    return [
        Row(
            registry=registries[registry],
            traits=traits[place],
            spoken=tuple(tuple(field.split()) for field in plain[len(_PLAIN) :]),
            tags=frozenset(tags.get(id_, ())),
            **dict(zip(_PLAIN, plain, strict=False)),
        )
        for id_, registry, place, *plain in found
        if registry in registries
    ]


def found_by(rows: list[Row], query: ListQuery) -> list[Row]:
    """What the query finds, in its order, none of it missing a word that is sought."""
    found = [row for row in (rows if query.every else best_of(rows)) if is_wanted(row, query)]

    def compared(one: Row, other: Row) -> int:
        for first, second in zip(place_of(one, query), place_of(other, query), strict=True):
            (mine, is_up), (theirs, _) = first, second
            if mine != theirs:
                return 1 if (mine > theirs) is is_up else -1  # type: ignore[operator] # of one kind
        return 0

    return sorted(found, key=cmp_to_key(compared))


def best_of(rows: Iterable[Row]) -> list[Row]:
    """The best one of each name."""
    best: dict[str, Row] = {}
    for row in sorted(rows, key=lambda row: row.registry.standing):
        best.setdefault(row.name, row)
    return list(best.values())


def is_wanted(row: Row, query: ListQuery) -> bool:
    where = query.where
    return (
        (not query.classes or CLASSES[row.registry.trust > 0] in query.classes)
        and (not query.trust or row.registry.trust in query.trust)
        and (not query.reaches or row.traits.reach in query.reaches)
        and (not where.transports or row.traits.transport in where.transports)
        and (not where.statuses or row.traits.status in where.statuses)
        and set(where.tags) <= row.tags
        and (query.wish is None or says(row, query.wish))
    )


def says(row: Row, wish: Wish) -> bool:
    """Whether an entry has every word and every phrase."""
    words = [word for field in row.spoken for word in field]
    return all(
        any(all(any(w.startswith(part) for w in words) for part in way) for way in term.spellings)
        for term in wish.terms
    ) and all(
        any(
            field[start : start + len(phrase)] == phrase
            for field in row.spoken
            for start in range(len(field))
        )
        for phrase in wish.phrases
    )


def place_of(row: Row, query: ListQuery) -> tuple[tuple[str | int, bool], ...]:
    """What the row is sorted by, each with whether it goes up."""
    is_up = not query.descending
    ties = ((row.key, True), (row.version, True), (row.title, True))
    match query.sort:
        case Sort.NAME:
            return ((row.key, is_up), *ties[1:])
        case Sort.UPDATED | Sort.STARS | Sort.PULLS:
            return ((getattr(row, query.sort.value), is_up), *ties)
        case Sort.TRUST:
            return ((row.registry.trust, not is_up), *ties)
        case Sort.RELEVANCE:
            assert query.wish is not None
            near = nearness(row, query.wish.text)
            return ((near, is_up), (row.registry.trust, is_up), (row.score, not is_up), *ties)


def nearness(row: Row, text: str) -> int:
    """0: the name itself, 1: it begins so."""
    names = [row.short, *([row.key.lower(), row.name.lower()] if set(text) & set("/.") else [])]
    if text in names:
        return 0
    return 1 if row.short.startswith(text) else 2


def facets_of(rows: list[Row]) -> dict[str, dict[str, int]]:
    """How often each value is among them."""
    values = {
        "category": [CLASSES[row.registry.trust > 0] for row in rows],
        "trust_level": [LEVELS[row.registry.trust] for row in rows],
        "registry": [row.title for row in rows],
        "functional_category": [row.traits.category for row in rows],
        "tier": [row.traits.tier for row in rows],
        "transport": [row.traits.transport for row in rows],
        "kind": [row.traits.kind for row in rows],
        "status": ["Deprecated" if row.traits.status == "deprecated" else "Active" for row in rows],
        "reach": [row.traits.reach for row in rows],
        "tags": [tag for row in rows for tag in row.tags],
    }
    return {name: _most_frequent(each) for name, each in values.items()}


def _most_frequent(values: list[str]) -> dict[str, int]:
    counted = Counter(value for value in values if value)
    most = sorted(counted.items(), key=lambda each: (-each[1], each[0]))
    return dict(most[:FACET_LIMIT])

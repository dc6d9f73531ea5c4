"""The list of the official API: every version by name and version, tombstones on request.

In the flow: behind `GET /v0.1/servers`. Its cursors are positions in the order of keys and outlive the content,
so a result is entered by key and not by number.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable
from typing import Any, Literal, TypeAlias

import msgspec

from thv.stores.models.plans import plan_of
from thv.stores.models.query import ALL, LATEST, START, Form, OfficialQuery, Page, Position
from thv.stores.models.rows import Key
from thv.stores.models.servers import numbers
from thv.stores.models.view import View
from thv.stores.models.words import grams_expression

Found: TypeAlias = tuple[str, str, int, int, int]
"""Name, version, place, size and id."""
BROAD = 2048
"""Texts from which on a search has so many results that the next ones are met soon by walking the list."""

_WALKS = {
    OfficialQuery(): "SELECT name, version, place, size, id FROM version INDEXED BY version_by_name "
    "WHERE (name, version) > (?, ?) AND born <= ? AND died > ? AND gone = 0 "
    "ORDER BY name, version LIMIT ?",
    OfficialQuery(include_deleted=True): "SELECT name, version, place, size, id FROM version "
    "INDEXED BY version_by_name WHERE (name, version) > (?, ?) AND born <= ? AND died > ? "
    "ORDER BY name, version LIMIT ?",
    OfficialQuery(version=LATEST): "SELECT name, '', official, official_size, item FROM server "
    "INDEXED BY server_by_name WHERE name > ?1 AND born <= ?3 AND died > ?4 ORDER BY name LIMIT ?5",
}
"""The lists that an index holds in order; that of latest rows does not know their versions."""


class Row(msgspec.Struct, frozen=True):
    """One version in the list."""

    name: str
    version: str
    place: int
    size: int
    item: int


class Listed(msgspec.Struct, frozen=True):
    """A result in the order of keys."""

    items: array[int]
    places: array[int]
    sizes: array[int]


def page(view: View, query: OfficialQuery, after: Position, limit: int) -> Page:
    """One page of the list. Its counts are of no use here: the official envelope counts the page only."""
    found = _behind(view, query, after, limit + 1)  # one more tells whether there is a next page
    plan = plan_of(Form.OFFICIAL, found.places[:limit], found.sizes[:limit])
    following = None
    if len(found.items) > plan.count:
        key = _key(view, found.items[plan.count - 1])
        following = Position(after.place + plan.count, key)
    total = view.generation.versions
    return Page(plan, total, total, following)


def rows(view: View, query: OfficialQuery, after: Position, limit: int) -> list[Row]:
    """The rows behind a position."""
    walked = _walked(view, query, after, limit)
    if walked is not None:
        return [Row(*values) for values in walked]
    listed = _behind(view, query, after, limit)
    every = zip(listed.items, listed.places, listed.sizes, strict=True)
    return [Row(*_key(view, item), place, size, item) for item, place, size in every]


def _behind(view: View, query: OfficialQuery, after: Position, limit: int) -> Listed:
    """What lies behind a position; nobody asks for names, which would be a question for each row."""
    walked = _walked(view, query, after, limit)
    if walked is not None:
        return _listed(walked)
    result = _result(view, query)
    if result is None:
        return _met(view, query, after, limit)
    start = _entered(view, result, after)
    stop = start + limit
    return Listed(result.items[start:stop], result.places[start:stop], result.sizes[start:stop])


def _walked(view: View, query: OfficialQuery, after: Position, limit: int) -> list[Found] | None:
    """The rows of a list that an index holds in order, None of another one."""
    walk = _WALKS.get(query)
    if walk is None:
        return None
    return view.ask(walk, (*after.key, view.id, view.id, limit)).fetchall()


def _listed(found: list[Found]) -> Listed:
    return Listed(
        array("q", [row[4] for row in found]),
        array("q", [row[2] for row in found]),
        array("I", [row[3] for row in found]),
    )


def digests(view: View, items: Iterable[int]) -> dict[int, str]:
    """The entry digests of some versions."""
    found = {}
    for item in items:
        (digest,) = view.ask("SELECT digest FROM version WHERE id=?", (item,)).fetchone()
        found[item] = f"sha256:{digest.hex()}"
    return found


def _entered(view: View, result: Listed, after: Position) -> int:
    """How many rows come up to a key; mostly as many as when the cursor was given."""
    if after == START:
        return 0
    if (
        0 < after.place <= len(result.items)
        and _key(view, result.items[after.place - 1]) == after.key
    ):
        return after.place
    return bisect_right(result.items, after.key, key=lambda item: _key(view, item))


def _key(view: View, item: int) -> Key:
    name, version = view.ask("SELECT name, version FROM version WHERE id=?", (item,)).fetchone()
    return name, version


def _met(view: View, query: OfficialQuery, after: Position, limit: int) -> Listed:
    """The rows behind a position whose text holds the search, met by walking from the first name that may."""
    tests, values = _tests(query)
    found = view.ask(
        "SELECT name, version, place, size, id FROM version INDEXED BY version_by_name "
        f"WHERE name >= ? AND (name, version) > (?, ?) AND born <= ? AND died > ? {tests} "
        "AND (SELECT instr(plain, ?) FROM wording WHERE id = version.wording) "
        "ORDER BY name, version LIMIT ?",
        (
            _first_name(view, query.search, after),
            *after.key,
            view.id,
            view.id,
            *values,
            query.search,
            limit,
        ),
    )
    return _listed(found.fetchall())


def _first_name(view: View, search: str, after: Position) -> str:
    """No name before this one and behind the position holds the search; where nobody knows, the position's."""
    grams = grams_expression(search)
    behind = view.ask(_NEXT_SORTED, after.key).fetchone()
    if not grams or behind is None:
        return after.key[0]
    names = (
        view.ask(f"{_NAMES} {test}", (grams, search, place)).fetchone()[0]
        for test, place in (
            (
                "AND grams.rowid >= ? AND grams.rowid <= (SELECT sorted FROM state) LIMIT 1)",
                behind[0],
            ),
            ("AND grams.rowid > ?)", behind[1]),
        )
    )
    return min((name for name in names if name is not None), default=after.key[0])


_NEXT_SORTED = (
    "SELECT wording, sorted FROM state CROSS JOIN version INDEXED BY version_by_name "
    "WHERE (name, version) > (?, ?) AND wording <= sorted ORDER BY name, version LIMIT 1"
)
"""The text of the next version that lies where texts are in the order of names, and where that ends."""

_NAMES = (
    "SELECT min(name) FROM version WHERE wording IN (SELECT w.id FROM grams CROSS JOIN wording w "
    "ON w.id = grams.rowid WHERE grams MATCH ? AND instr(w.plain, ?)"
)


def _result(view: View, query: OfficialQuery) -> Listed | None:
    """All that a query finds; None of a search that finds too much."""
    key = ("result", query)
    known: Listed | Literal[False] | None = view.remembered(key)
    if known is None:
        known = _find(view, query) or False
        view.remember(key, known, 500 + (20 * len(known.items) if known else 0))
    return known or None


def _find(view: View, query: OfficialQuery) -> Listed | None:
    tests, values = _tests(query)
    if query.search:
        texts = _texts_with(view, query.search)
        if len(texts) == BROAD:
            return None
        tests += " AND wording IN (SELECT value FROM json_each(?))"
        values.append(str(texts))
    items, places, sizes = view.ask(
        "SELECT json_group_array(id), json_group_array(place), json_group_array(size) FROM "
        f"(SELECT id, place, size FROM version WHERE born <= ? AND died > ? {tests} ORDER BY name, version)",
        (view.id, view.id, *values),
    ).fetchone()
    return Listed(
        array("q", numbers(items)), array("q", numbers(places)), array("I", numbers(sizes))
    )


def _tests(query: OfficialQuery) -> tuple[str, list[Any]]:
    """All but the search."""
    tests, values = "", list[Any]()
    if not query.include_deleted:
        tests += " AND gone = 0"
    if query.version == LATEST:
        tests += " AND latest = 1"
    elif query.version != ALL:
        tests += " AND version = ?"
        values.append(query.version)
    if query.updated_since is not None:
        tests += " AND touched > ?"
        values.append(query.updated_since)
    return tests, values


def _texts_with(view: View, search: str) -> list[int]:
    """The texts that hold a search, at most so many as are not too many."""
    grams = grams_expression(search)
    if not grams:
        found = view.ask("SELECT id FROM wording WHERE instr(plain, ?) LIMIT ?", (search, BROAD))
    else:
        # Joined, so that each candidate is looked at as it comes; IN would gather all of them first.
        found = view.ask(
            "SELECT w.id FROM grams CROSS JOIN wording w ON w.id = grams.rowid "
            "WHERE grams MATCH ? AND instr(w.plain, ?) LIMIT ?",
            (grams, search, BROAD),
        )
    return [text for (text,) in found]

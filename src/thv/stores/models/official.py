"""The list of the official API: every version by name and version, tombstones on request.

In the flow: behind `GET /v0.1/servers`. Its cursors are positions in the order of keys and outlive the content,
so a result is entered by key and not by number.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable
from typing import Any, TypeAlias

import msgspec

from thv.stores.models.plans import plan_of
from thv.stores.models.query import ALL, LATEST, START, Form, OfficialQuery, Page, Position
from thv.stores.models.rows import Key
from thv.stores.models.servers import numbers
from thv.stores.models.view import View
from thv.stores.models.words import grams_expression

Found: TypeAlias = tuple[str, str, int, int, int]
"""Name, version, place, size and id."""

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

_SEARCHED = (
    "SELECT v.name, v.version, v.place, v.size, v.id FROM {texts} "
    "CROSS JOIN version v INDEXED BY version_by_wording ON v.wording = w.id "
    "WHERE {tests} AND instr(w.plain, ?) AND (v.name, v.version) > (?, ?) AND v.born <= ? AND v.died > ? "
    "{others} ORDER BY {order} LIMIT ?"
)
_NEXT_SORTED = (
    "SELECT wording FROM version INDEXED BY version_by_name WHERE (name, version) > (?, ?) "
    "AND wording <= (SELECT sorted FROM state) ORDER BY name, version LIMIT 1"
)
"""The text of the next version that lies where texts are in the order of names."""


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
    met = _met(view, query, after, limit)
    if met is not None:
        return [Row(*values) for values in met]
    listed = _behind(view, query, after, limit)
    every = zip(listed.items, listed.places, listed.sizes, strict=True)
    return [Row(*_key(view, item), place, size, item) for item, place, size in every]


def _behind(view: View, query: OfficialQuery, after: Position, limit: int) -> Listed:
    """What lies behind a position; nobody asks for names, which would be a question for each row."""
    met = _met(view, query, after, limit)
    if met is not None:
        return _listed(met)
    result = _result(view, query)
    start = _entered(view, result, after)
    stop = start + limit
    return Listed(result.items[start:stop], result.places[start:stop], result.sizes[start:stop])


def _met(view: View, query: OfficialQuery, after: Position, limit: int) -> list[Found] | None:
    """The rows of what is met in its order from any position on, without finding all; None of another list."""
    walk = _WALKS.get(query)
    if walk is not None:
        return view.ask(walk, (*after.key, view.id, view.id, limit)).fetchall()
    return _searched(view, query, after, limit) if query.search else None


def _searched(view: View, query: OfficialQuery, after: Position, limit: int) -> list[Found]:
    """The rows whose text holds the search.

    Most texts lie in the order of their names: there the first ones that are met are those of the page. What came
    later is not much, and found as a whole.
    """
    found: list[Found] = []
    behind = view.ask(_NEXT_SORTED, after.key).fetchone()
    if behind is not None:
        found += _with_texts(view, query, after, limit, _in_order(*behind))
    if _has_later_texts(view):
        found += _with_texts(view, query, after, limit, _LATER)
    return sorted(found)[:limit]


class _Texts(msgspec.Struct, frozen=True):
    """Texts to look through; `{id}` is theirs."""

    which: str
    order: str
    """The order of their rows."""
    bounds: tuple[int, ...] = ()


def _in_order(start: int) -> _Texts:
    """Those that lie in the order of names, from one on."""
    # In a text the index has rows by their ids, and in those of a full build ids rise with names and versions. To ask
    # for that would have SQLite gather all rows before it gives the first.
    return _Texts("{id} >= ? AND {id} <= (SELECT sorted FROM state)", "{id}", (start,))


_LATER = _Texts("{id} > (SELECT sorted FROM state)", "v.name, v.version")


def _with_texts(
    view: View, query: OfficialQuery, after: Position, limit: int, texts: _Texts
) -> list[Found]:
    """The first rows of some texts that hold the search."""
    grams = grams_expression(query.search, view.common_grams())
    others, values = _tests(query)
    id_ = "grams.rowid" if grams else "w.id"
    which = texts.which.format(id=id_)
    question = _SEARCHED.format(
        # Joined, so that each candidate is looked at as it comes; IN would gather all of them first.
        texts="grams CROSS JOIN wording w ON w.id = grams.rowid" if grams else "wording w",
        tests=f"grams MATCH ? AND {which}" if grams else which,
        others=others,
        order=texts.order.format(id=id_),
    )
    asked = (*([grams] if grams else ()), *texts.bounds, query.search)
    return view.ask(question, (*asked, *after.key, view.id, view.id, *values, limit)).fetchall()


def _has_later_texts(view: View) -> bool:
    """Whether there are texts that do not lie in the order of names."""
    known: bool | None = view.remembered("later texts")
    if known is None:
        known = view.ask("SELECT max(id) > (SELECT sorted FROM state) FROM wording").fetchone()[0]
        view.remember("later texts", bool(known), 100)
    return bool(known)


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


def _result(view: View, query: OfficialQuery) -> Listed:
    """All that a query without a search finds."""
    key = ("result", query)
    known: Listed | None = view.remembered(key)
    if known is None:
        known = _find(view, query)
        view.remember(key, known, 500 + 20 * len(known.items))
    return known


def _find(view: View, query: OfficialQuery) -> Listed:
    tests, values = _tests(query)
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

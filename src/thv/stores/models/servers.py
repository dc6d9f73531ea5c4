"""The list of servers: filters, search, order, pages.

In the flow: behind `GET /api/v1/servers` and `thv search`. A list without filters is walked by name through an
index; any other one is found once a generation as two arrays, offsets and lengths, of which pages are slices.
"""

from __future__ import annotations

from array import array
from typing import Any, TypeAlias

import msgspec

from thv.stores.models import ranking
from thv.stores.models.plans import plan_of
from thv.stores.models.query import (
    ALL,
    EVERYTHING,
    LATEST,
    START,
    Form,
    ListQuery,
    Page,
    Position,
    Sort,
)
from thv.stores.models.view import View
from thv.stores.models.where import NOTHING, Columns, Condition, TraitsById, conditions

_VISIBLE = "s.born <= ? AND s.died > ?"
_LATEST = Columns(item="s.item", key="s.key")
_VERSIONS = Columns(item="s.id", key="toolhive_key(s.name)")
_TRUST = {"trusted": 3, "tested": 2, "raw": 1}

numbers = msgspec.json.Decoder(list[int]).decode

_WALKS = {
    (LATEST, Form.TOOLHIVE): "SELECT key, name, place, size FROM server INDEXED BY server_by_key "
    "WHERE (key, name) > (?, ?) AND born <= ? AND died > ? ORDER BY key, name LIMIT ?",
    (
        LATEST,
        Form.OFFICIAL,
    ): "SELECT name, '', official, official_size FROM server INDEXED BY server_by_name "
    "WHERE (name, '') > (?, ?) AND born <= ? AND died > ? ORDER BY name LIMIT ?",
    (
        ALL,
        Form.OFFICIAL,
    ): "SELECT name, version, place, size FROM version INDEXED BY version_by_name "
    "WHERE (name, version) > (?, ?) AND born <= ? AND died > ? AND gone = 0 ORDER BY name, version LIMIT ?",
}


class Located(msgspec.Struct, frozen=True):
    """A result that knows where its bodies lie."""

    places: array[int]
    sizes: array[int]

    def __len__(self) -> int:
        return len(self.places)


class Ranked(msgspec.Struct, frozen=True):
    """A result in order of relevance: ids of latest rows, whose bodies are looked up page by page."""

    ids: array[int]

    def __len__(self) -> int:
        return len(self.ids)


Result: TypeAlias = Located | Ranked


def page(view: View, query: ListQuery, after: Position, limit: int) -> Page:
    """One page of the list."""
    walk = _walk_of(query)
    return _walked(view, query, walk, after, limit) if walk else _slice(view, query, after, limit)


def _walk_of(query: ListQuery) -> str | None:
    if query.where != EVERYTHING or query.sort is not Sort.NAME or query.descending:
        return None
    form = Form.OFFICIAL if query.version == ALL else query.form
    return _WALKS.get((query.version, form))


def _walked(view: View, query: ListQuery, walk: str, after: Position, limit: int) -> Page:
    rows = view.ask(walk, (*after.key, view.id, view.id, limit)).fetchall()
    form = Form.OFFICIAL if query.version == ALL else query.form
    apart = form is not query.form
    plan = plan_of(form, [row[2] for row in rows], [row[3] for row in rows], apart=apart)
    total = _total(view, query)
    place = after.place + plan.count
    key = (rows[plan.count - 1][0], rows[plan.count - 1][1]) if rows else after.key
    following = Position(place, key) if rows and place < total else None
    return Page(plan, total, total, following, converted=apart)


def _slice(view: View, query: ListQuery, after: Position, limit: int) -> Page:
    if after == START and _is_ranked(query) and not view.remembers(("result", query)):
        return _first_page(view, query, limit)
    result = result_of(view, query)
    stop = after.place + limit
    if isinstance(result, Ranked):
        places, sizes = _located(view, result.ids[after.place : stop], query.form)
    else:
        places, sizes = result.places[after.place : stop], result.sizes[after.place : stop]
    form = query.form if query.version == LATEST else Form.OFFICIAL
    apart = form is not query.form
    plan = plan_of(form, places, sizes, apart=apart)
    place = after.place + plan.count
    following = Position(place) if place < len(result) else None
    return Page(plan, _total(view, query), len(result), following, converted=apart)


def _is_ranked(query: ListQuery) -> bool:
    """Whether the order is that of relevance, best first."""
    search = query.where.search
    return (
        search is not None
        and not search.is_empty
        and query.sort is Sort.RELEVANCE
        and query.version == LATEST
        and not query.descending
        and not query.text_ranking
    )


def _first_page(view: View, query: ListQuery, limit: int) -> Page:
    """The first page of a search without finding all the others."""
    found = conditions(query.where, query.own, view.traits(), _LATEST)
    search = query.where.search
    if search is None or NOTHING in found:
        best = ranking.Best(array("q"), 0)
    else:
        best = ranking.first(view, search, found, limit)
    plan = plan_of(query.form, *_located(view, best.ids, query.form))
    following = Position(plan.count) if plan.count < best.total else None
    return Page(plan, _total(view, query), best.total, following)


def _total(view: View, query: ListQuery) -> int:
    """Rows of the registry that the version selects, before any filter."""
    match query.version:
        case "latest":
            return view.generation.servers
        case "all":
            return view.generation.versions
        case exact:
            return len(result_of(view, ListQuery(own=query.own, version=exact, form=Form.OFFICIAL)))


def _located(view: View, ids: array[int], form: Form) -> tuple[array[int], array[int]]:
    columns = "place, size" if form is Form.TOOLHIVE else "official, official_size"
    marks = ",".join("?" * len(ids))
    rows = view.ask(f"SELECT id, {columns} FROM server WHERE id IN ({marks})", ids)
    found = {server: (place, size) for server, place, size in rows}
    bodies = [found[server] for server in ids]
    return array("q", [place for place, _ in bodies]), array("q", [size for _, size in bodies])


# ---------------------------------------------------------------- results


def result_of(view: View, query: ListQuery) -> Result:
    """Everything that the query finds in this generation, in order."""
    key = ("result", query)
    known: Result | None = view.remembered(key)
    if known is None:
        known = _find(view, query)
        view.remember(key, known, 12 * len(known) + 500)
    return known


def _find(view: View, query: ListQuery) -> Result:
    search = query.where.search
    if search is not None and search.is_empty:
        return Located(array("q"), array("I"))
    traits = view.traits()
    columns = _LATEST if query.version == LATEST else _VERSIONS
    found = conditions(query.where, query.own, traits, columns)
    if NOTHING in found:
        return Located(array("q"), array("I"))
    if query.version != LATEST:
        return _find_versions(view, query, found, traits)
    if search is not None and query.sort is Sort.RELEVANCE:
        ids = ranking.every(view, search, found, text_ranking=query.text_ranking)
        return Ranked(ids[::-1] if query.descending else ids)
    if search is not None:
        inside = "s.id IN (SELECT rowid FROM words WHERE words MATCH ?)"
        found.append(Condition(inside, (search.expression(),)))
    location = "s.place, s.size" if query.form is Form.TOOLHIVE else "s.official, s.official_size"
    name = "s.key, s.name" if query.form is Form.TOOLHIVE else "s.name"
    order = f"{_order(query, traits, 's')}{name}"
    return _locate(view, f"SELECT {location} FROM server s", found, order)


def _find_versions(
    view: View, query: ListQuery, found: list[Condition], traits: TraitsById
) -> Located:
    found.append(Condition("s.gone = 0"))
    if query.version != ALL:
        found.append(Condition("s.version = ?", (query.version,)))
    search = query.where.search
    if search is not None:
        parts = search.needles()
        inside = " AND ".join(["instr(words, ?)"] * len(parts))
        sql = f"s.wording IN (SELECT id FROM wording WHERE {inside})"
        found.append(Condition(sql, tuple(parts)))
    order = f"{_order(query, traits, 'x')}s.name, s.version"
    return _locate(
        view, f"SELECT s.place, s.size FROM version s{_standing(view, query)}", found, order
    )


def _standing(view: View, query: ListQuery) -> str:
    """Stars and pulls are known of the latest version only; older ones follow it."""
    if query.sort not in (Sort.STARS, Sort.PULLS):
        return ""
    return f" LEFT JOIN server x ON x.name = s.name AND x.born <= {view.id} AND x.died > {view.id}"


def _order(query: ListQuery, traits: TraitsById, standing: str) -> str:
    direction = " DESC, " if query.descending else ", "
    match query.sort:
        case Sort.UPDATED:
            return "s.updated" + direction
        case Sort.STARS | Sort.PULLS:
            return f"{standing}.{query.sort.value}{direction}"
        case Sort.TRUST:
            return _trust_order(traits, query.own.trust_level) + direction
        case Sort.NAME | Sort.RELEVANCE:
            return _name_order(query)


def _name_order(query: ListQuery) -> str:
    if not query.descending:
        return ""
    if query.version != LATEST:
        return "s.name DESC, "
    return "s.key DESC, " if query.form is Form.TOOLHIVE else "s.name DESC, "


def _trust_order(traits: TraitsById, own: str) -> str:
    """The level of a row as SQL: a list of traits for each level."""
    by_level: dict[int, list[int]] = {}
    for place, each in traits.items():
        by_level.setdefault(_TRUST.get(each.trust or own, 0), []).append(place)
    cases = " ".join(
        f"WHEN s.traits IN ({','.join(map(str, places))}) THEN {level}"
        for level, places in by_level.items()
    )
    return f"CASE {cases} ELSE 0 END" if cases else "''"


def _locate(view: View, selection: str, found: list[Condition], order: str) -> Located:
    tests = " AND ".join([_VISIBLE, *(condition.sql for condition in found)])
    values: tuple[Any, ...] = tuple(value for condition in found for value in condition.values)
    # One row with two lists: a row a hit would cost three times as much to bring over.
    places, sizes = view.ask(
        "SELECT json_group_array(place), json_group_array(size) "
        f"FROM ({_named(selection)} WHERE {tests} ORDER BY {order})",
        (view.id, view.id, *values),
    ).fetchone()
    return Located(array("q", numbers(places)), array("I", numbers(sizes)))


def _named(selection: str) -> str:
    """The two columns under the names that the list is made of."""
    return selection.replace(
        "s.official, s.official_size", "s.official AS place, s.official_size AS size"
    )

"""The tools of all servers, counted within a scope.

In the flow: behind `GET /api/v1/tools`. Of a name that several registries have, the best one's entry counts.
"""

from __future__ import annotations

from typing import Any

import msgspec

from thv.stores.catalogs.query import Key, Term, Wish
from thv.stores.catalogs.scope import Reach, Scope, Shelf
from thv.stores.catalogs.search import joined
from thv.stores.models.where import NOTHING, Condition

SERVER_LIMIT = 100
"""Servers that are named of a tool; the count is never cut."""

_decode = msgspec.json.Decoder(tuple[str, ...]).decode


class ToolQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A list of tools."""

    wish: Wish | None = None
    categories: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()
    """Keys or official names; a tool must be offered by one of them."""
    by_usage: bool = False
    descending: bool = False


class Tool(msgspec.Struct, frozen=True):
    """A tool and who offers it."""

    name: str
    usage: int
    category: str
    """That most of its servers share."""
    description: str
    servers: tuple[str, ...]


class ToolPage(msgspec.Struct, frozen=True):
    """A part of the list."""

    tools: tuple[Tool, ...]
    categories: dict[str, int]
    """All tools that are seen, by category."""
    total: int
    filtered: int
    following: Key | None


class Offer(msgspec.Struct, frozen=True):
    """A server that offers a tool."""

    key: str
    registry: int
    version: str
    description: str
    schema: bytes | None


_OFFERED = "FROM tool t CROSS JOIN entry s ON s.id = t.item CROSS JOIN traits r ON r.id = s.traits "
# As `models.tooling` counts: the columns that are not aggregated come from the row of the maximum.
_COLUMNS = (
    "name TEXT PRIMARY KEY, usage INTEGER NOT NULL, category TEXT NOT NULL, "
    "description TEXT NOT NULL, most INTEGER NOT NULL"
)
_COUNTED = (
    "SELECT name, sum(uses), category, description, max(CASE category WHEN '' THEN 0 ELSE uses END) "
    "FROM (SELECT t.name AS name, r.category AS category, max(t.description) AS description, "
    "count(*) AS uses {offered} WHERE {tests} GROUP BY t.name, r.category) GROUP BY name"
)


def page(shelf: Shelf, reach: Reach, query: ToolQuery, after: Key | None, limit: int) -> ToolPage:
    """One page of the list."""
    shown, values = joined([*_shown(shelf, reach.chosen, query), _behind(query, after)])
    rows = shelf.ask(
        f"SELECT name, usage, category, description FROM {_counted(shelf, reach.chosen)} WHERE {shown} "
        f"ORDER BY {_order(query)} LIMIT ?",
        (*values, limit + 1),
    ).fetchall()
    tools = tuple(_tool(shelf, reach.chosen, row) for row in rows[:limit])
    by_category, total = categories(shelf, reach.seen)
    following = _key(query, tools[-1]) if len(rows) > limit else None
    return ToolPage(tools, by_category, total, _filtered(shelf, reach, query), following)


def categories(shelf: Shelf, scope: Scope) -> tuple[dict[str, int], int]:
    """How many tools each category has, and how many there are in all."""
    known: tuple[dict[str, int], int] | None = shelf.remembered(scope, "tool categories")
    if known is None:
        rows = shelf.ask(
            f"SELECT category, count(*) FROM {_counted(shelf, scope)} GROUP BY category"
        ).fetchall()
        known = ({name: count for name, count in rows if name}, sum(count for _, count in rows))
        shelf.remember(scope, "tool categories", known, 100 * len(rows) + 200)
    return known


def tool(shelf: Shelf, scope: Scope, name: str) -> Tool | None:
    """One tool."""
    row = shelf.ask(
        f"SELECT name, usage, category, description FROM {_counted(shelf, scope)} WHERE name = ?",
        (name,),
    ).fetchone()
    return _tool(shelf, scope, row) if row else None


def offers(shelf: Shelf, scope: Scope, name: str) -> list[Offer]:
    """The servers that offer a tool, by name, the first hundred."""
    rows = shelf.ask(
        "SELECT s.key, s.registry, s.version, t.description, t.schema FROM tool t "
        f"CROSS JOIN entry s ON s.id = t.item WHERE t.name = ? AND {scope.best()} "
        "ORDER BY s.key LIMIT ?",
        (name, SERVER_LIMIT),
    )
    return [Offer(*row) for row in rows]


def _counted(shelf: Shelf, scope: Scope) -> str:
    """The table of all tools in the scope."""
    rows = _COUNTED.format(offered=_OFFERED, tests=scope.best())
    return shelf.table(scope, "tools", _COLUMNS, rows)


def width_of(query: ToolQuery) -> int:
    """How many values the keys of its rows have."""
    return 2 if query.by_usage else 1


def _tool(shelf: Shelf, scope: Scope, row: tuple[Any, ...]) -> Tool:
    name, usage, category, description = row
    (servers,) = shelf.ask(
        "SELECT json_group_array(key) FROM (SELECT s.key AS key FROM tool t CROSS JOIN entry s "
        f"ON s.id = t.item WHERE t.name = ? AND {scope.best()} ORDER BY s.key LIMIT ?)",
        (name, SERVER_LIMIT),
    ).fetchone()
    return Tool(name, usage, category, description, _decode(servers))


def _filtered(shelf: Shelf, reach: Reach, query: ToolQuery) -> int:
    key = ("tools", msgspec.structs.replace(query, by_usage=False, descending=False))
    known: int | None = shelf.remembered(reach.chosen, key)
    if known is None:
        shown, values = joined(_shown(shelf, reach.chosen, query))
        counted = _counted(shelf, reach.chosen)
        (known,) = shelf.ask(f"SELECT count(*) FROM {counted} WHERE {shown}", values).fetchone()
        shelf.remember(reach.chosen, key, known, 300)
    return known


# ---------------------------------------------------------------- conditions


def _spells(term: Term) -> Condition:
    ways = [" AND ".join(["instr(t.words, ?)"] * len(words)) for words in term.spellings]
    values = tuple(f" {word}" for words in term.spellings for word in words)
    return Condition(f"({' OR '.join(ways)})", values)


def _shown(shelf: Shelf, scope: Scope, query: ToolQuery) -> list[Condition]:
    """On tools that are counted already, so that who else offers one is counted as well."""
    found = [Condition("1")]
    if query.categories:
        marks = ",".join("?" * len(query.categories))
        wanted = tuple(each.casefold() for each in query.categories)
        found.append(Condition(f"category IN ({marks})", wanted))
    if query.servers:
        marks = ",".join("?" * len(query.servers))
        named = Condition(f"(s.key IN ({marks}) OR s.name IN ({marks}))", query.servers * 2)
        sql, values = _offered(scope, [named])
        found.append(Condition(f"name IN ({sql})", values))
    if query.wish is not None:
        found.append(NOTHING if query.wish.is_empty else _sought(shelf, scope, query.wish))
    return found


def _sought(shelf: Shelf, scope: Scope, wish: Wish) -> Condition:
    """Every tool's text is looked at once for all pages of a search."""
    sql, values = _offered(scope, _said(wish))
    kept = shelf.table(scope, f"tools {wish!r}", "name TEXT PRIMARY KEY", sql, values)
    return Condition(f"name IN (SELECT name FROM {kept})")


def _offered(scope: Scope, tests: list[Condition]) -> tuple[str, tuple[Any, ...]]:
    """The tools of which somebody in the scope has an offer like that."""
    sql, values = joined([Condition(scope.best()), *tests])
    return (
        f"SELECT DISTINCT t.name FROM tool t CROSS JOIN entry s ON s.id = t.item WHERE {sql}",
        values,
    )


def _said(wish: Wish) -> list[Condition]:
    phrases = [Condition("instr(t.words, ?)", (f" {' '.join(each)} ",)) for each in wish.phrases]
    return [*map(_spells, wish.terms), *phrases]


def _order(query: ToolQuery) -> str:
    way = "DESC" if query.descending else "ASC"
    return f"usage {way}, name" if query.by_usage else f"name {way}"


def _behind(query: ToolQuery, after: Key | None) -> Condition:
    if after is None:
        return Condition("1")
    sign = "<" if query.descending else ">"
    if query.by_usage:
        return Condition(f"(usage {sign} ? OR (usage = ? AND name > ?))", (after[0], *after))
    return Condition(f"name {sign} ?", after)


def _key(query: ToolQuery, last: Tool) -> Key:
    return (last.usage, last.name) if query.by_usage else (last.name,)

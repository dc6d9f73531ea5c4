"""The tools of all servers, counted within a scope.

In the flow: behind `GET /api/v1/tools`. Of a name that several registries have, the best one's entry counts.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from thv.stores.catalogs.query import Key, Term, Wish
from thv.stores.catalogs.scope import Scope, Shelf, Sight
from thv.stores.catalogs.search import joined
from thv.stores.models.where import NOTHING, Condition
from thv.stores.models.words import words_of

SERVER_LIMIT = 100
"""Servers that are named of a tool; the count is never cut."""

_decode = msgspec.json.Decoder(tuple[str, ...]).decode


class ToolSort(StrEnum):
    """What a list of tools is sorted by."""

    NAME = "name"
    USAGE = "usage"
    """How many servers offer one."""
    RELEVANCE = "relevance"
    """How well a name fits what is sought, then usage."""


class ToolQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A list of tools."""

    wish: Wish | None = None
    categories: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()
    """Keys or official names; a tool must be offered by one of them."""
    sort: ToolSort = ToolSort.NAME
    """By relevance only what a wish finds."""
    descending: bool = False


class Tool(msgspec.Struct, frozen=True):
    """A tool and who offers it."""

    name: str
    usage: int
    category: str
    """That most of its servers share."""
    description: str
    servers: tuple[str, ...]
    rank: int = 0
    """How well it fits, 0 best; 0 where nobody asked."""


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


# From the entries on: those that are not seen cost nothing, and the tools of the others lie together.
_OFFERED = "FROM entry s CROSS JOIN tool t ON t.item = s.id"
_WITH_TRAITS = f"{_OFFERED} CROSS JOIN traits r ON r.id = s.traits"
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


def page(shelf: Shelf, sight: Sight, query: ToolQuery, after: Key | None, limit: int) -> ToolPage:
    """One page of the list."""
    shown, values = joined([*_shown(shelf, sight.chosen, query), _behind(query, after)])
    source, rank = _counted(shelf, sight.chosen), "0"
    if query.sort is ToolSort.RELEVANCE and query.wish is not None:
        source, rank = (
            f"{source} JOIN {_sought(shelf, sight.chosen, query.wish)} USING (name)",
            "rank",
        )
    rows = shelf.ask(
        f"SELECT name, usage, category, description, {rank} FROM {source} WHERE {shown} "
        f"ORDER BY {_order(query)} LIMIT ?",
        (*values, limit + 1),
    ).fetchall()
    tools = tuple(_tool(shelf, sight.chosen, row) for row in rows[:limit])
    by_category, total = categories(shelf, sight.seen)
    following = _key(query, tools[-1]) if len(rows) > limit else None
    return ToolPage(tools, by_category, total, _filtered(shelf, sight, query), following)


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


def found_by_category(shelf: Shelf, scope: Scope, query: ToolQuery) -> dict[str, int]:
    """How many of what the query finds each category has, whichever categories it asks for; the most first."""
    asked = msgspec.structs.replace(query, categories=(), sort=ToolSort.NAME, descending=False)
    key = ("tools found by category", asked)
    known: dict[str, int] | None = shelf.remembered(scope, key)
    if known is None:
        shown, values = joined(_shown(shelf, scope, asked))
        rows = shelf.ask(
            f"SELECT category, count(*) FROM {_counted(shelf, scope)} WHERE {shown} AND category <> '' "
            "GROUP BY category ORDER BY 2 DESC, 1",
            values,
        )
        known = dict(rows)
        shelf.remember(scope, key, known, 100 * len(known) + 300)
    return known


def tool(shelf: Shelf, scope: Scope, name: str) -> Tool | None:
    """One tool."""
    row = shelf.ask(
        f"SELECT name, usage, category, description, 0 FROM {_counted(shelf, scope)} WHERE name = ?",
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
    rows = _COUNTED.format(offered=_WITH_TRAITS, tests=scope.best())
    return shelf.table(scope, "tools", _COLUMNS, rows)


def width_of(query: ToolQuery) -> int:
    """How many values the keys of its rows have."""
    return {ToolSort.NAME: 1, ToolSort.USAGE: 2, ToolSort.RELEVANCE: 3}[query.sort]


def _tool(shelf: Shelf, scope: Scope, row: tuple[Any, ...]) -> Tool:
    name, usage, category, description, rank = row
    (servers,) = shelf.ask(
        "SELECT json_group_array(key) FROM (SELECT s.key AS key FROM tool t CROSS JOIN entry s "
        f"ON s.id = t.item WHERE t.name = ? AND {scope.best()} ORDER BY s.key LIMIT ?)",
        (name, SERVER_LIMIT),
    ).fetchone()
    return Tool(name, usage, category, description, _decode(servers), rank)


def _filtered(shelf: Shelf, sight: Sight, query: ToolQuery) -> int:
    key = ("tools", msgspec.structs.replace(query, sort=ToolSort.NAME, descending=False))
    known: int | None = shelf.remembered(sight.chosen, key)
    if known is None:
        shown, values = joined(_shown(shelf, sight.chosen, query))
        counted = _counted(shelf, sight.chosen)
        (known,) = shelf.ask(f"SELECT count(*) FROM {counted} WHERE {shown}", values).fetchone()
        shelf.remember(sight.chosen, key, known, 300)
    return known


# ---------------------------------------------------------------- conditions


def _spells(term: Term, column: str) -> Condition:
    ways = [" AND ".join([f"instr({column}, ?)"] * len(words)) for words in term.spellings]
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
        found.append(Condition(f"name IN (SELECT name FROM {_sought(shelf, scope, query.wish)})"))
    return found


def _sought(shelf: Shelf, scope: Scope, wish: Wish) -> str:
    """The table of what the wish finds: every tool's text is looked at once for all pages of a search."""
    sql, values = _offered(scope, [NOTHING] if wish.is_empty else _said(wish))
    fit, sought = _fit(wish)
    columns = "name TEXT PRIMARY KEY, rank INTEGER NOT NULL"
    rows = f"SELECT name, {fit} FROM (SELECT name, {_NAME_WORDS} AS words FROM ({sql}))"
    return shelf.table(scope, f"tools {wish!r}", columns, rows, (*sought, *values))


_NAME_WORDS = "' ' || lower(replace(replace(replace(name, '_', ' '), '-', ' '), '.', ' ')) || ' '"


def _fit(wish: Wish) -> tuple[str, tuple[Any, ...]]:
    """The name itself, names that begin so, names with all of its words, and what says them elsewhere."""
    text = f" {' '.join(words_of(wish.text))}"
    named, values = joined(_said(wish, "words") or [NOTHING])
    cases = f"WHEN words = ? THEN 0 WHEN instr(words, ?) = 1 THEN 1 WHEN {named} THEN 2"
    return f"CASE {cases} ELSE 3 END", (f"{text} ", text, *values)


def _offered(scope: Scope, tests: list[Condition]) -> tuple[str, tuple[Any, ...]]:
    """The tools of which somebody in the scope has an offer like that."""
    sql, values = joined([Condition(scope.best()), *tests])
    return f"SELECT DISTINCT t.name {_OFFERED} WHERE {sql}", values


def _said(wish: Wish, column: str = "t.words") -> list[Condition]:
    terms = [_spells(each, column) for each in wish.terms]
    phrases = [Condition(f"instr({column}, ?)", (f" {' '.join(each)} ",)) for each in wish.phrases]
    return [*terms, *phrases]


def _order(query: ToolQuery) -> str:
    way = "DESC" if query.descending else "ASC"
    match query.sort:
        case ToolSort.NAME:
            return f"name {way}"
        case ToolSort.USAGE:
            return f"usage {way}, name"
        case ToolSort.RELEVANCE:
            return f"rank {way}, usage DESC, name"


def _behind(query: ToolQuery, after: Key | None) -> Condition:
    if after is None:
        return Condition("1")
    sign = "<" if query.descending else ">"
    match query.sort:
        case ToolSort.NAME:
            return Condition(f"name {sign} ?", after)
        case ToolSort.USAGE:
            return Condition(f"(usage {sign} ? OR (usage = ? AND name > ?))", (after[0], *after))
        case ToolSort.RELEVANCE:
            rank, usage, name = after
            tie = "(usage < ? OR (usage = ? AND name > ?))"
            sql = f"(rank {sign} ? OR (rank = ? AND {tie}))"
            return Condition(sql, (rank, rank, usage, usage, name))


def _key(query: ToolQuery, last: Tool) -> Key:
    match query.sort:
        case ToolSort.NAME:
            return (last.name,)
        case ToolSort.USAGE:
            return (last.usage, last.name)
        case ToolSort.RELEVANCE:
            return (last.rank, last.usage, last.name)

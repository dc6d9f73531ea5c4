"""The tools that the servers of a registry offer.

In the flow: behind `GET /api/v1/tools`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from thv.stores.models.bodies import read_body
from thv.stores.models.query import Form, Position, ToolQuery
from thv.stores.models.view import View

SERVER_LIMIT = 100
"""Servers that are named of a tool; the count is never cut."""


class Tool(msgspec.Struct, frozen=True):
    """A tool and who offers it."""

    name: str
    usage: int
    category: str
    description: str
    servers: tuple[str, ...]
    """ToolHive keys, by name, the first hundred."""


class Offer(msgspec.Struct, frozen=True):
    """A server that offers a tool."""

    name: str
    version: str
    description: str


class ToolPage(msgspec.Struct, frozen=True):
    """A part of the list."""

    tools: tuple[Tool, ...]
    categories: dict[str, int]
    """Tools of the whole registry by category."""
    total: int
    filtered: int
    following: Position | None


_OFFERED = (
    "FROM tool t CROSS JOIN version v ON v.id = t.item CROSS JOIN server s ON s.name = v.name AND s.item = v.id "
    "WHERE t.name = {name} AND s.born <= ?1 AND s.died > ?1"
)
_TOOL = (
    "SELECT u.name, u.usage, u.category, u.description, (SELECT json_group_array(key) FROM "
    f"(SELECT s.key AS key {_OFFERED.format(name='u.name')} ORDER BY s.key LIMIT {SERVER_LIMIT})) "
    "FROM tool_use u WHERE u.born <= ?1 AND u.died > ?1"
)
_OFFERS = (
    f"SELECT s.key, v.version, v.place, v.size {_OFFERED.format(name='?2')} "
    f"ORDER BY s.key LIMIT {SERVER_LIMIT}"
)
_decode = msgspec.json.Decoder(tuple[str, ...]).decode


def page(view: View, query: ToolQuery, after: Position, limit: int) -> ToolPage:
    """One page of the list."""
    tests, values = _tests(query)
    (filtered,) = view.ask(
        f"SELECT count(*) FROM tool_use u WHERE u.born <= ?1 AND u.died > ?1{tests}",
        (view.id, *values),
    ).fetchone()
    rows = view.ask(
        f"{_TOOL}{tests} ORDER BY {_order(query)} LIMIT {limit:d} OFFSET {after.place:d}",
        (view.id, *values),
    ).fetchall()
    tools = tuple(_tool(row) for row in rows)
    by_category, total = categories(view)
    place = after.place + len(tools)
    return ToolPage(
        tools, by_category, total, filtered, Position(place) if place < filtered else None
    )


def tool(view: View, name: str) -> Tool | None:
    """One tool."""
    row = view.ask(f"{_TOOL} AND u.name = ?2", (view.id, name)).fetchone()
    return _tool(row) if row else None


def offers(view: View, name: str) -> list[Offer]:
    """The servers that offer a tool, by key."""
    rows = view.ask(_OFFERS, (view.id, name)).fetchall()
    return [
        Offer(key, version, _description(view, place, size)) for key, version, place, size in rows
    ]


def _description(view: View, place: int, size: int) -> str:
    entry, _said = read_body(view.model.body(Form.OFFICIAL, place, size))
    text = entry.server.get("description")
    return text if isinstance(text, str) else ""


def _tool(row: tuple[Any, ...]) -> Tool:
    name, usage, category, description, servers = row
    return Tool(name, usage, category, description, _decode(servers))


def _tests(query: ToolQuery) -> tuple[str, list[Any]]:
    tests, values = "", list[Any]()
    if query.categories:
        tests += f" AND u.category IN ({','.join('?' * len(query.categories))})"
        values.extend(category.casefold() for category in query.categories)
    if query.search is not None:
        if query.search.is_empty:
            return " AND 0", []
        for needle in query.search.needles():
            tests += " AND instr(u.words, ?)"
            values.append(needle)
    return tests, values


def _order(query: ToolQuery) -> str:
    if query.by_usage:
        return f"u.usage {'DESC' if query.descending else 'ASC'}, u.name"
    return f"u.name {'DESC' if query.descending else 'ASC'}"


def categories(view: View) -> tuple[dict[str, int], int]:
    """How many tools of the registry each category has, and how many there are in all."""
    known: tuple[dict[str, int], int] | None = view.remembered("tool categories")
    if known is None:
        rows = view.ask(
            "SELECT category, count(*) FROM tool_use WHERE born <= ?1 AND died > ?1 GROUP BY category",
            (view.id,),
        ).fetchall()
        known = ({name: count for name, count in rows if name}, sum(count for _, count in rows))
        view.remember("tool categories", known, 100 * len(rows) + 200)
    return known

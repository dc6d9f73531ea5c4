"""The order of a search: the name itself, then names that begin so, then the standing of the servers.

In the flow: `servers` asks for it when a list is sorted by relevance. Row ids of latest versions sort by
standing already, so the full text index gives its hits in the right order and nothing is scored; the first page,
which is all that most ask for, takes no more than its rows and a count. Only on request are the best thousand
ordered by their text.
"""

from __future__ import annotations

from array import array
from typing import Any

import msgspec

from thv.stores.models.query import Search
from thv.stores.models.view import View
from thv.stores.models.where import Condition

_BEST = 1_000
_WEIGHTS = "10.0, 5.0, 2.0, 3.0, 3.0"
_PROBE = 250
"""Hits that are looked at before they are counted: most searches have fewer."""
_LAST = "\U0010ffff"

_numbers = msgspec.json.Decoder(list[int]).decode


class Best(msgspec.Struct, frozen=True):
    """The first hits, and how many there are."""

    ids: array[int]
    total: int


def first(view: View, search: Search, others: list[Condition], limit: int) -> Best:
    """The best hits."""
    inside, values = _inside(view, search, others)
    probe = max(limit, _PROBE)
    rows = view.ask(f"SELECT rowid FROM words WHERE {inside} LIMIT {probe:d}", values).fetchall()
    total = len(rows)
    if total == probe:
        (total,) = view.ask(f"SELECT count(*) FROM words WHERE {inside}", values).fetchone()
    named = _named(view, search, others, limit) if total else []
    taken = set(named)
    named.extend([server for (server,) in rows if server not in taken])
    return Best(array("q", named[:limit]), total)


def every(view: View, search: Search, others: list[Condition], *, text_ranking: bool) -> array[int]:
    """All hits."""
    inside, values = _inside(view, search, others)
    (found,) = view.ask(
        f"SELECT json_group_array(rowid) FROM words WHERE {inside}", values
    ).fetchone()
    hits = _numbers(found)
    if text_ranking:
        return array("q", _by_text(view, search, hits))
    named = _named(view, search, others)
    taken = set(named)
    return array("q", named + [hit for hit in hits if hit not in taken] if named else hits)


def _inside(view: View, search: Search, others: list[Condition]) -> tuple[str, tuple[Any, ...]]:
    """The hits in this generation that fulfil the other conditions too."""
    inside = "words MATCH ?"
    if others:
        tests = " AND ".join(condition.sql for condition in others)
        inside += f" AND rowid IN (SELECT s.id FROM server s WHERE {tests})"
    if view.hides():
        inside += f" AND rowid NOT IN ({view.hidden_ids()})"
    values = tuple(value for condition in others for value in condition.values)
    return inside, (search.expression(), *values)


def _named(view: View, search: Search, others: list[Condition], limit: int = -1) -> list[int]:
    """The rows whose name is the text, then those whose name begins with it.

    What a name begins with is words of it, so every one of them is a hit.
    """
    text = search.text
    if not text or search.phrases or " " in text:
        return []
    columns = ["short", "key", "name"] if "/" in text or "." in text else ["short"]
    exact = {
        row
        for column in columns
        for row in _with_name(view, f"{column} = ?", (text,), others, limit)
    }
    prefix = {
        row
        for column in columns
        for row in _with_name(
            view, f"{column} >= ? AND s.{column} < ?", (text, text + _LAST), others, limit
        )
    }
    return [*sorted(exact), *sorted(prefix - exact)][: limit if limit >= 0 else None]


def _with_name(
    view: View, test: str, texts: tuple[str, ...], others: list[Condition], limit: int
) -> list[int]:
    tests = " AND ".join(["s.born <= ? AND s.died > ?", *(each.sql for each in others)])
    values = (view.id, view.id, *(value for each in others for value in each.values))
    # The sign keeps SQLite from walking all rows in the order of ids instead of the few with the name.
    rows = view.ask(
        f"SELECT s.id FROM server s WHERE s.{test} AND {tests} ORDER BY +s.id LIMIT {limit:d}",
        (*texts, *values),
    )
    return [row[0] for row in rows]


def _by_text(view: View, search: Search, hits: list[int]) -> list[int]:
    """The best hits by their text, the others behind them; asked as a range, for one pass over the index."""
    best = set(hits[:_BEST])
    if not best:
        return hits
    rows = view.ask(
        "SELECT rowid FROM words WHERE words MATCH ? AND rowid <= ? "
        f"ORDER BY bm25(words, {_WEIGHTS}), rowid",
        (search.expression(), max(best)),
    )
    return [row[0] for row in rows if row[0] in best] + hits[_BEST:]

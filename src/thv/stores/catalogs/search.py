"""A search that forgives: what has all words, else what has the most and the rarest of them.

In the flow: `listing` asks for a condition, and for an order where not everything was found. How rare a word is, is
counted within the scope, so that nothing else can be read from the order.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec

from thv.stores.catalogs.query import Wish
from thv.stores.catalogs.scope import Scope, Shelf
from thv.stores.models.where import Condition

_ENOUGH = 0.5
"""The share of the best weight that a row must have."""
_SAID = "{name title description tags tools}"
"""Where a word counts."""
_BASE = ((_SAID, 0.5), ("{name title description tags}", 0.5))
"""What a word is worth: half, where only the name of one of many tools has it."""
_MORE = (("{name title}", 1.5), ("tags", 0.8))
"""What it is worth more for where it stands."""
MATCHED = "FROM words CROSS JOIN entry s ON s.id = words.rowid"
"""As SQL: entries in the order of the index, which is asked once and kept nowhere."""
MATCHING = "words MATCH ?"


class Sought(msgspec.Struct, frozen=True):
    """What a wish means in a scope."""

    expression: str = ""
    """What the full text index is asked where all was found; `""` otherwise."""
    weights: str = ""
    """JSON of [id, weight] where not all was found; `""` otherwise."""

    @property
    def is_nothing(self) -> bool:
        """Whether not a word of it was found."""
        return not self.expression and not self.weights

    @property
    def partial(self) -> bool:
        """Whether nothing has all of it."""
        return bool(self.weights)


def seek(shelf: Shelf, scope: Scope, wish: Wish, within: list[Condition]) -> Sought:
    """What the wish finds among the rows that fulfil the conditions."""
    if wish.is_empty:
        return Sought()
    if _any(shelf, wish.expression, within):
        return Sought(wish.expression)
    weighed = _weigh(shelf, scope, wish, within)
    return Sought(weights=msgspec.json.encode(weighed).decode()) if weighed else Sought()


def _any(shelf: Shelf, expression: str, within: list[Condition]) -> bool:
    sql, values = joined([Condition(MATCHING, (expression,)), *within])
    row = shelf.ask(f"SELECT 1 {MATCHED} WHERE {sql} LIMIT 1", values).fetchone()
    return row is not None


def joined(found: list[Condition]) -> tuple[str, tuple[Any, ...]]:
    """Conditions as one."""
    sql = " AND ".join(each.sql for each in found)
    return sql, tuple(value for each in found for value in each.values)


def _weigh(
    shelf: Shelf, scope: Scope, wish: Wish, within: list[Condition]
) -> list[tuple[int, float]]:
    """The rows that have enough of it, by id."""
    weights = {part: _weight(shelf, scope, part) for part in wish.weighed}
    known = {part: weight for part, weight in weights.items() if weight}
    if not known:
        return []
    parts, values = [], list[Any]()
    for part, weight in known.items():
        for field, share in _BASE:
            parts.append(
                "SELECT rowid AS id, ? AS base, 0.0 AS more FROM words WHERE words MATCH ?"
            )
            values += (weight * share, f"{field} : {part}")
        for field, share in _MORE:
            parts.append("SELECT rowid, 0.0, ? FROM words WHERE words MATCH ?")
            values += (weight * share, f"{field} : {part}")
    sql, more = joined(within)
    rows = shelf.ask(
        f"SELECT w.id, w.base, w.base + w.more FROM (SELECT id, sum(base) AS base, sum(more) AS more "
        f"FROM ({' UNION ALL '.join(parts)}) GROUP BY id) w CROSS JOIN entry s ON s.id = w.id "
        f"WHERE {sql}",
        (*values, *more),
    ).fetchall()
    best = max((base for _, base, _ in rows), default=0.0)
    return [(id_, round(weight, 6)) for id_, base, weight in rows if base >= best * _ENOUGH]


def _weight(shelf: Shelf, scope: Scope, part: str) -> float:
    """The rarer, the more; nothing for what nobody has."""
    known: float | None = shelf.remembered(scope, ("weight", part))
    if known is None:
        sql, values = joined([Condition(MATCHING, (f"{_SAID} : {part}",)), Condition(scope.best())])
        (having,) = shelf.ask(f"SELECT count(*) {MATCHED} WHERE {sql}", values).fetchone()
        known = math.log1p(_every(shelf, scope) / having) if having else 0.0
        shelf.remember(scope, ("weight", part), known, 200 + len(part))
    return known


def _every(shelf: Shelf, scope: Scope) -> int:
    """How many names there are."""
    known: int | None = shelf.remembered(scope, "every")
    if known is None:
        (known,) = shelf.ask(f"SELECT count(*) FROM entry s WHERE {scope.best()}").fetchone()
        shelf.remember(scope, "every", known, 200)
    return known

"""Who offers which tool, counted once a generation.

In the flow: `build` and `delta` fill the table in their transaction; `tools` answers from it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from thv.stores.models.rows import FOREVER
from thv.stores.models.words import field_words, folded

# SQLite takes the columns that are not aggregated from the row of the maximum: the category that most of the
# servers share (the first by name of several) and a description from there.
_COUNT = """
INSERT INTO tool_use
SELECT tool, :generation, :forever, total, category, description, tool_words(tool || ' ' || description)
FROM (SELECT tool, sum(uses) AS total, category, description,
             max(CASE category WHEN '' THEN 0 ELSE uses END)
      FROM (SELECT t.name AS tool, r.category AS category, max(t.description) AS description,
                   count(*) AS uses
            FROM tool t CROSS JOIN version v ON v.id = t.item CROSS JOIN traits r ON r.id = v.traits
            WHERE {only} v.latest AND NOT v.gone AND v.died = :forever
            GROUP BY t.name, r.category)
      GROUP BY tool)
"""
_COUNT_ALL = _COUNT.format(only="")
_COUNT_ONE = _COUNT.format(only="t.name = :name AND")


def count_all(connection: sqlite3.Connection, generation: int) -> None:
    """Fills the empty table."""
    _define(connection)
    connection.execute(_COUNT_ALL, {"generation": generation, "forever": FOREVER})


def count_again(connection: sqlite3.Connection, generation: int, names: Iterable[str]) -> None:
    """Counts the tools anew whose servers changed."""
    _define(connection)
    for name in sorted(names):
        connection.execute(
            "UPDATE tool_use SET died=? WHERE name=? AND died=?", (generation, name, FOREVER)
        )
        values = {"generation": generation, "forever": FOREVER, "name": name}
        connection.execute(_COUNT_ONE, values)


def _define(connection: sqlite3.Connection) -> None:
    connection.create_function("tool_words", 1, _words, deterministic=True)


def _words(text: str) -> str:
    return field_words(folded(text))

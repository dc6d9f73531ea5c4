"""Takes away what nobody can ask for any more.

In the flow: some time after an apply. A generation that was replaced stays readable for ten minutes, so that
whoever pages through it may finish; then the rows that only it could see go.
"""

from __future__ import annotations

import sqlite3

from thv.stores.models.rows import FOREVER
from thv.stores.models.tables import remove_words

GRACE = 600.0
"""Seconds that a replaced generation stays readable."""

_DEAD = f"AND s.died < {FOREVER}"  # says to SQLite that the index of dying rows has them all


def prune(connection: sqlite3.Connection, now: float) -> int:
    """Removes the rows that died before every generation still kept; returns how many versions went."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute("DELETE FROM generation WHERE replaced <= ?", (now - GRACE,))
        oldest = connection.execute("SELECT min(id) FROM generation").fetchone()[0]
        _prune_servers(connection, oldest)
        removed = _prune_versions(connection, oldest)
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
    return removed


def _prune_servers(connection: sqlite3.Connection, oldest: int) -> None:
    rows = connection.execute(
        f"SELECT s.id, w.words FROM server s JOIN wording w ON w.id = s.wording WHERE s.died <= ? {_DEAD} ORDER BY s.id",
        (oldest,),
    ).fetchall()
    remove_words(connection, rows)
    connection.executemany("DELETE FROM server WHERE id=?", ((server,) for server, _ in rows))


def _prune_versions(connection: sqlite3.Connection, oldest: int) -> int:
    rows = connection.execute(
        f"SELECT id, wording FROM version s WHERE died <= ? {_DEAD}",  # a constant
        (oldest,),
    ).fetchall()
    items = [(item,) for item, _ in rows]
    for table, column in (
        ("fact", "item"),
        ("tool", "item"),
        ("member", "item"),
        ("version", "id"),
    ):
        connection.executemany(f"DELETE FROM {table} WHERE {column}=?", items)  # constants
    connection.execute(f"DELETE FROM tool_use AS s WHERE s.died <= ? {_DEAD}", (oldest,))
    connection.executemany(
        "DELETE FROM wording WHERE id=?1 AND NOT EXISTS (SELECT 1 FROM version WHERE wording=?1)",
        [(wording,) for _, wording in rows],
    )
    return len(rows)

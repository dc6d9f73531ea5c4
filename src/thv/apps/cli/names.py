"""What completion offers, read from the registries themselves.

In the flow: behind `completion`, when the names it keeps are too old.
"""

from __future__ import annotations

import asyncio
import io
from typing import Any

from thv.apps.cli.fleet import installed_names
from thv.apps.cli.options import Common, Surroundings
from thv.apps.cli.reading import open_books
from thv.apps.cli.registries import every
from thv.apps.cli.session import Session, open_session

SERVERS = 5_000
"""More names than anybody reads; a list of a large registry would only make each key slow."""
_NAMES = "SELECT key FROM server INDEXED BY server_by_key WHERE born <= ? AND died > ? ORDER BY key LIMIT ?"


_BY_KEY = (
    "SELECT key FROM server INDEXED BY server_by_key WHERE key >= ?1 AND key < ?2 AND born <= ?3 AND died > ?3 "
    "ORDER BY key LIMIT 200"
)
_BY_SHORT = (
    "SELECT key FROM server INDEXED BY server_by_short WHERE short >= ?1 AND short < ?2 AND born <= ?3 AND died > ?3 "
    "ORDER BY short LIMIT 200"
)


def collect(common: Common) -> dict[str, Any]:
    """The names of registries and servers, and whether there are more; says nothing."""
    return asyncio.run(_collect(_session(common)))


def beginning(common: Common, text: str) -> list[str]:
    """The servers of which the name, or its last part, begins so; for registries too large to keep all names of."""
    return asyncio.run(_beginning(_session(common), text))


def _session(common: Common) -> Session:
    around = common.around
    common.around = Surroundings(
        environ=around.environ, home=around.home, clock=around.clock, stderr=io.StringIO()
    )
    return open_session(common, (), "name")


async def _collect(session: Session) -> dict[str, Any]:
    try:
        shelves = await every(session)
        names: set[str] = set()
        for book in await open_books(session, shelves):
            rows = book.view.ask(_NAMES, (book.view.id, book.view.id, SERVERS)).fetchall()
            names |= {key for (key,) in rows}
        return {
            "registries": [shelf.name for shelf in shelves],
            "servers": sorted(names)[:SERVERS],
            "more": len(names) >= SERVERS,
            "installed": await installed_names(session),
        }
    finally:
        await session.close()


async def _beginning(session: Session, text: str) -> list[str]:
    try:
        names: dict[str, None] = {}
        for book in await open_books(session, await every(session)):
            for question in (_BY_KEY, _BY_SHORT):
                rows = book.view.ask(question, (text, text + "\U0010ffff", book.view.id))
                names |= dict.fromkeys(key for (key,) in rows.fetchall())
        return list(names)
    finally:
        await session.close()

"""What completion offers, read from the registries themselves.

In the flow: behind `completion`, when the names it keeps are too old.
"""

from __future__ import annotations

import asyncio
import io

from thv.apps.cli.options import Common, Surroundings
from thv.apps.cli.reading import open_books
from thv.apps.cli.registries import every
from thv.apps.cli.session import Session, open_session

SERVERS = 5_000
"""More names than anybody reads; a list of a large registry would only make each key slow."""
_NAMES = "SELECT key FROM server INDEXED BY server_by_key WHERE born <= ? AND died > ? ORDER BY key LIMIT ?"


def collect(common: Common) -> dict[str, list[str]]:
    """The names of registries and servers; says nothing."""
    around = common.around
    common.around = Surroundings(
        environ=around.environ, home=around.home, clock=around.clock, stderr=io.StringIO()
    )
    return asyncio.run(_collect(open_session(common, (), "name")))


async def _collect(session: Session) -> dict[str, list[str]]:
    try:
        shelves = await every(session)
        names: set[str] = set()
        for book in await open_books(session, shelves):
            rows = book.view.ask(_NAMES, (book.view.id, book.view.id, SERVERS)).fetchall()
            names |= {key for (key,) in rows}
        return {"registries": [shelf.name for shelf in shelves], "servers": sorted(names)[:SERVERS]}
    finally:
        await session.local.close()

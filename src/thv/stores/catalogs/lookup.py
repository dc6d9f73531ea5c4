"""Which registries have a server, by either of its names.

In the flow: behind every address that names a server; its content is asked of the read model of the registry.
"""

from __future__ import annotations

import msgspec

from thv.stores.catalogs.scope import Scope, Shelf


class Holder(msgspec.Struct, frozen=True):
    """A registry that has a server."""

    registry: int
    name: str
    """The official one."""
    version: str
    """The latest."""
    digest: str


_HOLDERS = (
    "SELECT s.registry, s.name, s.version, b.digest FROM entry s CROSS JOIN body b ON b.id = s.id "
    "WHERE s.{column} = ? AND {seen} ORDER BY s.rank"
)


def holders(shelf: Shelf, scope: Scope, text: str) -> list[Holder]:
    """The registries that have what this key or official name means, the best first."""
    for column in ("key", "name"):
        rows = shelf.ask(_HOLDERS.format(column=column, seen=scope.rows()), (text,)).fetchall()
        if rows:
            return [Holder(*row) for row in rows]
    return []

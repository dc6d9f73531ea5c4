"""Registries that are joined, and the same as plain Python values."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.stores.models.world import NOW, World
from thv.stores.catalogs import listing
from thv.stores.catalogs.join import Joined, Joiner, Joining
from thv.stores.catalogs.query import ListQuery, Page
from thv.stores.catalogs.scope import Shelf, Sight
from thv.stores.catalogs.tables import connect, create
from thv.stores.models.cache import Cache
from thv.stores.models.view import Model

Key = tuple[str, str]


class Library:
    """Registries in a folder, joined as they change."""

    def __init__(self, folder: Path, writing: sqlite3.Connection) -> None:
        self.folder = folder
        self.worlds: dict[Key, World] = {}
        self.joined: dict[Key, Joined] = {}
        self.reading = connect(folder)
        self.shelf = Shelf(self.reading, Cache(1 << 20))
        self._joiner = Joiner(writing)

    async def put(self, world: World, name: str, *, trust: int = 2, delta: bool = False) -> None:
        key = ("default", name)
        self.worlds[key] = world
        await world.apply(self.folder / name, world.snapshot(delta=delta), now=NOW)
        await self.stand(name, trust=trust)

    async def stand(self, name: str, *, trust: int) -> None:
        """Joins a registry with what it serves now."""
        key = ("default", name)
        joining = Joining(
            namespace="default",
            name=name,
            uid="",
            trust=trust,
            standing=f"{trust}{name}",
        )
        model = Model.open(self.folder / name, Cache(0))
        assert model is not None
        self.joined[key] = await self._joiner.join(self.joined.get(key), joining, model)
        model.close()
        self.shelf.changed(dict(self.joined))

    async def drop(self, name: str) -> None:
        await self._joiner.drop(self.joined.pop(("default", name)))
        del self.worlds["default", name]
        self.shelf.changed(dict(self.joined))

    def sight(self, *names: str) -> Sight:
        """What somebody sees who may list these registries."""
        seen = self.shelf.scope(("default", name) for name in names)
        return Sight(seen, seen)

    def page(self, query: ListQuery, *names: str, limit: int = 1000) -> Page:
        return listing.page(self.shelf, self.sight(*names), query, None, limit)

    def expected(self, names: Iterable[str]) -> list[tuple[str, str, list[str]]]:
        """By name: who has the best entry, and who else has one."""
        holders: dict[str, list[Joined]] = {}
        for joined in sorted(
            (self.joined["default", name] for name in names), key=lambda each: each.standing
        ):
            world = self.worlds["default", joined.name]
            for served in {name for name, _ in world.entries}:
                holders.setdefault(served, []).append(joined)
        return [
            (name, found[0].name, [each.name for each in found[1:]])
            for name, found in sorted(holders.items())
        ]


@contextmanager
def library(folder: Path) -> Iterator[Library]:
    """An empty one."""
    folder.mkdir(parents=True, exist_ok=True)
    writing = create(folder)
    made = Library(folder, writing)
    try:
        yield made
    finally:
        made.reading.close()
        writing.close()

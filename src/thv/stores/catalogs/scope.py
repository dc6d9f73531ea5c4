"""Which part of the catalog somebody may see: a set of registries.

In the flow: between whoever decides about callers and every question. Nothing outside the scope decides about an answer:
the best registry of a name is the best one of those that are seen, counts are of what is seen, and what is remembered is
remembered for the scope.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from thv.stores.catalogs.join import Joined
from thv.stores.catalogs.rows import Shared
from thv.stores.catalogs.tables import EVERY_TRAITS
from thv.stores.models.cache import Cache

_TABLES = 8
"""Tables that are kept for those who asked last."""

_PARTS = 1000
"""Sets of registries whose digests are kept; whoever asks chooses the sets."""


class Scope(msgspec.Struct, frozen=True):
    """Registries by their ids, the best first."""

    registries: tuple[Joined, ...]
    whole: bool
    """Whether there are no others."""

    @property
    def ids(self) -> str:
        """As SQL."""
        return ",".join(str(each.id) for each in self.registries)

    def rows(self, alias: str = "s") -> str:
        """As SQL: an entry that is seen."""
        return "1" if self.whole else f"{alias}.registry IN ({self.ids})"

    def best(self) -> str:
        """As SQL: an entry `s` that no other one of its name stands before, among those that are seen."""
        if self.whole:
            return "s.rank = 0"
        return (
            f"{self.rows()} AND (s.rank = 0 OR NOT EXISTS (SELECT 1 FROM entry b "
            f"WHERE b.name = s.name AND b.rank < s.rank AND {self.rows('b')}))"
        )

    def lesser(self) -> str:
        """As SQL: an entry `s` that is seen, as is another one of its name that stands before it."""
        if self.whole:
            return "s.rank > 0"
        return (
            f"{self.rows()} AND s.rank > 0 AND EXISTS (SELECT 1 FROM entry b "
            f"WHERE b.name = s.name AND b.rank < s.rank AND {self.rows('b')})"
        )

    def within(self, wanted: Iterable[Joined]) -> Scope:
        """The part of it in which only these registries are."""
        kept = {each.id for each in wanted}
        registries = tuple(each for each in self.registries if each.id in kept)
        return Scope(registries, self.whole and len(registries) == len(self.registries))


class Sight(msgspec.Struct, frozen=True):
    """What a question is about: all that somebody may see, and the part that was chosen of it."""

    seen: Scope
    chosen: Scope


class Shelf:
    """The catalog as it is now, for whoever asks; not for several threads at a time."""

    def __init__(self, connection: sqlite3.Connection, cache: Cache) -> None:
        self.ask = connection.execute
        self._cache = cache
        self._joined: dict[tuple[str, str], Joined] = {}
        self._digests: dict[tuple[int, ...], str] = {}
        self._traits: dict[int, Shared] = {}
        self._tables: dict[tuple[str, str], str] = {}
        self._count = 0
        self.revision = 0

    def changed(self, joined: dict[tuple[str, str], Joined]) -> None:
        """Another state was written."""
        self._joined = joined
        self._digests.clear()
        self._traits.clear()
        self.revision += 1

    def find(self, key: tuple[str, str]) -> Joined | None:
        """A registry that is in the catalog."""
        return self._joined.get(key)

    def scope(self, keys: Iterable[tuple[str, str]]) -> Scope:
        """The part with these registries, of those that are joined."""
        found = [self._joined[key] for key in keys if key in self._joined]
        found.sort(key=lambda each: each.standing)
        return Scope(tuple(found), len(found) == len(self._joined))

    def digest(self, scope: Scope) -> str:
        """Tells two states of the same part apart, and two parts."""
        ids = tuple(each.id for each in scope.registries)
        known = self._digests.get(ids)
        if known is None:
            mixed = hashlib.sha256()
            for each in sorted(scope.registries, key=lambda each: (each.namespace, each.name)):
                said = (each.namespace, each.name, each.uid, each.standing, each.content)
                mixed.update("\n".join(said).encode() + b"\0")
            if len(self._digests) == _PARTS:
                self._digests.pop(next(iter(self._digests)))
            known = self._digests[ids] = f"sha256:{mixed.hexdigest()}"
        return known

    def traits(self) -> dict[int, Shared]:
        """Every combination of traits."""
        if not self._traits:
            rows = self.ask(EVERY_TRAITS)
            self._traits = {place: Shared(*values) for place, *values in rows}
        return self._traits

    def table(
        self, scope: Scope, name: str, columns: str, rows: str, values: Sequence[Any] = ()
    ) -> str:
        """A table of what a question found in this state of this part, made when it is first asked for.

        Few are kept: they are of those who asked last.
        """
        key = (self.digest(scope), name)
        known = self._tables.get(key)
        if known is None:
            known = f"temp.kept_{self._count}"
            self._count += 1
            self.ask(f"CREATE TABLE {known}({columns})")
            self.ask(f"INSERT INTO {known} {rows}", values)
            self._tables[key] = known
            if len(self._tables) > _TABLES:
                self.ask(f"DROP TABLE {self._tables.pop(next(iter(self._tables)))}")
        else:
            self._tables[key] = self._tables.pop(key)
        return known

    def remembered(self, scope: Scope, key: object) -> Any:
        """What was found out before about this state of this part, or None."""
        return self._cache.get((self.digest(scope), key))

    def remember(self, scope: Scope, key: object, value: Any, size: int) -> None:
        """Keeps something about it."""
        self._cache.put((self.digest(scope), key), value, size)

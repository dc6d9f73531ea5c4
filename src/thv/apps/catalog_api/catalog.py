"""What stands at the root of the catalog: the registries, and which of them a request may know of.

In the flow: mounted at the root, so that every handler finds it in its call.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import msgspec

from thv import data
from thv.apps.catalog_api.joins import Joins
from thv.apps.catalog_api.settings import Settings
from thv.apps.kit.http.endpoints import Call
from thv.apps.kit.http.problems import ProblemError, Word
from thv.apps.registry_api.door import Registries
from thv.apps.registry_api.drift import Compared, Comparing
from thv.apps.registry_api.fleet import Fleet
from thv.apps.registry_api.follow import Key
from thv.apps.registry_api.guard import Guard, is_open
from thv.apps.registry_api.served import Served
from thv.apps.registry_api.standing import Standing
from thv.catalog.installed import Installed
from thv.domain.permissions import Permission
from thv.stores.catalogs.join import Joined
from thv.stores.catalogs.scope import Scope, Shelf
from thv.stores.catalogs.wishes import Wishes, load_vocabulary
from thv.stores.chunks.base import ChunkStore
from thv.stores.resources.base import ResourceStore


class Around(msgspec.Struct, frozen=True):
    """What the catalog is given."""

    resources: ResourceStore
    chunks: ChunkStore
    clock: Callable[[], datetime]
    settings: Settings = Settings()
    callers_are_known: bool = True
    """Whether anybody is asked who they are; where nobody is, nobody may ask for anything but reading."""
    fleet: Fleet = msgspec.field(default_factory=Fleet)
    """The servers that are installed."""


class Catalog:
    """The registries of a process, as callers see them together."""

    def __init__(
        self,
        registries: Registries,
        standing: Standing,
        joins: Joins,
        around: Around,
        guard: Guard | None = None,
    ) -> None:
        """`standing` orders registries, the best first; `guard` limits what a caller sees, None: nothing does."""
        self.registries = registries
        self.resources = around.resources
        self.chunks = around.chunks
        self.clock = around.clock
        self.standing = standing
        self.settings = around.settings
        self.callers_are_known = around.callers_are_known
        self.wishes = Wishes(load_vocabulary(data.read("search.json")))
        self.fleet = around.fleet
        self._joins = joins
        self._guard = guard
        self._comparing = Comparing()

    @property
    def shelf(self) -> Shelf:
        """The content of all of them, joined."""
        return self._joins.shelf

    @property
    def is_at_rest(self) -> bool:
        """Whether everything that moved is joined."""
        return self._joins.is_at_rest

    async def visible(self, call: Call) -> list[Served]:
        """The registries that the caller may list, the best first; raises ProblemError for a caller nobody knows."""
        seen = list(self.registries.every())
        if self._guard is not None:
            forwards = call.endpoint.forwards
            seen = await self._guard.visible(call.request, seen, forwards=forwards)
        return sorted(seen, key=self.standing.of)

    async def namespaces(self, call: Call, asked: set[str], permission: Permission) -> set[str]:
        """Those of the namespaces in which the caller may do that."""
        if self._guard is None:
            return asked
        return await self._guard.namespaces(call.request, asked, permission)

    def compared(self, served: Served | None, installed: Installed) -> Compared:
        """How an installed server stands to the registry that it names, None: one of which nothing is told."""
        joined = self.shelf.find(served.owner) if served else None
        return self._comparing.compared(served, installed, joined.content if joined else "")

    async def seen(self, call: Call) -> Scope:
        """The part of the content that the caller may see."""
        return self.shelf.scope(served.owner for served in await self.visible(call))

    def served(self, joined: Joined) -> Served:
        """The registry behind a part of the content; raises SNAPSHOT_UNAVAILABLE for one that just went."""
        found = self.registries.find(joined.namespace, joined.name)
        if found is None:
            raise ProblemError(
                Word.SNAPSHOT_UNAVAILABLE, "The content is about to change.", retry_after=1
            )
        return found

    def is_open(self, joined: Joined) -> bool:
        """Whether everybody may read it."""
        found = self.registries.find(joined.namespace, joined.name)
        return found is not None and is_open(found)

    async def wait_for_move(self, key: Key) -> None:
        """Returns when a registry says or serves something else."""
        await self._joins.wait_for_move(key)

    async def wait_for_join(self, keys: frozenset[Key]) -> None:
        """Returns when one of these registries has other content or is gone, or when there is one more."""
        await self._joins.wait_for_join(keys)

    def at(self, namespace: str, name: str) -> Served:
        """A registry of which the caller may know; raises REGISTRY_NOT_FOUND."""
        found = self.registries.find(namespace, name)
        if found is None:
            raise ProblemError(
                Word.REGISTRY_NOT_FOUND,
                f'There is no registry "{name}" in the namespace "{namespace}".',
                field="registry",
                value=name,
                hint=f"List them at /api/v1/registries/{namespace}.",
            )
        return found


def catalog_of(call: Call) -> Catalog:
    """The catalog that is asked."""
    found: Catalog = call.place
    return found

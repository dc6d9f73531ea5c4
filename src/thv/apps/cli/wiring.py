"""The state of the one-machine shape: which kinds keep it, and where.

In the flow: commands and the one process open the same data folder here. Nothing that this module imports can reach
the network, so that commands which only read start fast; `engine` adds what synchronizes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from thv.apps.cli.loader import load
from thv.apps.cli.options import utc_now
from thv.apps.kit.home import Home, LoopLock
from thv.domain.resources import KINDS, Kind

if TYPE_CHECKING:
    from thv.domain.taxonomy import Taxonomy
    from thv.stores.chunks.files import FileChunkStore
    from thv.stores.resources.sqlite import SqliteStore

Clock = Callable[[], datetime]


def shipped_taxonomy() -> Taxonomy:
    """The categories that this version knows."""
    text = load("thv.data:read")("taxonomy.json")
    taxonomy: Taxonomy = load("thv.formats.taxonomy:load_taxonomy")(text)
    return taxonomy


class Local(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """An opened data folder."""

    home: Home
    clock: Clock = utc_now
    on_cluster: bool = False
    namespace: str = "default"
    keeper: str = "a running thv serve"

    @property
    def models(self) -> Path:
        return self.home.models

    @cached_property
    def resources(self) -> SqliteStore:
        """Imported when it is opened: commands on a cluster do not."""
        store: SqliteStore = load("thv.stores.resources.sqlite:SqliteStore")(
            self.home.make().store, self.home.secrets
        )
        return store

    @cached_property
    def chunks(self) -> FileChunkStore:
        store: FileChunkStore = load("thv.stores.chunks.files:FileChunkStore")(self.home.snapshots)
        return store

    @cached_property
    def lock(self) -> LoopLock:
        return LoopLock(self.home.make())

    @cached_property
    def taxonomy(self) -> Taxonomy:
        return shipped_taxonomy()

    @cached_property
    def files(self) -> Local:
        """The state of the registries that are files: a data folder inside this one, all of it derived."""
        return Local(home=Home(self.home.root / "files"), clock=self.clock)

    async def known(self, kinds: Sequence[Kind]) -> tuple[Kind, ...]:
        """Those of the kinds that are kept here, in their order."""
        return tuple(kind for kind in kinds if kind in KINDS)

    async def close(self) -> None:
        """Releases what was opened."""
        if "files" in self.__dict__:
            await self.files.close()
        if "resources" in self.__dict__:
            await self.resources.close()
        if "lock" in self.__dict__:
            self.lock.release()

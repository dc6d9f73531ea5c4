"""Where registries are kept: the data folder of this machine, or a cluster.

In the flow: behind every command that reads or changes registries. What a command does is the same in both; who
answers a request for a sync is not, and is asked in `syncing`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from thv.domain.resources import Kind
    from thv.domain.taxonomy import Taxonomy
    from thv.stores.chunks.base import ChunkStore
    from thv.stores.resources.base import ResourceStore


class Place(Protocol):
    """An opened data folder, or a cluster that we talk to."""

    @property
    def on_cluster(self) -> bool:
        """An operator keeps its registries in sync, never this process."""
        ...

    @property
    def namespace(self) -> str:
        """Of what is named without one."""
        ...

    @property
    def keeper(self) -> str:
        """Who synchronizes by itself, in a sentence."""
        ...

    @property
    def clock(self) -> Callable[[], datetime]: ...

    @property
    def resources(self) -> ResourceStore: ...

    @property
    def chunks(self) -> ChunkStore: ...

    @property
    def taxonomy(self) -> Taxonomy: ...

    @property
    def models(self) -> Path:
        """Folder of the read models, one folder a registry; all of it is derived."""
        ...

    async def known(self, kinds: Sequence[Kind]) -> tuple[Kind, ...]:
        """Those of the kinds that are kept here, in their order."""
        ...

    async def close(self) -> None:
        """Releases what was opened."""
        ...

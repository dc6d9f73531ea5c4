"""Looks after the chunks of registries: notices lost ones, removes those that nobody reads any more.

In the flow: a reconcile asks about lost chunks before it decides, and has old ones collected after a pointer was
flipped. What was not old enough then is remembered, so that nothing stays for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from thv.domain.registry import Registry
from thv.domain.registry_status import RegistryStatus
from thv.stores.chunks.base import ChunkStore, Owner


def named_by(status: RegistryStatus) -> set[str]:
    """The names of all chunks that somebody may be reading: of snapshots, and of the list of what is left out."""
    pointers = (status.snapshot, status.previous_snapshot, status.candidates)
    names = {ref.name for pointer in pointers if pointer for ref in pointer.chunks}
    left_out = status.statistics.left_out if status.statistics else None
    return names | {left_out.name} if left_out else names


class ChunkKeeper:
    """What one process knows of the chunks of all registries."""

    def __init__(self, chunks: ChunkStore, grace: timedelta) -> None:
        """`grace` is how long a chunk without a pointer may still be read by somebody."""
        self._chunks = chunks
        self._grace = grace
        self._seen: set[str] = set()
        self._due: dict[str, datetime] = {}

    def due(self, uid: str) -> datetime | None:
        """When this registry has chunks to remove; None when it has none."""
        return self._due.get(uid)

    async def lost(self, registry: Registry, now: datetime, *, suspected: bool) -> bool:
        """Whether a chunk that a pointer names is missing.

        Looked at when that is suspected, once after the start of the process, after what ended half-way, and when
        old chunks are due.
        """
        pointers = [registry.status.snapshot, registry.status.candidates]
        named = [pointer for pointer in pointers if pointer is not None]
        due = self._due.get(registry.uid)
        is_known = registry.uid in self._seen and not suspected and (due is None or due > now)
        if not named or is_known:
            return False
        there = await self.collect(registry, registry.status, now)
        return any(ref.name not in there for pointer in named for ref in pointer.chunks)

    async def collect(self, registry: Registry, status: RegistryStatus, now: datetime) -> set[str]:
        """Removes chunks that the status does not name, once nobody can still be reading them; the names of all others."""
        self.doubt(registry.uid)
        owner = Owner(registry.namespace, registry.name, registry.uid)
        named = named_by(status)
        kept: set[str] = set()
        waiting: list[datetime] = []
        for chunk in await self._chunks.list(owner):
            at = datetime.fromtimestamp(chunk.created_at, UTC) + self._grace
            if chunk.name in named or at > now:
                kept.add(chunk.name)
                waiting += [] if chunk.name in named else [at]
            else:
                await self._chunks.delete(owner, chunk.name)
        self._note(registry.uid, waiting)
        self.trust(registry.uid)
        return kept

    def doubt(self, uid: str) -> None:
        """Something begins that leaves unknown chunks behind when it ends half-way."""
        self._seen.discard(uid)

    def trust(self, uid: str) -> None:
        """It has left none."""
        self._seen.add(uid)

    def _note(self, uid: str, waiting: Sequence[datetime]) -> None:
        if waiting:
            self._due[uid] = min(waiting)
        else:
            self._due.pop(uid, None)

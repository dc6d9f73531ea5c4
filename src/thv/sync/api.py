"""The API of a registry, as far as a reconcile knows it: who may read its chunks, and whether it answers.

In the flow: `reconcile` asks for the state of the API before it decides, and lets the API read new chunks before
the pointer in the status names them. What serves a registry differs: routes of the one process, or objects on a
cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from thv.domain.reasons import ReasonWord
from thv.domain.registry import Registry
from thv.domain.registry_status import ApiStatus
from thv.domain.snapshot import SnapshotRef


class ApiState(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the API of one registry."""

    status: ApiStatus
    reason: ReasonWord = "Available"
    """Reason of the condition APIReady; the API answers when this is Available."""
    drifted: tuple[str, ...] = ()
    """Objects that somebody changed or removed and that are as they should be again, such as `service "corp-api"`."""
    again: float | None = None
    """Seconds until the state is worth another look though nothing tells of a change; None: a change tells of itself."""


class Api(Protocol):
    """Serves registries, or has them served."""

    async def admit(self, registry: Registry, pointers: Sequence[SnapshotRef]) -> None:
        """Lets the API read these chunks; called when they are written, before a pointer names them."""
        ...

    async def ensure(self, registry: Registry) -> ApiState | None:
        """Makes the API what the spec says and tells its state; None where nothing serves the registry."""
        ...

    async def left(self, namespace: str, name: str) -> None:
        """There is no such registry any more; what it owned goes by itself."""
        ...


class KnownApi:
    """An API that is there without anybody's doing: this process, or none at all."""

    def __init__(self, status_of: Callable[[Registry], ApiStatus | None] = lambda _: None) -> None:
        self._status_of = status_of

    async def admit(self, registry: Registry, pointers: Sequence[SnapshotRef]) -> None:
        """Whoever runs this process reads every chunk."""

    async def ensure(self, registry: Registry) -> ApiState | None:
        """The state that is known."""
        status = self._status_of(registry)
        return None if status is None else ApiState(status=status)

    async def left(self, namespace: str, name: str) -> None:
        """Nothing is kept of it."""

"""How soon a change is served, told by whoever serves it.

In the flow: a follower tells of each snapshot that takes the place of another one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from thv.apps.kit.metrics import LONG, Histogram, Metric
from thv.domain.registry import Registry
from thv.domain.snapshot import SnapshotRef
from thv.domain.times import parse_time


class UpdateFigures:
    """How soon a change is served."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._seconds = Histogram(
            "thv_update_visible_seconds",
            "Seconds from the start of the sync that found a change until it is served here.",
            bounds=LONG,
        )

    @property
    def metrics(self) -> Sequence[Metric]:
        """All of them."""
        return (self._seconds,)

    def applied(self, registry: Registry, ref: SnapshotRef) -> None:
        """Another snapshot than before is served."""
        newest = next(iter(registry.status.sync_status.history), None)
        found = newest is not None and newest.snapshot == ref.digest
        began = parse_time(newest.started_at if newest and found else ref.created_at)
        if began is not None:
            self._seconds.observe(max(0.0, (self._clock() - began).total_seconds()))

"""A store whose writes are let through only while somebody vouches for the writer.

In the flow: around the store of a process that writes as long as it leads. A process that slept through the end of
its lease is stopped here, before its write leaves.
"""

from __future__ import annotations

from collections.abc import Callable

from thv.domain.resources import CLUSTER_KINDS
from thv.stores.resources.base import ResourceStore
from thv.stores.resources.judged import READING, JudgedStore, Use


class FencedStore(JudgedStore):
    """Reads pass; each write asks `check` first, which raises when it must not happen."""

    def __init__(self, store: ResourceStore, check: Callable[[], None]) -> None:
        super().__init__(store, CLUSTER_KINDS)
        self._check = check

    def judge(self, use: Use) -> None:
        if use.verb not in READING:
            self._check()

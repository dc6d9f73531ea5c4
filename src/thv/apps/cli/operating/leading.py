"""Which pod of the operator works: the one that holds the lease.

In the flow: told by `thv operator status`, waited for by `install` and `upgrade`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

import msgspec

from thv.domain.errors import Code, ThvError
from thv.domain.resources import LEASE, POD, metadata_of, name_of
from thv.domain.roles import OPERATOR
from thv.domain.times import parse_time
from thv.stores.resources.base import ResourceStore

SILENT = 60.0
"""Seconds after which a leader that renewed nothing does not lead; six leases, so that clocks may differ."""
_LOOK_EVERY = 0.5


class Leader(msgspec.Struct, frozen=True):
    """The pod that works, and since when."""

    pod: str
    since: str
    renewed: str

    def leads(self, now: datetime) -> bool:
        """Whether it still says so."""
        renewed = parse_time(self.renewed)
        return renewed is not None and (now - renewed).total_seconds() < SILENT


async def read_leader(store: ResourceStore, namespace: str) -> Leader | None:
    """Whoever holds the lease; None while nobody does."""
    try:
        spec = (await store.get(LEASE, namespace, OPERATOR)).get("spec") or {}
    except ThvError as error:
        if error.code is Code.NOT_FOUND:
            return None
        raise
    holder = str(spec.get("holderIdentity") or "")
    since, renewed = (str(spec.get(name) or "") for name in ("acquireTime", "renewTime"))
    return Leader(holder, since, renewed) if holder else None


async def is_led(
    store: ResourceStore, namespace: str, clock: Callable[[], datetime], seconds: float
) -> bool:
    """Whether a pod that stays leads within that time; one that ends may hold the lease until then."""
    try:
        async with asyncio.timeout(seconds):
            while True:
                leader, pods = await read_leader(store, namespace), await _staying(store, namespace)
                if leader is not None and leader.leads(clock()) and leader.pod in pods:
                    return True
                await asyncio.sleep(_LOOK_EVERY)
    except TimeoutError:
        return False


async def _staying(store: ResourceStore, namespace: str) -> set[str]:
    selector = f"app.kubernetes.io/name={OPERATOR}"
    pods = (await store.list(POD, namespace, selector=selector, partial=True)).items
    return {name_of(pod) for pod in pods if not metadata_of(pod).get("deletionTimestamp")}

"""Leader election by a Lease: of several processes one works, and another takes over when it is gone.

In the flow: around the reconcile loop of the operator. Times are compared on this machine's own clock alone: a lease
is over when it was seen unchanged for its whole duration. Whoever leads stops writing when it could not renew in
time, also when it slept meanwhile (`require`).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime

import msgspec

from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.domain.resources import LEASE, resource_version_of
from thv.stores.resources.base import ResourceStore

log = logging.getLogger(__name__)

MANAGER = "toolhive-registry"


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """How long a lease lasts, in seconds."""

    duration: float = 10.0
    renewal: float = 3.0
    """Between two renewals."""
    retry: float = 1.0
    """Between two looks at a lease that another process holds."""
    margin: float = 2.0
    """Before the end of the lease, no more writes are begun."""


class Election:
    """Stands for one lease."""

    def __init__(
        self,
        store: ResourceStore,
        namespace: str,
        name: str,
        identity: str,
        *,
        clock: Callable[[], datetime],
        terms: Terms = Terms(),  # noqa: B008 # a frozen value
    ) -> None:
        self._store = store
        self._place = (namespace, name)
        self._identity = identity
        self._clock = clock
        self._terms = terms
        self._until = 0.0
        self._seen: tuple[str, float] = ("", 0.0)

    @property
    def leads(self) -> bool:
        """Whether the lease is ours for long enough to begin something."""
        return time.monotonic() < self._until

    def require(self) -> None:
        """Raises when this process may not write."""
        if not self.leads:
            raise ThvError(
                Code.STORE_UNAVAILABLE,
                "this process is not the leader any more",
                hint="Another one goes on, or this one does when it holds the lease again.",
            )

    async def run(self, work: Callable[[], Awaitable[None]]) -> None:
        """Does the work while it leads, again and again, until it is cancelled; then lets the lease go."""
        try:
            while True:
                await self._until_leading()
                log.info("leading as %s", self._identity)
                await self._lead(work)
                log.warning("the lease %s/%s is lost", *self._place)
        finally:
            await asyncio.shield(self._release())

    async def _until_leading(self) -> None:
        while not await self._tried():  # noqa: ASYNC110 # the lease is on a server
            await asyncio.sleep(self._terms.retry)

    async def _lead(self, work: Callable[[], Awaitable[None]]) -> None:
        working = asyncio.ensure_future(work())
        renewing = asyncio.ensure_future(self._renew())
        try:
            await asyncio.wait([working, renewing], return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
        finally:
            for task in (working, renewing):
                task.cancel()
            await asyncio.wait([working, renewing])

    async def _renew(self) -> None:
        """Returns when the lease is lost."""
        while True:
            await asyncio.sleep(self._terms.renewal)
            while not await self._tried():
                if not self.leads:
                    return
                await asyncio.sleep(self._terms.retry)

    async def _tried(self) -> bool:
        """Whether the lease is ours after one try to take or renew it."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._terms.duration - self._terms.margin):
                taken = await self._take()
        except ThvError as error:
            log.warning("lease %s/%s: %s", *self._place, error.message)
            return False
        except TimeoutError:
            log.warning("lease %s/%s: no answer in time", *self._place)
            return False
        if taken:
            self._until = began + self._terms.duration - self._terms.margin
        return taken

    async def _take(self) -> bool:
        lease = await self._read()
        if lease is None:
            await self._store.create(self._lease({}, 0), manager=MANAGER)
            return True
        spec = lease.get("spec") or {}
        holder = str(spec.get("holderIdentity") or "")
        if holder not in ("", self._identity) and not self._is_over(lease):
            return False
        transitions = int(spec.get("leaseTransitions") or 0) + (holder != self._identity)
        await self._store.replace(self._lease(lease, transitions), manager=MANAGER)
        return True

    def _is_over(self, lease: JsonObject) -> bool:
        """Whether somebody else's lease stood still for as long as it lasts."""
        version = resource_version_of(lease)
        if self._seen[0] != version:
            self._seen = (version, time.monotonic())
            return False
        lasts = float((lease.get("spec") or {}).get("leaseDurationSeconds") or 0)
        return time.monotonic() - self._seen[1] >= lasts

    async def _read(self) -> JsonObject | None:
        try:
            return await self._store.get(LEASE, *self._place)
        except ThvError as error:
            if error.code is Code.NOT_FOUND:
                return None
            raise

    def _lease(self, live: JsonObject, transitions: int, *, held: bool = True) -> JsonObject:
        namespace, name = self._place
        old = live.get("spec") or {}
        now = self._clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        is_same = old.get("holderIdentity") == self._identity
        spec = {
            "holderIdentity": self._identity if held else "",
            "leaseDurationSeconds": int(self._terms.duration) if held else 1,
            "acquireTime": old.get("acquireTime", now) if is_same else now,
            "renewTime": now,
            "leaseTransitions": transitions,
        }
        metadata = live.get("metadata") or {"namespace": namespace, "name": name}
        return {
            "apiVersion": LEASE.api_version,
            "kind": LEASE.kind,
            "metadata": metadata,
            "spec": spec,
        }

    async def _release(self) -> None:
        """Lets the next process have it at once."""
        if not self.leads:
            return
        self._until = 0.0
        with suppress(ThvError, TimeoutError):
            async with asyncio.timeout(self._terms.margin):
                lease = await self._read()
                spec = (lease or {}).get("spec") or {}
                if lease is not None and spec.get("holderIdentity") == self._identity:
                    transitions = int(spec.get("leaseTransitions") or 0)
                    released = self._lease(lease, transitions, held=False)
                    await self._store.replace(released, manager=MANAGER)

"""The reconciler of registries: reads what is, decides, syncs, writes the status once.

In the flow: called by the runtime whenever something about a registry may have changed or become due. Level
triggered: it may be called too often and misses nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from thv.domain.durations import parse_duration
from thv.domain.errors import Code, InvalidError, ThvError
from thv.domain.registry import Registry, dump_status, load_registry
from thv.domain.registry_status import ApiStatus, RegistryStatus, Trigger
from thv.domain.resources import MCP_REGISTRY
from thv.domain.rules import check_rules
from thv.domain.snapshot import SnapshotRef
from thv.domain.times import parse_time
from thv.sources.base import Glancing
from thv.stores.chunks.base import Owner
from thv.stores.resources.base import ResourceStore
from thv.sync.due import Due, Later, after_failure, look_again, next_interval, requested, sync_due
from thv.sync.fetch import Progress
from thv.sync.flow import Outcome, Run, Tools, sync
from thv.sync.status import Attempted, failed, succeeded, suspended, syncing

MANAGER = "toolhive-registry"
PROGRESS_EVERY = timedelta(seconds=5)
CHUNK_GRACE = timedelta(minutes=10)
QUIET = timedelta(minutes=10)

Key = tuple[str, str]
"""Namespace and name."""

ApiOf = Callable[[Registry], ApiStatus | None]
"""The state of a registry's API where this process serves it, else None."""

Watcher = Callable[[Registry, Progress], None]
"""Told about the progress of a sync; must not block."""


class RegistryReconciler:
    """Keeps one registry at a time in step with its source."""

    def __init__(
        self,
        store: ResourceStore,
        tools: Tools,
        *,
        api_of: ApiOf,
        watcher: Watcher = lambda *_: None,
    ) -> None:
        self._store = store
        self._tools = tools
        self._api_of = api_of
        self._watcher = watcher
        self._next: dict[str, datetime] = {}  # due times that were not worth a write
        self._sights: dict[str, str] = {}  # what the last looks saw

    async def reconcile(self, key: Key, *, source_changed: bool = False) -> datetime | None:
        """Does what is due for this registry; returns when to come again, None: not before something changes."""
        registry = await self._load(key)
        if registry is None or registry.deleting:
            return None
        now = self._tools.clock()
        sight = await self._sight(registry)
        looks_new = sight != self._sights.get(registry.uid, "")
        due = sync_due(registry, now, source_changed=source_changed or looks_new)
        if isinstance(due, Later):
            return await self._rest(registry, due, now)
        if due.trigger is Trigger.SOURCE_CHANGED:
            self._sights[registry.uid] = sight  # other triggers may be content with an older fetch
        if not due.force and self._not_yet(registry, due, now):
            return self._next[registry.uid]
        return await self._attempt(registry, due, now)

    async def _sight(self, registry: Registry) -> str:
        """What a source that is looked at all the time shows; `""` for every other one.

        What is broken and stays as it is must not be read again and again.
        """
        if look_again(registry, self._tools.clock()) is None:
            return ""
        try:
            source = (await self._tools.open_source(registry)).source
        except ThvError:
            return ""  # the next sync that is due says so
        return (
            f"{registry.generation}\0{await source.glance()}"
            if isinstance(source, Glancing)
            else ""
        )

    async def _load(self, key: Key) -> Registry | None:
        try:
            obj = await self._store.get(MCP_REGISTRY, *key)
        except ThvError as error:
            if error.code is Code.NOT_FOUND:
                return None
            raise
        registry = load_registry(obj)
        wrong = check_rules(obj)
        if wrong:
            await self._refuse(registry, InvalidError(MCP_REGISTRY.subject(registry.name), wrong))
            return None
        return registry

    async def _refuse(self, registry: Registry, error: ThvError) -> None:
        now = self._tools.clock()
        attempt = self._attempted(registry, Due(trigger=Trigger.SPEC_CHANGED, not_before=now), now)
        retry = after_failure(registry, error, now, gained=False)
        await self._write(registry, failed(registry, attempt, error, retry))

    async def _rest(self, registry: Registry, later: Later, now: datetime) -> datetime | None:
        """Nothing is due; a registry that was just suspended says so, and one whose door moved too."""
        api = self._api_of(registry)
        if later.at is None and registry.status.observed_generation != registry.generation:
            await self._write(registry, suspended(registry, now, api))
        times = [moment for moment in (later.at, look_again(registry, now)) if moment is not None]
        return min(times, default=None)

    def _not_yet(self, registry: Registry, due: Due, now: datetime) -> bool:
        planned = self._next.get(registry.uid)
        return due.trigger is Trigger.INTERVAL and planned is not None and planned > now

    async def _attempt(self, registry: Registry, due: Due, began: datetime) -> datetime | None:
        progress = _ProgressWriter(self, registry, due, began)
        run = Run(
            registry=registry,
            not_before=due.not_before,
            force=due.force,
            report=progress.report,
            patience=_patience(registry),
        )
        try:
            outcome = await sync(run, self._tools)
        except (ThvError, TimeoutError) as error:
            await progress.stop()
            return await self._failed(
                registry, due, began, _translated(error, registry), gained=progress.gained
            )
        await progress.stop()
        return await self._succeeded(registry, due, began, outcome)

    async def _succeeded(
        self, registry: Registry, due: Due, began: datetime, outcome: Outcome
    ) -> datetime | None:
        attempt = self._attempted(registry, due, began)
        next_sync = next_interval(registry, attempt.ended)
        status = succeeded(registry, attempt, outcome, next_sync)
        if _worth_writing(registry.status, status, attempt.ended, due):
            await self._write(registry, status)
            self._next.pop(registry.uid, None)
        elif due.trigger is Trigger.INTERVAL:
            self._next[registry.uid] = next_sync
        if (
            status.snapshot != registry.status.snapshot
            or status.candidates != registry.status.candidates
        ):
            await self._collect(registry, status)
        again = [
            next_sync
            if due.trigger is not Trigger.SOURCE_CHANGED
            else parse_time(registry.status.sync_status.next_sync_time)
        ]
        again.append(look_again(registry, attempt.ended))
        return min((moment for moment in again if moment is not None), default=None)

    async def _failed(
        self, registry: Registry, due: Due, began: datetime, error: ThvError, *, gained: bool
    ) -> datetime:
        attempt = self._attempted(registry, due, began)
        retry = after_failure(registry, error, attempt.ended, gained=gained)
        await self._write(registry, failed(registry, attempt, error, retry))
        return retry.at

    def _attempted(self, registry: Registry, due: Due, began: datetime) -> Attempted:
        return Attempted(
            trigger=due.trigger,
            began=began,
            ended=self._tools.clock(),
            handled_request=requested(registry),
            api=self._api_of(registry),
        )

    async def write_progress(
        self, registry: Registry, due: Due, began: datetime, progress: Progress
    ) -> None:
        """Says in the status how far a long sync has come."""
        await self._write(
            registry, syncing(registry, due.trigger, began, self._tools.clock(), progress)
        )

    def now(self) -> datetime:
        """The present moment."""
        return self._tools.clock()

    def tell(self, registry: Registry, progress: Progress) -> None:
        """Passes progress on to whoever watches."""
        self._watcher(registry, progress)

    async def _write(self, registry: Registry, status: RegistryStatus) -> None:
        """Writes the whole status; the registry may be gone by now."""
        obj = {
            "apiVersion": MCP_REGISTRY.api_version,
            "kind": MCP_REGISTRY.kind,
            "metadata": {
                "namespace": registry.namespace,
                "name": registry.name,
                "uid": registry.uid,
            },
            "status": dump_status(status),
        }
        try:
            await self._store.apply_status(obj, manager=MANAGER)
        except ThvError as error:
            if error.code is not Code.NOT_FOUND:
                raise

    async def _collect(self, registry: Registry, status: RegistryStatus) -> None:
        """Removes chunks that no pointer names, once nobody can still be reading them."""
        owner = Owner(registry.namespace, registry.name, registry.uid)
        named = _chunk_names(status.snapshot, status.previous_snapshot, status.candidates)
        limit = (self._tools.clock() - CHUNK_GRACE).timestamp()
        for chunk in await self._tools.chunks.list(owner):
            if chunk.name not in named and chunk.created_at < limit:
                await self._tools.chunks.delete(owner, chunk.name)


class _ProgressWriter:
    """Writes progress into the status every few seconds while a sync runs, and never two writes at once."""

    def __init__(
        self, reconciler: RegistryReconciler, registry: Registry, due: Due, began: datetime
    ) -> None:
        self._reconciler = reconciler
        self._registry = registry
        self._due = due
        self._began = began
        self._last = began
        self._task: asyncio.Task[None] | None = None
        self.gained = False

    def report(self, progress: Progress) -> None:
        """Called after each batch."""
        self.gained = self.gained or progress.pages > 0
        self._reconciler.tell(self._registry, progress)
        now = self._reconciler.now()
        if now - self._last >= PROGRESS_EVERY and (self._task is None or self._task.done()):
            self._last = now
            self._task = asyncio.ensure_future(
                self._reconciler.write_progress(self._registry, self._due, self._began, progress)
            )

    async def stop(self) -> None:
        """Waits for a write that is under way."""
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)


def _patience(registry: Registry) -> float | None:
    """Seconds that a source may take to bring something; a first sync waits for as long as its source answers."""
    if registry.status.snapshot is None and registry.status.candidates is None:
        return None
    return parse_duration(registry.spec.sync_policy.timeout)


def _translated(error: ThvError | TimeoutError, registry: Registry) -> ThvError:
    if isinstance(error, ThvError):
        return error
    return ThvError(
        Code.SOURCE_TIMEOUT,
        f"the source brought nothing for spec.syncPolicy.timeout ({registry.spec.sync_policy.timeout})",
        hint="Raise spec.syncPolicy.timeout, or find out why the source is slow.",
    )


def _worth_writing(old: RegistryStatus, new: RegistryStatus, now: datetime, due: Due) -> bool:
    """A sync that changed nothing is written at most every ten minutes, a mere look at a file never."""
    if _settled(old) != _settled(new):
        return True
    if due.trigger is Trigger.SOURCE_CHANGED:
        return False
    last = parse_time(old.sync_status.last_sync_time)
    return last is None or now - last >= QUIET


def _settled(status: RegistryStatus) -> RegistryStatus:
    """The status without what moves by itself."""
    sync_status = msgspec.structs.replace(
        status.sync_status,
        last_attempt="",
        last_sync_time="",
        next_sync_time="",
        duration_milliseconds=0,
        trigger=None,
        etag="",
    )
    conditions = tuple(
        msgspec.structs.replace(
            condition,
            last_transition_time="",
            reason=_STEADY.get(condition.reason, condition.reason),
        )
        for condition in status.conditions
    )
    return msgspec.structs.replace(status, sync_status=sync_status, conditions=conditions)


# Reasons that differ from one good sync to the next without anything being different.
_STEADY = {"NotModified": "Fetched", "Unchanged": "Succeeded"}


def _chunk_names(*pointers: SnapshotRef | None) -> set[str]:
    return {ref.name for pointer in pointers if pointer is not None for ref in pointer.chunks}

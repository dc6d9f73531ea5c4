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
from thv.domain.pending import is_pending
from thv.domain.registry import Registry, load_refused, load_registry
from thv.domain.registry_status import RegistryStatus, Trigger
from thv.domain.resources import MCP_REGISTRY
from thv.domain.rules import check_rules
from thv.domain.snapshot import SnapshotRef
from thv.domain.times import parse_time
from thv.sources.base import Glancing
from thv.stores.resources.base import ResourceStore
from thv.sync.api import Api, ApiState
from thv.sync.chunks import ChunkKeeper, named_by
from thv.sync.due import (
    Due,
    Later,
    after_failure,
    look_again,
    look_for_source,
    next_interval,
    requested,
    sync_due,
    waits_for_source,
)
from thv.sync.expire import expire
from thv.sync.fetch import Progress
from thv.sync.flow import Counts, Outcome, Run, Tools, sync
from thv.sync.news import Announcer, Silent, drift, news_of
from thv.sync.record import StatusRecord
from thv.sync.status import Attempted, failed, served, succeeded, suspended, syncing, waiting

PROGRESS_EVERY = timedelta(seconds=5)
CHUNK_GRACE = timedelta(minutes=10)
QUIET = timedelta(minutes=10)

Key = tuple[str, str]
"""Namespace and name."""

Watcher = Callable[[Registry, Progress], None]
"""Told about the progress of a sync; must not block."""

Ended = Callable[[Registry, Attempted, Outcome | ThvError], None]
"""Told of each sync that ended, and how; must not block."""


class RegistryReconciler:
    """Keeps one registry at a time in step with its source."""

    def __init__(
        self,
        store: ResourceStore,
        tools: Tools,
        *,
        api: Api,
        announcer: Announcer | None = None,
        watcher: Watcher = lambda *_: None,
        ended: Ended = lambda *_: None,
        chunk_grace: timedelta = CHUNK_GRACE,
    ) -> None:
        """`chunk_grace` is how long a chunk that no pointer names any more may still be read."""
        self._store = store
        self._tools = tools
        self._api = api
        self._announcer = announcer or Silent()
        self._watcher = watcher
        self._ended = ended
        self._keeper = ChunkKeeper(tools.chunks, chunk_grace)
        self._next: dict[str, datetime] = {}  # due times that were not worth a write
        self._sights: dict[str, str] = {}  # what the last looks saw

    async def reconcile(
        self, key: Key, *, source_changed: bool = False, chunks_lost: bool = False
    ) -> datetime | None:
        """Does what is due for this registry; returns when to come again, None: not before something changes."""
        registry = await self._load(key)
        if registry is None or registry.deleting:
            return None
        if is_pending(registry):
            return await expire(self._store, registry, self._tools.clock())
        visit = _Visit(
            registry=registry,
            record=StatusRecord(self._store, registry),
            api=await self._ensured(registry),
        )
        now = self._tools.clock()
        again = await self._act(visit, now, source_changed=source_changed, chunks_lost=chunks_lost)
        moments = (again, self._keeper.due(registry.uid), _look_at_api(visit.api, now))
        return min((moment for moment in moments if moment is not None), default=None)

    async def _act(
        self, visit: _Visit, now: datetime, *, source_changed: bool, chunks_lost: bool
    ) -> datetime | None:
        registry = visit.registry
        sight = await self._sight(registry)
        looks_new = sight != self._sights.get(registry.uid, "")
        due = sync_due(registry, now, source_changed=source_changed or looks_new)
        if await self._keeper.lost(registry, now, suspected=chunks_lost):
            due = Due(trigger=Trigger.SOURCE_CHANGED, not_before=now, force=True)
        if isinstance(due, Later):
            return await self._rest(visit, due, now)
        if due.trigger is Trigger.SOURCE_CHANGED:
            self._sights[registry.uid] = sight  # other triggers may be content with an older fetch
        if not due.force and self._not_yet(registry, due, now):
            await self._tell_api(visit, now)
            return self._next[registry.uid]
        return await self._attempt(visit, due, now)

    async def _ensured(self, registry: Registry) -> ApiState | None:
        """The state of the API, after it was made what the spec says."""
        state = await self._api.ensure(registry)
        if state is not None and state.drifted:
            news = drift(state.drifted, self._tools.clock())
            await self._announcer.announce(registry, news)
        return state

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
                await self._api.left(*key)
                return None
            raise
        try:
            registry = load_registry(obj)
            wrong = check_rules(obj)
        except ThvError as error:
            await self._refuse(load_refused(obj), error)
            return None
        if wrong and not registry.deleting:
            await self._refuse(registry, InvalidError(MCP_REGISTRY.subject(registry.name), wrong))
            return None
        return registry

    async def _refuse(self, registry: Registry, error: ThvError) -> None:
        now = self._tools.clock()
        visit = _Visit(registry=registry, record=StatusRecord(self._store, registry), api=None)
        due = Due(trigger=Trigger.SPEC_CHANGED, not_before=now)
        retry = after_failure(registry, error, now, gained=False)
        status = failed(registry, self._attempted(visit, due, now), error, retry)
        if _settled(registry.status) != _settled(status):
            await self._write(visit, status)

    async def _rest(self, visit: _Visit, later: Later, now: datetime) -> datetime | None:
        """Nothing is due; a registry that was just suspended says so, and one whose API moved too."""
        registry = visit.registry
        if later.at is None and registry.status.observed_generation != registry.generation:
            await self._write(visit, suspended(registry, now, visit.api))
        else:
            await self._tell_api(visit, now)
        times = [moment for moment in (later.at, look_again(registry, now)) if moment is not None]
        return min(times, default=None)

    async def _tell_api(self, visit: _Visit, now: datetime) -> None:
        """Writes what became of the API, when that is anything new."""
        if visit.api is None or visit.registry.status.observed_generation == 0:
            return
        status = served(visit.registry, now, visit.api)
        if status != visit.registry.status:
            await self._write(visit, status)

    def _not_yet(self, registry: Registry, due: Due, now: datetime) -> bool:
        planned = self._next.get(registry.uid)
        return due.trigger is Trigger.INTERVAL and planned is not None and planned > now

    async def _attempt(self, visit: _Visit, due: Due, began: datetime) -> datetime | None:
        progress = _ProgressWriter(self, visit, due, began)
        run = Run(
            registry=visit.registry,
            not_before=due.not_before,
            force=due.force,
            report=progress.report,
            patience=_patience(visit.registry),
        )
        self._keeper.doubt(visit.registry.uid)
        try:
            outcome = await sync(run, self._tools)
        except (ThvError, TimeoutError) as raised:
            await progress.stop()
            error = _translated(raised, visit.registry)
            if waits_for_source(visit.registry, error):
                return await self._waits(visit, due, began, error)
            return await self._failed(visit, due, began, error, gained=progress.gained)
        await progress.stop()
        return await self._succeeded(visit, due, began, outcome)

    async def _succeeded(
        self, visit: _Visit, due: Due, began: datetime, outcome: Outcome
    ) -> datetime | None:
        registry = visit.registry
        attempt = self._attempted(visit, due, began)
        next_sync = next_interval(registry, attempt.ended)
        status = succeeded(registry, attempt, outcome, next_sync)
        flips = _pointers(status) != _pointers(registry.status)
        if flips:
            await self._api.admit(registry, _pointers(status))
        if _worth_writing(registry.status, status, attempt.ended, due):
            await self._write(visit, status, outcome.counts)
            self._next.pop(registry.uid, None)
        elif due.trigger is Trigger.INTERVAL:
            self._next[registry.uid] = next_sync
        self._ended(registry, attempt, outcome)
        if named_by(status) != named_by(registry.status):
            await self._keeper.collect(registry, status, self._tools.clock())
        else:
            self._keeper.trust(registry.uid)
        again = [
            next_sync
            if due.trigger is not Trigger.SOURCE_CHANGED
            else parse_time(registry.status.sync_status.next_sync_time)
        ]
        again.append(look_again(registry, attempt.ended))
        return min((moment for moment in again if moment is not None), default=None)

    async def _waits(self, visit: _Visit, due: Due, began: datetime, error: ThvError) -> datetime:
        """Says once that it waits, however often it looks."""
        registry = visit.registry
        attempt = self._attempted(visit, due, began)
        next_look = look_for_source(registry, attempt.ended)
        status = waiting(registry, attempt, error, next_look)
        if _settled(registry.status) != _settled(status):
            await self._write(visit, status)
        self._next[registry.uid] = next_look
        return next_look

    async def _failed(
        self, visit: _Visit, due: Due, began: datetime, error: ThvError, *, gained: bool
    ) -> datetime:
        attempt = self._attempted(visit, due, began)
        retry = after_failure(visit.registry, error, attempt.ended, gained=gained)
        await self._write(visit, failed(visit.registry, attempt, error, retry))
        self._ended(visit.registry, attempt, error)
        return retry.at

    def _attempted(self, visit: _Visit, due: Due, began: datetime) -> Attempted:
        return Attempted(
            trigger=due.trigger,
            began=began,
            ended=self._tools.clock(),
            handled_request=requested(visit.registry),
            api=visit.api,
        )

    async def write_progress(
        self, visit: _Visit, due: Due, began: datetime, progress: Progress
    ) -> None:
        """Says in the status how far a long sync has come."""
        status = syncing(visit.registry, due.trigger, began, self._tools.clock(), progress)
        await visit.record.write(status)

    def now(self) -> datetime:
        """The present moment."""
        return self._tools.clock()

    def tell(self, registry: Registry, progress: Progress) -> None:
        """Passes progress on to whoever watches."""
        self._watcher(registry, progress)

    async def _write(
        self, visit: _Visit, status: RegistryStatus, counts: Counts | None = None
    ) -> None:
        """Tells the news, then writes the whole status; a crash in between tells it again under the same name."""
        registry = visit.registry
        for news in news_of(registry.status, status, self._tools.clock(), counts):
            await self._announcer.announce(registry, news)
        await visit.record.write(status)


class _Visit(msgspec.Struct, frozen=True, kw_only=True):
    """One reconcile of one registry."""

    registry: Registry
    record: StatusRecord
    api: ApiState | None


def _look_at_api(api: ApiState | None, now: datetime) -> datetime | None:
    """When the API is worth another look though nothing tells of a change."""
    return None if api is None or api.again is None else now + timedelta(seconds=api.again)


class _ProgressWriter:
    """Writes progress into the status every few seconds while a sync runs, and never two writes at once."""

    def __init__(
        self, reconciler: RegistryReconciler, visit: _Visit, due: Due, began: datetime
    ) -> None:
        self._reconciler = reconciler
        self._visit = visit
        self._due = due
        self._began = began
        self._last = began
        self._task: asyncio.Task[None] | None = None
        self.gained = False

    def report(self, progress: Progress) -> None:
        """Called after each batch."""
        self.gained = self.gained or progress.pages > 0
        self._reconciler.tell(self._visit.registry, progress)
        now = self._reconciler.now()
        if now - self._last >= PROGRESS_EVERY and (self._task is None or self._task.done()):
            self._last = now
            self._task = asyncio.ensure_future(
                self._reconciler.write_progress(self._visit, self._due, self._began, progress)
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


def _pointers(status: RegistryStatus) -> list[SnapshotRef]:
    """Every snapshot that a reader may be reading."""
    each = (status.snapshot, status.previous_snapshot, status.candidates)
    return [pointer for pointer in each if pointer is not None]

"""One sync of one registry, as a list of steps.

In the flow: called by `reconcile` when a sync is due.

    fetch    source -> mirror           (`fetch`, shared by all registries of one source and credential)
    filter   mirror -> changes          (`choose`, per name)
    snapshot changes -> chunks          (`write`)

A step that fails leaves the pointer, and with it what is served, as it was; what the steps before it achieved is
found again by the next sync.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from thv.domain.canonical import canonical, digest_of
from thv.domain.errors import Code, ThvError
from thv.domain.facts import facts_of
from thv.domain.filter import Reasons, filter_reasons
from thv.domain.left_out import NAME_LIMIT, LeftOut, pack
from thv.domain.registry import OnUpdate, Registry, RegistrySpec
from thv.domain.snapshot import ChunkRef, Record, SnapshotDigest, SnapshotRef
from thv.domain.taxonomy import Taxonomy
from thv.domain.times import parse_time, render_time
from thv.formats.documents import Format
from thv.sources.base import Known, Source
from thv.stores.chunks.base import ChunkStore, Owner
from thv.stores.mirrors.base import (
    Basis,
    Mirror,
    Mirrors,
    MirrorState,
    Selected,
    Selection,
    SelectionEdit,
    Selections,
    Totals,
)
from thv.stores.threads import in_thread
from thv.sync.choose import Moment, Rules, Verdict, choose, policy_reasons, selected_of
from thv.sync.fetch import Look, Progress, Report, fetch, load_known
from thv.sync.write import Written, fold, read_snapshot, write_all, write_changes

TOMBSTONE_DAYS = 30
REFRESH_AFTER = timedelta(hours=24)
SUMMARY_LIMIT = 50
_PAUSE, _KEYS_PAUSE = 25, 500
"""Names, and keys, that are gone through before everybody else has a turn."""


class Opened(msgspec.Struct, frozen=True):
    """A source that is ready to be asked, and the key of its mirror.

    Registries whose keys are equal have the same source and the same credential, and share a mirror.
    """

    source: Source
    mirror_key: str


class Tools(msgspec.Struct, frozen=True, kw_only=True):
    """What a sync works with; handed in by a door's wiring."""

    open_source: Callable[[Registry], Awaitable[Opened]]
    mirrors: Mirrors
    selections: Selections
    chunks: ChunkStore
    taxonomy: Taxonomy
    clock: Callable[[], datetime]
    locks: Locks


class Locks:
    """One lock a mirror, so that registries of one source share a fetch instead of racing."""

    def __init__(self) -> None:
        self._locks: dict[str, asyncio.Lock] = {}

    def of(self, key: str) -> asyncio.Lock:
        """The lock of this mirror."""
        return self._locks.setdefault(key, asyncio.Lock())


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One sync to be made."""

    registry: Registry
    not_before: datetime
    """A fetch that ended at or after this moment need not be made again."""
    force: bool = False
    """Ignore validators and incremental state."""
    report: Report = lambda _: None
    patience: float | None = None
    """Seconds that the source may take without bringing anything; None: as many as it wants."""


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """What one sync changed."""

    added: int = 0
    changed: int = 0
    removed: int = 0


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a sync achieved."""

    snapshot: SnapshotRef
    """The pointer to flip to; equal to the present one when nothing changed."""
    counts: Counts
    totals: Totals | None
    """None when nothing changed, so that the figures in the status still hold."""
    left_out: ChunkRef | None = None
    """The first names that filter and policy keep out; counts as `totals` do."""
    mirror: MirrorState
    known: Known
    """What the source says of the content that this is."""
    fetched: bool
    """The source was asked by this sync and answered with content."""


async def sync(run: Run, tools: Tools) -> Outcome:
    """Fetch, filter, snapshot."""
    opened = await tools.open_source(run.registry)
    with (
        tools.mirrors.using(opened.mirror_key) as mirror,
        tools.selections.using(run.registry.uid) as selection,
    ):
        async with tools.locks.of(opened.mirror_key), asyncio.timeout(run.patience) as limit:
            fetched = await _fetched(_renewing(run, limit), opened.source, mirror, tools)
        held = Held(opened.mirror_key, mirror, selection)
        return await _Making(run, held, tools, fetched=fetched).outcome()


class Held(msgspec.Struct, frozen=True):
    """What is held open for one sync."""

    mirror_key: str
    mirror: Mirror
    selection: Selection


def _renewing(run: Run, limit: asyncio.Timeout) -> Run:
    """The run, whose patience begins anew with everything that the source brings."""
    patience = run.patience
    if patience is None:
        return run

    def report(progress: Progress) -> None:
        limit.reschedule(asyncio.get_running_loop().time() + patience)
        run.report(progress)

    return msgspec.structs.replace(run, report=report)


async def _fetched(run: Run, source: Source, mirror: Mirror, tools: Tools) -> bool:
    """Asks the source, unless somebody did since this sync became due."""
    state = mirror.state()
    looked_at = parse_time(state.looked_at)
    if not run.force and state.whole and looked_at is not None and looked_at >= run.not_before:
        return False
    spec = run.registry.spec
    force = run.force or (spec.sync_policy.on_update is OnUpdate.RECREATE and state.whole)
    look = Look(
        mirror=mirror,
        expected=Format(spec.format) if spec.format else None,
        known=Known() if force else load_known(state.known),
        now=lambda: render_time(tools.clock(), milliseconds=True),
        report=run.report,
    )
    return await fetch(source, look)


def spec_digest(spec: RegistrySpec) -> str:
    """Digest of what decides which entries are served: filter, policy, format, versions, source."""
    policy = spec.validation_policy
    decisive = {
        "filter": msgspec.to_builtins(spec.filter),
        "allowedTiers": list(policy.allowed_tiers) if policy else [],
        "blockedPatterns": list(policy.blocked_patterns) if policy else [],
        "format": spec.format,
        "source": msgspec.to_builtins(spec.source),
    }
    return digest_of(canonical(decisive))


def rules_of(spec: RegistrySpec, taxonomy: Taxonomy) -> Rules:
    """What decides about the entries of a registry."""
    return Rules(
        versions=_versions(spec),
        filtered_by=filter_reasons(spec.filter),
        blocked_by=_policy(spec),
        on_update=spec.sync_policy.on_update,
        taxonomy=taxonomy,
    )


class _Making:
    """The steps after the fetch: brings selection and chunks in step with the mirror."""

    def __init__(self, run: Run, held: Held, tools: Tools, *, fetched: bool) -> None:
        registry = run.registry
        self._registry = registry
        self._owner = Owner(registry.namespace, registry.name, registry.uid)
        self._mirror = held.mirror
        self._state = held.mirror.state()
        self._tools = tools
        self._fetched = fetched
        self._force = run.force
        self._selection = held.selection
        self._before = registry.status.candidates if registry.governed else registry.status.snapshot
        self._now = tools.clock()
        self._basis = Basis(
            mirror=held.mirror_key,
            incarnation=self._state.incarnation,
            sequence=self._state.sequence,
            spec_digest=spec_digest(registry.spec),
        )
        self._rules = rules_of(registry.spec, tools.taxonomy)
        self._moment = Moment(
            now=render_time(self._now, milliseconds=True),
            tombstones_since=render_time(self._now - timedelta(days=TOMBSTONE_DAYS)),
            first=self._before is None,
        )
        self._counts = Counts()

    async def outcome(self) -> Outcome:
        """Writes what changed and says what came of it."""
        if self._before is not None and self._force and await self._is_damaged(self._before):
            self._before = None
            self._moment = msgspec.structs.replace(self._moment, first=True)
        if self._before is None:
            snapshot = await self._first()
        elif self._is_current(self._before):
            return self._outcome(self._before, None)
        else:
            await self._recover(self._before)
            snapshot = await self._next(self._before)
        await self._selection.settle()
        totals = await in_thread(self._selection.totals, SUMMARY_LIMIT)
        return self._outcome(snapshot, totals, await self._left_out())

    def _outcome(
        self, snapshot: SnapshotRef, totals: Totals | None, left_out: ChunkRef | None = None
    ) -> Outcome:
        return Outcome(
            snapshot=snapshot,
            counts=self._counts,
            totals=totals,
            left_out=left_out,
            mirror=self._state,
            known=load_known(self._state.known),
            fetched=self._fetched,
        )

    async def _left_out(self) -> ChunkRef | None:
        """The list of what is kept out; a store that is full serves without it."""
        every = await in_thread(self._selection.excluded, NAME_LIMIT)
        chunk = pack(LeftOut(each.name, each.filtered + each.blocked, each.rules) for each in every)
        if chunk is None:
            return None
        statistics = self._registry.status.statistics
        old = statistics.left_out if statistics else None
        if old is not None and old.digest == chunk.digest and not self._force:
            return old
        try:
            return await self._tools.chunks.put(self._owner, chunk)
        except ThvError as error:
            if error.code not in (Code.STORE_FULL, Code.SNAPSHOT_TOO_LARGE):
                raise
            return None

    async def _is_damaged(self, before: SnapshotRef) -> bool:
        """Whether a chunk cannot be read; it is removed, for what is there is not written again."""
        damaged = False
        for ref in before.chunks:
            try:
                await self._tools.chunks.get(self._owner, ref)
            except ThvError as error:
                if error.code is not Code.SNAPSHOT_DAMAGED:
                    raise
                await self._tools.chunks.delete(self._owner, ref.name)
                damaged = True
        return damaged

    def _is_current(self, before: SnapshotRef) -> bool:
        """Nothing happened since the selection was made, and nothing is due by time alone."""
        basis = msgspec.structs.replace(self._basis, snapshot=before.digest)
        if self._selection.basis() != basis or self._refresh_due(before):
            return False
        return not self._selection.removed_before(self._moment.tombstones_since)

    async def _first(self) -> SnapshotRef:
        """Everything, straight from the mirror into base chunks."""
        with self._selection.edit() as edit:
            edit.clear()
            entries = self._state.read
            chunks = await write_all(self._tools.chunks, self._owner, self._chosen(edit), entries)
            return await self._kept(edit, Written(chunks, folded=True))

    async def _chosen(self, edit: SelectionEdit) -> AsyncIterator[Record]:
        verdicts: list[Verdict] = []
        for rows in self._mirror.names():
            verdict = choose(rows[0].name, rows, (), self._rules, self._moment)
            verdicts.append(verdict)
            for record in verdict.records:
                yield record
            if len(verdicts) >= _PAUSE:
                self._take(edit, verdicts)
                verdicts.clear()
                await asyncio.sleep(0)
        self._take(edit, verdicts)

    async def _next(self, before: SnapshotRef) -> SnapshotRef:
        """The changes since, as a delta or, when there are many, into a new base."""
        basis = self._selection.basis()
        with self._selection.edit() as edit:
            changes = await self._changes(edit, basis)
            if changes:
                written = await write_changes(
                    self._tools.chunks, self._owner, before, changes, self._refreshed
                )
            elif self._refresh_due(before):
                written = await fold(self._tools.chunks, self._owner, before, self._refreshed)
            elif (
                basis.sequence == self._basis.sequence
                and basis.spec_digest == self._basis.spec_digest
            ):
                return before
            else:
                written = Written(before.chunks, folded=False)
            return await self._kept(edit, written, before)

    async def _changes(self, edit: SelectionEdit, basis: Basis) -> list[Record]:
        changes: list[Record] = []
        verdicts: list[Verdict] = []
        for name in self._touched(basis):
            before = self._selection.of_name(name)
            verdict = choose(name, self._mirror.rows_of(name), before, self._rules, self._moment)
            verdicts.append(verdict)
            changes.extend(verdict.records)
            if len(verdicts) >= _PAUSE:
                self._take(edit, verdicts)
                verdicts.clear()
                await asyncio.sleep(0)
        self._take(edit, verdicts)
        return changes

    def _touched(self, basis: Basis) -> Iterator[str]:
        """The names about which to decide again, in order; all of them when the rules or the mirror are new."""
        same_rules = (
            basis.mirror == self._basis.mirror and basis.spec_digest == self._basis.spec_digest
        )
        if not same_rules or basis.incarnation != self._basis.incarnation:
            mirrored = (rows[0].name for rows in self._mirror.names())
            return _united(mirrored, list(self._selection.names()))
        expired = sorted(self._selection.removed_before(self._moment.tombstones_since))
        return _united(iter(list(self._mirror.changed_names(basis.sequence))), expired)

    def _take(self, edit: SelectionEdit, verdicts: Sequence[Verdict]) -> None:
        edit.put(
            [item for verdict in verdicts for item in verdict.selected],
            [verdict.excluded for verdict in verdicts if verdict.excluded],
            () if self._moment.first else [verdict.name for verdict in verdicts],
        )
        edit.forget(key for verdict in verdicts for key in verdict.forgotten)
        self._counts = Counts(
            added=self._counts.added + sum(verdict.added for verdict in verdicts),
            changed=self._counts.changed + sum(verdict.changed for verdict in verdicts),
            removed=self._counts.removed + sum(verdict.removed for verdict in verdicts),
        )

    async def _digest(self) -> str:
        """Of all that was selected."""
        digest = SnapshotDigest()
        for count, item in enumerate(self._selection.digests()):
            digest.add(*item)
            if count % _KEYS_PAUSE == 0:
                await asyncio.sleep(0)
        return digest.value()

    async def _kept(
        self, edit: SelectionEdit, written: Written, before: SnapshotRef | None = None
    ) -> SnapshotRef:
        """Makes the selection durable; returns the pointer to the new snapshot, or the old one if it is equal."""
        if written.folded:
            await in_thread(edit.all_in_base)
        digest = await self._digest()
        await in_thread(edit.keep, msgspec.structs.replace(self._basis, snapshot=digest))
        unchanged = (
            before is not None and before.digest == digest and before.chunks == written.chunks
        )
        if before is not None and unchanged and before.spec_digest == self._basis.spec_digest:
            return before
        totals = await in_thread(self._selection.totals, 0)
        return SnapshotRef(
            digest=digest,
            entries=totals.versions + totals.tombstones,
            bytes=sum(ref.bytes for ref in written.chunks),
            created_at=render_time(self._now, milliseconds=True),
            spec_digest=self._basis.spec_digest,
            store=self._tools.chunks.kind,
            chunks=written.chunks,
        )

    async def _recover(self, before: SnapshotRef) -> None:
        """Makes the selection describe the served snapshot, when it was lost or is ahead of the pointer."""
        if self._selection.basis().snapshot == before.digest:
            return
        with self._selection.edit() as edit:
            edit.clear()
            batch: list[Selected] = []
            async for record in read_snapshot(self._tools.chunks, self._owner, before):
                batch.append(_remembered(record, self._tools.taxonomy))
                if len(batch) >= _PAUSE:
                    edit.put(batch)
                    batch.clear()
                    await asyncio.sleep(0)
            edit.put(batch)
            await in_thread(edit.keep, Basis(snapshot=before.digest))
        await self._selection.settle()

    def _refresh_due(self, before: SnapshotRef) -> bool:
        """Volatile values follow once a day even when nothing else changes."""
        created = parse_time(before.created_at)
        return self._fetched and created is not None and self._now - created > REFRESH_AFTER

    def _refreshed(self, record: Record) -> Record:
        """The record with the entry as the mirror has it now, if that is the same but for volatile values."""
        for row in self._mirror.rows_of(record.name):
            if row.version == record.version and row.digest == record.digest:
                return msgspec.structs.replace(record, entry=msgspec.Raw(row.content))
        return record


def _remembered(record: Record, taxonomy: Taxonomy) -> Selected:
    """What the selection keeps of a record that comes from a chunk; the base may hold its key."""
    if record.removed_at:
        return Selected(
            name=record.name,
            version=record.version,
            digest=record.digest,
            published_at=record.published_at,
            updated_at=record.updated_at,
            removed_at=record.removed_at,
            in_base=True,
        )
    facts = facts_of(record.load(), taxonomy)
    selected = selected_of(facts, record.digest, latest=record.latest, in_base=True)
    return msgspec.structs.replace(
        selected, published_at=record.published_at, updated_at=record.updated_at
    )


def _united(first: Iterable[str], second: Iterable[str]) -> Iterator[str]:
    """Two ordered sequences as one, without repetition."""
    left, right = iter(first), iter(second)
    a, b = next(left, None), next(right, None)
    while a is not None or b is not None:
        if b is None or (a is not None and a <= b):
            if a == b:
                b = next(right, None)
            assert a is not None  # noqa: S101 # by the condition
            yield a
            a = next(left, None)
        else:
            yield b
            b = next(right, None)


def _versions(spec: RegistrySpec) -> Literal["latest", "all"]:
    """A document lists the versions that its author wants; of an API one says how many."""
    return spec.source.registry.versions if spec.source.registry else "all"


def _policy(spec: RegistrySpec) -> Reasons:
    policy = spec.validation_policy
    return policy_reasons(policy.allowed_tiers, policy.blocked_patterns) if policy else lambda _: ()

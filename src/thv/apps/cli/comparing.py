"""What differs between two contents of registries, entry by entry.

In the flow: behind `thv registry diff`. Both sides are streams of records in key order. A file becomes such a stream
by the very sync that a registry would make of it, in a scratch folder, so that filter and policy count.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import msgspec

from thv.apps.cli.documents import Paper
from thv.apps.cli.progress import ProgressLine
from thv.apps.cli.registries import Shelf
from thv.apps.cli.session import Session
from thv.apps.cli.staging import fill
from thv.domain.canonical import JsonObject
from thv.domain.registry import FileSource as FileSpec
from thv.domain.registry import Registry, SourceSpec, SourceType
from thv.domain.registry_status import RegistryStatus
from thv.domain.snapshot import Record, SnapshotRef
from thv.domain.times import render_time
from thv.sources.file import FileSource
from thv.stores.chunks.base import Owner
from thv.stores.chunks.files import FileChunkStore
from thv.stores.mirrors.sqlite import SqliteMirrors, SqliteSelections
from thv.sync.flow import Locks, Opened, Run, Tools, sync
from thv.sync.write import read_snapshot

Op = Literal["added", "removed", "changed"]
_FIELDS = 8


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One entry that only one side has, or that differs."""

    op: Op
    name: str
    version: str
    fields: tuple[str, ...] = ()
    """Of one that changed: the places that differ, as JSON pointers, the first few."""


class Compared(msgspec.Struct, kw_only=True):
    """Counts over everything, and the first differences."""

    added: int = 0
    removed: int = 0
    changed: int = 0
    same: int = 0
    items: list[Difference] = msgspec.field(default_factory=list)

    @property
    def differs(self) -> bool:
        return bool(self.added or self.removed or self.changed)

    @property
    def total(self) -> int:
        """How many differences there are."""
        return self.added + self.removed + self.changed


async def compare(base: AsyncIterator[Record], head: AsyncIterator[Record], limit: int) -> Compared:
    """What one has to do to the base to get the head; at most `limit` differences are kept."""
    found = Compared()
    old, new = await _next(base), await _next(head)
    while old is not None or new is not None:
        if new is None or (old is not None and _key(old) < _key(new)):
            assert old is not None  # noqa: S101 # by the condition
            found.removed += 1
            _keep(found, limit, "removed", old)
            old = await _next(base)
        elif old is None or _key(new) < _key(old):
            found.added += 1
            _keep(found, limit, "added", new)
            new = await _next(head)
        else:
            _compare_one(found, limit, old, new)
            old, new = await _next(base), await _next(head)
    return found


def served(shelf: Shelf, snapshot: SnapshotRef | None) -> AsyncIterator[Record]:
    """What a registry serves, or served."""
    registry = shelf.registry
    owner = Owner(registry.namespace, registry.name, registry.uid)
    return _nothing() if snapshot is None else read_snapshot(shelf.place.chunks, owner, snapshot)


@asynccontextmanager
async def selected(
    session: Session, registry: Registry, paper: Paper
) -> AsyncIterator[AsyncIterator[Record]]:
    """What the registry would serve if the document were its source."""
    root = session.local.home.make().root
    with tempfile.TemporaryDirectory(prefix="diff-", dir=root) as scratch:
        folder = Path(scratch)
        mirrors, selections = SqliteMirrors(folder / "m"), SqliteSelections(folder / "s")
        try:
            now = session.local.clock()
            line = ProgressLine(session.console, paper.title)
            fill(mirrors.open("file"), paper, render_time(now, milliseconds=True), line)
            chunks = FileChunkStore(folder / "c")
            tools = Tools(
                open_source=_opened,
                mirrors=mirrors,
                selections=selections,
                chunks=chunks,
                taxonomy=session.local.taxonomy,
                clock=lambda: now,
                locks=Locks(),
            )
            reading = _reading(registry, paper)
            run = Run(registry=reading, not_before=now - timedelta(seconds=1))
            outcome = await sync(run, tools)
            owner = Owner(registry.namespace, registry.name, registry.uid)
            yield read_snapshot(chunks, owner, outcome.snapshot)
        finally:
            mirrors.close()
            selections.close()


def _reading(registry: Registry, paper: Paper) -> Registry:
    """The registry as if it were new and the document its source."""
    source = SourceSpec(type=SourceType.FILE, file=FileSpec(path=str(paper.path)))
    spec = msgspec.structs.replace(registry.spec, source=source, format=None)
    return msgspec.structs.replace(registry, spec=spec, status=RegistryStatus())


async def _opened(registry: Registry) -> Opened:
    """A source that nobody asks, because its mirror is as fresh as the run."""
    spec = registry.spec.source.file
    assert spec is not None  # noqa: S101 # `_reading` made it
    return Opened(FileSource(spec, roots=(Path("/"),)), "file")


async def _next(records: AsyncIterator[Record]) -> Record | None:
    """The next record of an entry that is there."""
    async for record in records:
        if not record.removed_at and not record.dropped:
            return record
    return None


async def _nothing() -> AsyncIterator[Record]:
    for record in list[Record]():
        yield record


def _compare_one(found: Compared, limit: int, old: Record, new: Record) -> None:
    if old.digest == new.digest:
        found.same += 1
        return
    found.changed += 1
    _keep(found, limit, "changed", new, old)


def _keep(
    found: Compared, limit: int, op: Op, record: Record, before: Record | None = None
) -> None:
    if len(found.items) < limit:
        fields = _fields(before, record) if before is not None else ()
        found.items.append(
            Difference(op=op, name=record.name, version=record.version, fields=fields)
        )


def _fields(old: Record, new: Record) -> tuple[str, ...]:
    base: JsonObject = msgspec.json.decode(old.entry)
    head: JsonObject = msgspec.json.decode(new.entry)
    places: list[str] = []
    for place in _places(base, head, ""):
        places.append(place)
        if len(places) > _FIELDS:
            return (*places[:_FIELDS], "...")
    return tuple(places)


def _places(base: Any, head: Any, path: str) -> Iterator[str]:
    """Where two values differ, as deep as both are objects or lists of one length."""
    if isinstance(base, dict) and isinstance(head, dict):
        for key in sorted(base.keys() | head.keys()):
            inner = f"{path}/{key.replace('~', '~0').replace('/', '~1')}"
            if key in base and key in head:
                yield from _places(base[key], head[key], inner)
            else:
                yield inner
    elif isinstance(base, list) and isinstance(head, list) and len(base) == len(head):
        for index, (left, right) in enumerate(zip(base, head, strict=True)):
            yield from _places(left, right, f"{path}/{index}")
    elif base != head or type(base) is not type(head):
        yield path


def _key(record: Record) -> tuple[bytes, bytes]:
    return record.name.encode(), record.version.encode()

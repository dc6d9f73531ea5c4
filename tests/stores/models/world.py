"""A registry that changes, as the snapshots that a sync would write of it, and as plain Python values."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from tests.builders import server
from thv.domain.canonical import JsonObject, canonical
from thv.domain.entry import PUBLISHER_META, TOOLHIVE_PUBLISHER, Entry, Status
from thv.domain.snapshot import (
    Chunk,
    ChunkRef,
    ChunkWriter,
    Key,
    Record,
    SnapshotDigest,
    SnapshotRef,
    unpack,
)
from thv.domain.target import target_of
from thv.domain.taxonomy import NO_TAXONOMY, Taxonomy
from thv.domain.versions import pick_latest
from thv.stores.models.apply import Outcome, apply
from thv.stores.models.cache import Cache
from thv.stores.models.view import Model, View
from thv.stores.models.work import Moment

NOW = 1_763_700_000.0
PUBLISHED = "2026-11-01T08:00:00Z"


def an_entry(name: str, version: str = "1.0.0", **fields: Any) -> Entry:
    """An active entry; `block` is what ToolHive says about it, the rest is server.json."""
    block = fields.pop("block", None)
    status = Status(fields.pop("status", "active"))
    updated = fields.pop("updated", "2026-11-02T08:00:00Z")
    described = server(name, version, **fields)
    if block is not None:
        extension = {TOOLHIVE_PUBLISHER: {target_of(described).reference: block}}
        meta = {**described.get("_meta", {}), PUBLISHER_META: extension}
        described = {**described, "_meta": meta}
    return Entry(server=described, status=status, published_at=PUBLISHED, updated_at=updated)


class World:
    """What a registry holds, and every chunk that was ever written of it."""

    def __init__(self, *entries: Entry) -> None:
        self.entries: dict[Key, Entry] = {}
        self.removed: dict[Key, Entry] = {}
        self.changed: dict[Key, str] = {}
        """When the registry itself changed something, which need not be when its source did."""
        self.chunks: dict[str, bytes] = {}
        self.fetched: list[str] = []
        self._base: list[Record] = []
        self._base_refs: tuple[ChunkRef, ...] = ()
        self._count = 0
        self.put(*entries)

    def put(self, *entries: Entry) -> None:
        for entry in entries:
            self.entries[entry.name, entry.version] = entry
            self.removed.pop((entry.name, entry.version), None)

    def remove(self, *keys: Key) -> None:
        """Leaves tombstones."""
        for key in keys:
            self.removed[key] = self.entries.pop(key)

    def forget(self, *keys: Key) -> None:
        """Leaves nothing."""
        for key in keys:
            self.entries.pop(key, None)
            self.removed.pop(key, None)

    def records(self) -> list[Record]:
        """What a snapshot holds, in key order."""
        latest = self._latest()
        found = [
            _record(
                entry, latest=key in latest, removed_at="", changed_at=self.changed.get(key, "")
            )
            for key, entry in self.entries.items()
        ]
        found += [
            _record(entry, latest=False, removed_at="2026-11-20T00:00:00Z")
            for entry in self.removed.values()
        ]
        return sorted(found, key=lambda record: record.key)

    def _latest(self) -> set[Key]:
        names: dict[str, list[_Row]] = {}
        for (name, version), entry in self.entries.items():
            names.setdefault(name, []).append(_Row(version, entry.published_at, entry.deleted))
        return {(name, pick_latest(rows).version) for name, rows in names.items()}

    def snapshot(self, *, delta: bool = False) -> SnapshotRef:
        """Writes all chunks anew, or one delta to those that were written anew last."""
        records = self.records()
        if not delta or not self._base_refs:
            self._base = records
            self._base_refs = tuple(self._keep(chunk) for chunk in _packed(_cut(records)))
            return self._ref(records, self._base_refs)
        refs = self._base_refs
        changes = self._changes(records)
        if changes:
            refs = (*refs, *(self._keep(chunk) for chunk in _packed([changes], delta=True)))
        return self._ref(records, refs)

    def _changes(self, records: list[Record]) -> list[Record]:
        before = {record.key: record for record in self._base}
        now = {record.key: record for record in records}
        changed = [r for key, r in now.items() if _line(r) != _line(before.get(key))]
        gone = [
            Record(name=r.name, version=r.version, digest=r.digest, dropped=True)
            for key, r in before.items()
            if key not in now
        ]
        return sorted((*changed, *gone), key=lambda record: record.key)

    def _keep(self, chunk: Chunk) -> ChunkRef:
        name = f"corp-s-{chunk.digest[7:23]}"
        self.chunks[name] = chunk.packed
        return chunk.ref(name)

    def _ref(self, records: list[Record], refs: tuple[ChunkRef, ...]) -> SnapshotRef:
        digest = SnapshotDigest()
        for record in records:
            digest.add(record.name, record.version, record.digest)
        self._count += 1
        return SnapshotRef(
            digest=digest.value(),
            entries=len(records),
            bytes=sum(ref.bytes for ref in refs),
            created_at=f"2026-11-20T10:{self._count // 60 % 60:02}:{self._count % 60:02}.000Z",
            spec_digest="sha256:spec",
            store="file",
            chunks=refs,
        )

    async def fetch(self, ref: ChunkRef) -> bytes:
        self.fetched.append(ref.name)
        return unpack(self.chunks[ref.name], ref)

    async def apply(
        self,
        path: Path,
        ref: SnapshotRef,
        *,
        now: float = NOW,
        taxonomy: Taxonomy = NO_TAXONOMY,
    ) -> Outcome:
        at = Moment("2026-11-21T00:00:00Z", now)
        return await apply(path, ref, self.fetch, taxonomy=taxonomy, at=at)


def look(path: Path) -> View:
    """The generation that is served."""
    model = Model.open(path, Cache(1 << 20))
    assert model is not None
    return model.view()


class _Row(msgspec.Struct):
    version: str
    published_at: str
    deleted: bool
    marked_latest: bool = False


def _record(entry: Entry, *, latest: bool, removed_at: str, changed_at: str = "") -> Record:
    content: JsonObject = entry.content
    if removed_at:
        kept = {key: entry.server[key] for key in ("name", "version", "description")}
        content = {"server": kept}
    return Record(
        name=entry.name,
        version=entry.version,
        digest="sha256:" + hashlib.sha256(canonical(content) + removed_at.encode()).hexdigest(),
        entry=msgspec.Raw(canonical(content)),
        published_at=entry.published_at,
        updated_at=removed_at or entry.updated_at,
        changed_at=changed_at,
        latest=latest,
        removed_at=removed_at,
    )


def _line(record: Record | None) -> bytes:
    return msgspec.json.encode(record)


def _cut(records: list[Record]) -> list[list[Record]]:
    """Small chunks whose borders depend on content alone, as those of real ones do."""
    chunks: list[list[Record]] = [[]]
    for record in records:
        chunks[-1].append(record)
        if hashlib.sha256(record.name.encode()).digest()[0] % 3 == 0:
            chunks.append([])
    return [chunk for chunk in chunks if chunk]


def _packed(parts: Iterable[list[Record]], *, delta: bool = False) -> list[Chunk]:
    found = []
    for part in parts:
        writer = ChunkWriter(delta=delta)
        for record in part:
            writer.add(record)
        chunk = writer.finish()
        assert chunk is not None
        found.append(chunk)
    return found

"""Which entries of a document another document holds, and what is lost on the way.

In the flow: between reading and writing of `convert` and `migrate`. The document is read once to survey it and then
again by the writer, so that only names are held, never entries.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from thv.apps.cli.documents import Paper
from thv.domain.canonical import JsonObject
from thv.domain.entry import Entry
from thv.domain.target import NotRunnable, target_of
from thv.domain.versions import pick_latest
from thv.formats.documents import (
    Format,
    Found,
    Head,
    Rejected,
    combined,
    official_document,
    toolhive_document,
    versioned_key,
)

NO_TIME = "1970-01-01T00:00:00Z"
"""What a document says that must name a time and comes from one that named none."""


class Remark(msgspec.Struct, frozen=True, kw_only=True):
    """What happened to one entry, or to something beside the entries."""

    kind: str
    """`damaged`: it could not be read; `lost`: it is left out; `note`: it is there, but something is to know."""
    place: str
    reason: str
    name: str = ""
    version: str = ""

    @property
    def subject(self) -> str:
        """The entry as messages name it."""
        if not self.name:
            return self.place
        return f"{self.name}@{self.version}" if self.version else self.name

    def value(self) -> JsonObject:
        """In JSON."""
        return {key: text for key, text in msgspec.structs.asdict(self).items() if text}


class _Candidate(msgspec.Struct, frozen=True):
    """A version on its way to be the latest of its name."""

    version: str
    published_at: str
    marked_latest: bool
    deleted: bool
    index: int
    place: str


class Conversion:
    """A document on its way into a format."""

    def __init__(self, paper: Paper, to: Format | None, *, latest: bool = False) -> None:
        """Reads the document once; without `to` the target is the other format, `latest` leaves older versions out."""
        self._paper = paper
        self._seen: set[int] = set()
        self._again: set[int] = set()
        self._latest: dict[str, _Candidate] = {}
        self._older: list[tuple[str, _Candidate]] = []
        self._newest = ""
        self._timed = 0
        self.read = self.written = 0
        self.remarks: list[Remark] = []
        self._survey()
        other = Format.UPSTREAM if paper.format is Format.TOOLHIVE else Format.TOOLHIVE
        self.to = to or other
        self._only_latest = latest
        self._twice = self._joined()
        self._losses()

    @property
    def head(self) -> Head:
        """What the document says beside its entries, with the newest time of an entry where it says none."""
        head = self._paper.head
        updated = head.last_updated or self._newest or NO_TIME
        return msgspec.structs.replace(head, last_updated=updated)

    def document(self) -> Iterator[bytes]:
        """The new document, piece by piece."""
        if self.to is Format.UPSTREAM:
            return official_document(self.entries, self.head)
        return toolhive_document(self.entries, self.head, key=self._key)

    def _key(self, entry: Entry) -> str | None:
        """Older versions have their own keys beside the latest, which has the plain one."""
        is_latest = self._latest[entry.name].version == entry.version
        return None if is_latest else versioned_key(entry)

    def entries(self) -> Iterator[Entry]:
        """The entries of the new document, in the order of the old one."""
        given: set[tuple[str, str]] = set()
        for index, item in enumerate(self._paper.items()):
            if not isinstance(item, Found):
                continue
            entry, key = item.entry, (item.entry.name, item.entry.version)
            if self._only_latest and self._latest[entry.name].index != index:
                continue
            if key in self._twice:
                if key in given:
                    continue
                given.add(key)
                entry = self._twice[key]
            yield entry

    def _survey(self) -> None:
        for index, item in enumerate(self._paper.items()):
            if isinstance(item, Rejected):
                self._damaged(item)
                continue
            self.read += 1
            self._note_times(item.entry)
            self._note_version(item, index)

    def _damaged(self, item: Rejected) -> None:
        self.remarks.append(
            Remark(kind="damaged", place=item.place, name=item.name, reason=item.reason)
        )

    def _note_times(self, entry: Entry) -> None:
        newest = entry.updated_at or entry.published_at
        self._timed += bool(newest)
        self._newest = max(self._newest, newest)

    def _note_version(self, item: Found, index: int) -> None:
        entry = item.entry
        mark = hash((entry.name, entry.version))
        if mark in self._seen:
            self._again.add(mark)
            return
        self._seen.add(mark)
        new = _Candidate(
            entry.version,
            entry.published_at,
            entry.marked_latest,
            entry.deleted,
            index,
            item.place,
        )
        known = self._latest.get(entry.name)
        winner = new if known is None else pick_latest([known, new])
        self._latest[entry.name] = winner
        if known is not None:
            self._older.append((entry.name, known if winner is new else new))

    def _joined(self) -> dict[tuple[str, str], Entry]:
        """The entries that stand at several places, such as in a group as well, as one each."""
        joined: dict[tuple[str, str], Entry] = {}
        for item in self._paper.items() if self._again else ():
            if not isinstance(item, Found):
                continue
            key = (item.entry.name, item.entry.version)
            if hash(key) not in self._again:
                continue
            first = joined.get(key)
            joined[key] = item.entry if first is None else combined(first, item.entry)
            if first is not None and first.digest != item.entry.digest and not _grouped(item):
                reason = "the same name and version as an entry before it; the first one is kept"
                self.remarks.append(_remark("lost", item, reason))
        return joined

    def _losses(self) -> None:
        """What the new document cannot say, and which of its entries nobody can start."""
        if self._only_latest:
            reason = "not the latest version of its name, and --latest was given"
            for name, old in self._older:
                self.remarks.append(
                    Remark(
                        kind="lost", place=old.place, name=name, version=old.version, reason=reason
                    )
                )
        for entry in self.entries():
            self.written += 1
            if self.to is Format.TOOLHIVE:
                target = target_of(entry.server)
                if isinstance(target, NotRunnable):
                    self.remarks.append(
                        Remark(
                            kind="note",
                            place="",
                            name=entry.name,
                            version=entry.version,
                            reason=f"kept, but ToolHive cannot run it: {target.reason}",
                        )
                    )
        if self._timed:
            of = "1 entry" if self._timed == 1 else f"{self._timed:,} entries"
            self.remarks.append(
                Remark(
                    kind="lost",
                    place="publishedAt, updatedAt and isLatest",
                    reason=f"a registry says them of {of}; a document has no place for them",
                )
            )


def _grouped(item: Found) -> bool:
    return item.place.startswith(("groups", "data.groups"))


def _remark(kind: str, item: Found, reason: str) -> Remark:
    entry = item.entry
    return Remark(
        kind=kind, place=item.place, name=entry.name, version=entry.version, reason=reason
    )

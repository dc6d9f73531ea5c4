"""The interfaces of the working state of a sync.

In the flow: a fetch brings a mirror up to what its source holds; each registry on that source then compares its
selection with the mirror and writes the difference as a snapshot. Both are derived: lost ones are made again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

import msgspec

from thv.domain.canonical import JsonObject
from thv.domain.entry import Entry
from thv.domain.snapshot import Key


class MirrorRow(msgspec.Struct, frozen=True):
    """One version of one server as the source has it."""

    name: str
    version: str
    digest: str
    content: bytes
    """JSON of `Entry.content`."""
    published_at: str
    updated_at: str
    marked_latest: bool
    deleted: bool
    """The source marked it deleted, or has it no more."""

    def load(self) -> Entry:
        """The entry with the times that the source gave it."""
        return Entry.from_content(
            msgspec.json.decode(self.content),
            published_at=self.published_at,
            updated_at=self.updated_at,
            marked_latest=self.marked_latest,
        )


class Problem(msgspec.Struct, frozen=True):
    """An item of the source that could not be taken."""

    place: str
    name: str
    reason: str


class MirrorState(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about a mirror as a whole."""

    incarnation: str
    """A name made once with the file; another one means that all was lost in between."""
    sequence: int
    """Grows with each change; rows remember the one that changed them last."""
    known: bytes
    """What the source left behind for its next look; only the flow reads it."""
    looked_at: str
    """When the source last answered to the end (RFC 3339)."""
    whole: bool
    """The last run came to its end, so the mirror is one state of the source and not a mixture of two."""
    format: str
    read: int
    """Items that the last complete run offered."""
    rejected: int
    problems: tuple[Problem, ...] = ()


class Mirror(Protocol):
    """All entries of one source, current as of its last fetch."""

    def state(self) -> MirrorState:
        """What is known about the mirror."""
        ...

    def run(
        self, *, complete: bool, document: bool, resumed: bool = False
    ) -> AbstractContextManager[MirrorRun]:
        """A run of staging.

        `complete`: what is not staged is gone, unless the run is left by an exception.
        `document`: a second entry of one key joins the first, where in pages it replaces it.
        `resumed`: goes on where the last run stopped, with what that has counted and seen.
        """
        ...

    def looked(self, known: bytes, at: str) -> None:
        """The source answered and nothing changed."""
        ...

    def changed_names(self, since: int) -> Iterator[str]:
        """Names of which anything changed after that sequence, in byte order."""
        ...

    def rows_of(self, name: str) -> list[MirrorRow]:
        """Every version of a name."""
        ...

    def names(self) -> Iterator[list[MirrorRow]]:
        """Every version of every name, in byte order of the names."""
        ...

    async def settle(self) -> None:
        """Lets others have their turn; called again and again by whoever writes much."""
        ...

    def close(self) -> None:
        """Lets go of the file."""
        ...


class MirrorRun(Protocol):
    """Staging of what one fetch brings."""

    batches: int
    """How many were staged, those of the run that is resumed included."""
    read: int
    """How many items they held."""

    def stage(self, entries: Iterable[Entry], problems: Iterable[Problem], known: bytes) -> None:
        """One batch, durable together with `known` when it returns."""
        ...

    def finish(
        self,
        known: bytes,
        at: str,
        *,
        format_: str,
        entries: Iterable[Entry] = (),
        problems: Iterable[Problem] = (),
    ) -> None:
        """The run came to its end with this batch, and both become durable together.

        The last batch says that everything was read; it must never be kept without what the end means.
        """
        ...


class Mirrors(Protocol):
    """The mirrors of one process."""

    def using(self, key: str) -> AbstractContextManager[Mirror]:
        """The mirror of that key, made when missing."""
        ...

    def prune(self, keep: set[str]) -> None:
        """Removes the mirrors that nobody uses any more."""
        ...


class Selected(msgspec.Struct, frozen=True, kw_only=True):
    """One record of a registry's snapshot as its selection remembers it."""

    name: str
    version: str
    digest: str
    latest: bool = False
    published_at: str = ""
    updated_at: str = ""
    removed_at: str = ""
    """Set on a tombstone."""
    in_base: bool = False
    """A base chunk holds this key, with this or older content."""
    dropped: bool = False
    """Only the base chunk still holds it; the snapshot does not."""
    kind: str = ""
    tier: str = ""
    transport: str = ""
    category: str = ""
    deprecated: bool = False
    tools: int = 0

    @property
    def key(self) -> Key:
        return (self.name, self.version)


class Excluded(msgspec.Struct, frozen=True):
    """Entries of one name that filter and policy keep out."""

    name: str
    filtered: int
    blocked: int
    rules: tuple[str, ...] = ()
    """Those that keep any of them out, as a spec spells their places."""


class Basis(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a selection was made from; when any of it differs, the selection is made anew."""

    mirror: str = ""
    incarnation: str = ""
    sequence: int = 0
    spec_digest: str = ""
    snapshot: str = ""
    """Digest of the snapshot that the selection describes."""


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """Figures over a whole selection."""

    names: int
    versions: int
    tombstones: int
    filtered: int
    blocked: int
    groups: JsonObject = msgspec.field(default_factory=dict)
    """Counts of latest versions: `kind`, `tier`, `transport`, `category` to value to count; `deprecated`,
    `tools` to count."""
    first: tuple[Selected, ...] = ()
    """The first latest versions by name."""


class Selection(Protocol):
    """What one registry's snapshot holds: keys, digests and a few attributes, no content."""

    def basis(self) -> Basis:
        """What it was made from."""
        ...

    def of_name(self, name: str) -> list[Selected]:
        """What is selected of a name, tombstones and dropped ones included."""
        ...

    def names(self) -> Iterator[str]:
        """Every name of which something is selected or excluded, in byte order."""
        ...

    def removed_before(self, time: str) -> list[str]:
        """Names with a tombstone older than that (RFC 3339)."""
        ...

    def digests(self) -> Iterator[tuple[str, str, str]]:
        """Name, version and digest of every record, in key order."""
        ...

    def excluded(self, first: int) -> list[Excluded]:
        """The first names of which something is kept out, in byte order."""
        ...

    def totals(self, first: int) -> Totals:
        """Figures, and the first latest versions by name."""
        ...

    def edit(self) -> AbstractContextManager[SelectionEdit]:
        """Changes that become visible together; not at all when the block ends without `keep`."""
        ...

    async def settle(self) -> None:
        """Lets others have their turn; called after an edit."""
        ...

    def close(self) -> None:
        """Lets go of the file."""
        ...


class SelectionEdit(Protocol):
    """Changes of a selection on their way."""

    def clear(self) -> None:
        """Begins with nothing."""
        ...

    def put(
        self, rows: Iterable[Selected], excluded: Iterable[Excluded] = (), names: Iterable[str] = ()
    ) -> None:
        """Rows in place of those of the same key; `names` are those whose exclusions are said anew."""
        ...

    def forget(self, keys: Iterable[Key]) -> None:
        """Rows that are gone for good."""
        ...

    def all_in_base(self) -> None:
        """The base chunks were written anew: they hold every row, and no dropped one."""
        ...

    def keep(self, basis: Basis) -> None:
        """Makes the changes durable as what this basis gave."""
        ...


class Selections(Protocol):
    """The selections of one process."""

    def using(self, uid: str) -> AbstractContextManager[Selection]:
        """The selection of that registry, made when missing."""
        ...

    def forget(self, uid: str) -> None:
        """Removes the selection of a registry that is gone."""
        ...

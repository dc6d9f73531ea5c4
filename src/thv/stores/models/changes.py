"""What happened to an entry between two snapshots; pure.

In the flow: `build` and `delta` compare, followers read the log. Counts of stars and pulls are no change.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

import msgspec

from thv.stores.models.rows import Key


class ChangeType(StrEnum):
    """What a follower is told."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"
    DEPRECATED = "deprecated"
    RESTORED = "restored"


class Seen(msgspec.Struct, frozen=True):
    """As much of a version as the comparison needs."""

    digest: bytes
    gone: bool
    status: str


def change_between(old: Seen | None, new: Seen | None) -> ChangeType | None:
    """The change of one version; None when followers see the same as before."""
    was, is_ = old is not None and not old.gone, new is not None and not new.gone
    if not was or not is_:
        return _appearance(old, was=was, is_=is_)
    if old == new:
        return None
    if old and new and old.status != new.status:
        return ChangeType.DEPRECATED if new.status == "deprecated" else ChangeType.RESTORED
    return ChangeType.CHANGED


def _appearance(old: Seen | None, *, was: bool, is_: bool) -> ChangeType | None:
    if was:
        return ChangeType.REMOVED
    if not is_:
        return None
    return ChangeType.ADDED if old is None else ChangeType.RESTORED


class Changed(msgspec.Struct, frozen=True):
    """What is written about one version."""

    type: ChangeType
    name: str
    version: str
    digest: bytes


class Comparison:
    """Walks along what was served while new rows come in, both in key order."""

    def __init__(self, old: Iterator[tuple[Key, Seen]], most: int) -> None:
        """`most` changes are gathered, and one more that tells that there were more."""
        self._old = old
        self._most = most
        self._next = next(old, None)
        self.found: list[Changed] = []

    def step(self, key: Key, new: Seen) -> None:
        """The next new row."""
        while self._next is not None and self._next[0] < key:
            self._note(self._next[0], self._next[1], None)
            self._next = next(self._old, None)
        if self._next is not None and self._next[0] == key:
            self._note(key, self._next[1], new)
            self._next = next(self._old, None)
        else:
            self._note(key, None, new)

    def finish(self) -> None:
        """What was served and did not come any more is gone."""
        while self._next is not None:
            self._note(self._next[0], self._next[1], None)
            self._next = next(self._old, None)

    def _note(self, key: Key, old: Seen | None, new: Seen | None) -> None:
        if len(self.found) <= self._most:
            note(self.found, key, old, new)


def note(found: list[Changed], key: Key, old: Seen | None, new: Seen | None) -> None:
    """Adds the change of one version to those found, if it is one."""
    change = change_between(old, new)
    last = new or old
    if change is not None and last is not None:
        found.append(Changed(change, *key, last.digest))

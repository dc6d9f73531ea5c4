"""The resource store in memory, for tests and for runs that keep nothing.

In the flow: one of the kinds of `ResourceStore`. Objects lie as bytes, so that nobody shares a dict with it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TypeVar

import msgspec

from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.domain.resources import metadata_of, uid_of
from thv.stores.resources.base import EventType
from thv.stores.resources.embedded import EmbeddedStore
from thv.stores.resources.pulse import Pulse
from thv.stores.resources.tables import (
    Bookmarks,
    Chances,
    Event,
    Key,
    Retention,
    Row,
    Tables,
)

T = TypeVar("T")

_encode = msgspec.json.encode


class MemoryStore(EmbeddedStore):
    """A `ResourceStore` that forgets everything when it is closed."""

    def __init__(
        self,
        *,
        chances: Chances | None = None,
        retention: Retention | None = None,
        bookmarks: Bookmarks | None = None,
    ) -> None:
        super().__init__(
            _Memory(),
            chances or Chances(),
            retention=retention or Retention(),
            bookmarks=bookmarks or Bookmarks(),
        )


class _StoredEvent(msgspec.Struct, frozen=True):
    version: int
    type: EventType
    key: Key
    body: bytes
    at: datetime


def _decode(body: bytes) -> JsonObject:
    obj: JsonObject = msgspec.json.decode(body)
    return obj


class _Memory:
    """The tables and the only transaction on them; a failed one is undone step by step."""

    def __init__(self) -> None:
        self.pulse = Pulse()
        self._open = True
        self._rows: dict[Key, tuple[int, bytes]] = {}
        self._uids: dict[str, Key] = {}
        self._owned: dict[str, set[Key]] = {}
        self._events: deque[_StoredEvent] = deque()
        self._bytes = 0
        self._version = 0
        self._compacted = 0
        self._undo: list[Callable[[], None]] = []

    # ------------------------------------------------------------ transactions

    def read(self, look: Callable[[Tables], T]) -> T:
        self._must_be_open()
        return look(self)

    @contextmanager
    def writing(self) -> Iterator[Tables]:
        self._must_be_open()
        before = self._version
        self._undo = []
        try:
            yield self
        except BaseException:
            for step in reversed(self._undo):
                step()
            raise
        if self._version != before:
            self.pulse.beat()

    def _must_be_open(self) -> None:
        if not self._open:
            raise ThvError(Code.STORE_UNAVAILABLE, "the resource store was closed")

    def close(self) -> None:
        self._open = False

    # ------------------------------------------------------------ rows

    def get(self, key: Key) -> Row | None:
        found = self._rows.get(key)
        return None if found is None else Row(key, found[0], _decode(found[1]))

    def scan(self, resource: str, namespace: str | None, after: Key | None) -> Iterator[Row]:
        for key in sorted(self._rows):
            if key.resource != resource or namespace not in (None, key.namespace):
                continue
            if after is None or key > after:
                version, body = self._rows[key]
                yield Row(key, version, _decode(body))

    def has_uid(self, uid: str) -> bool:
        return uid in self._uids

    def owned_by(self, uid: str) -> list[Key]:
        return sorted(self._owned.get(uid, ()))

    def put(self, row: Row) -> None:
        self._set(row.key, (row.version, _encode(row.object)))

    def remove(self, key: Key) -> None:
        self._set(key, None)

    def _set(self, key: Key, value: tuple[int, bytes] | None) -> None:
        before = self._rows.get(key)
        self._undo.append(lambda: self._place(key, before))
        self._place(key, value)

    def _place(self, key: Key, value: tuple[int, bytes] | None) -> None:
        old = self._rows.pop(key, None)
        if old is not None:
            self._index(key, _decode(old[1]), present=False)
        if value is not None:
            self._rows[key] = value
            self._index(key, _decode(value[1]), present=True)

    def _index(self, key: Key, obj: JsonObject, *, present: bool) -> None:
        owners = [reference["uid"] for reference in metadata_of(obj).get("ownerReferences") or ()]
        if present:
            self._uids[uid_of(obj)] = key
        else:
            del self._uids[uid_of(obj)]
        for owner in owners:
            dependents = self._owned.setdefault(owner, set())
            dependents.add(key) if present else dependents.discard(key)

    # ------------------------------------------------------------ events

    def version(self) -> int:
        return self._version

    def compacted(self) -> int:
        return self._compacted

    def append(self, event: Event, at: datetime) -> None:
        body = _encode(event.object)
        self._events.append(_StoredEvent(event.version, event.type, event.key, body, at))
        self._bytes += len(body)
        self._version = event.version
        self._undo.append(self._unappend)

    def _unappend(self) -> None:
        self._bytes -= len(self._events.pop().body)
        self._version -= 1

    def events(
        self, since: int, resource: str, namespace: str | None, limit: int
    ) -> tuple[list[Event], int]:
        found: list[Event] = []
        first = since - self._compacted
        for position in range(first, len(self._events)):
            stored = self._events[position]
            if stored.key.resource == resource and namespace in (None, stored.key.namespace):
                found.append(Event(stored.version, stored.type, stored.key, _decode(stored.body)))
                if len(found) == limit:
                    return found, stored.version
        return found, self._version

    def compact(self, retention: Retention, now: datetime) -> None:
        while self._is_surplus(retention, now - retention.age):
            oldest = self._events.popleft()
            self._bytes -= len(oldest.body)
            self._compacted = oldest.version

    def _is_surplus(self, retention: Retention, oldest: datetime) -> bool:
        return bool(self._events) and (
            len(self._events) > retention.events
            or self._bytes > retention.bytes
            or self._events[0].at < oldest
        )

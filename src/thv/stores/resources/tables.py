"""The interface between an embedded store and the place where its rows lie.

In the flow: `embedded` speaks it, each kind of embedded store implements it. A transaction sees rows and the
feed of their changes; one sequence counts the changes and gives every resourceVersion.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Protocol, TypeVar

import msgspec

from thv.domain.canonical import JsonObject
from thv.stores.resources.base import EventType
from thv.stores.resources.machinery import GENERATED_SUFFIX
from thv.stores.resources.pulse import Pulse


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """How much of the past a watch can resume from."""

    events: int = 10_000
    bytes: int = 64 * 1024 * 1024
    age: timedelta = timedelta(hours=1)


class Bookmarks(msgspec.Struct, frozen=True, kw_only=True):
    """How far a quiet watch may lag behind before it says where it is."""

    events: int = 100
    age: timedelta = timedelta(minutes=1)


class Key(msgspec.Struct, frozen=True, order=True):
    """The place of an object."""

    resource: str
    """Plural and group."""
    namespace: str
    name: str


class Row(msgspec.Struct, frozen=True):
    """An object as it lies in a table."""

    key: Key
    version: int
    object: JsonObject


class Event(msgspec.Struct, frozen=True):
    """A change as it lies in a table; a Secret's values are never in it."""

    version: int
    type: EventType
    key: Key
    object: JsonObject


T = TypeVar("T")


class Tables(Protocol):
    """The rows and events of a store, inside a transaction."""

    def version(self) -> int:
        """Of the last change; 0 before the first."""
        ...

    def compacted(self) -> int:
        """Changes up to this version are forgotten."""
        ...

    def get(self, key: Key) -> Row | None:
        """The object at this place."""
        ...

    def scan(self, resource: str, namespace: str | None, after: Key | None) -> Iterator[Row]:
        """The objects behind a place, in the order of their keys."""
        ...

    def has_uid(self, uid: str) -> bool:
        """Whether an object has this uid."""
        ...

    def owned_by(self, uid: str) -> list[Key]:
        """The objects that name this uid as an owner."""
        ...

    def put(self, row: Row) -> None:
        """Writes an object."""
        ...

    def remove(self, key: Key) -> None:
        """Deletes an object."""
        ...

    def append(self, event: Event, at: datetime) -> None:
        """Writes a change; its version is the new last one."""
        ...

    def events(
        self, since: int, resource: str, namespace: str | None, limit: int
    ) -> tuple[list[Event], int]:
        """The next changes of a kind, and the version up to which all were looked at."""
        ...

    def compact(self, retention: Retention, now: datetime) -> None:
        """Forgets the changes that nobody needs to resume from."""
        ...


class Backend(Protocol):
    """Opens transactions on tables."""

    pulse: Pulse

    def read(self, look: Callable[[Tables], T]) -> T:
        """What `look` sees in one consistent view; it may be asked to look again."""
        ...

    def writing(self) -> AbstractContextManager[Tables]:
        """The only writer; everything is written at the end, or nothing."""
        ...

    def close(self) -> None:
        """Releases everything."""
        ...


def _now() -> datetime:
    return datetime.now(UTC)


def _uid() -> str:
    return str(uuid.uuid4())


def _suffix() -> str:
    return "".join(random.choices(GENERATED_SUFFIX, k=5))  # noqa: S311 # no secret


class Chances(msgspec.Struct, frozen=True, kw_only=True):
    """What differs from run to run, given from outside."""

    now: Callable[[], datetime] = _now
    uid: Callable[[], str] = _uid
    suffix: Callable[[], str] = _suffix

"""The interface of a resource store.

In the flow: under everything that reads or writes resources; nothing above knows whether a Kubernetes API
server, a SQLite file or memory answers. Objects are plain JSON; what comes back belongs to the caller.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from enum import StrEnum
from typing import Protocol

import msgspec

from thv.domain.canonical import JsonObject
from thv.domain.resources import Kind, resource_version_of


class ResourceList(msgspec.Struct, frozen=True):
    """Some objects, ordered by namespace and name."""

    items: list[JsonObject]
    resource_version: str
    """Watch from here to see every later change."""
    continue_: str = ""
    """Ask with this for the rest; `""` when there is none."""


class EventType(StrEnum):
    """What happened to an object."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"
    BOOKMARK = "BOOKMARK"
    """Nothing; the object holds only the version to resume from."""


class WatchEvent(msgspec.Struct, frozen=True):
    """One change, with the object as it was after it (for DELETED: at last)."""

    type: EventType
    object: JsonObject

    @property
    def resource_version(self) -> str:
        """Where to resume behind this event."""
        return resource_version_of(self.object)


class ResourceStore(Protocol):
    """Keeps namespaced objects of several kinds, with the semantics of a Kubernetes API server.

    An object without a namespace is in `default`. `manager` names who writes, for the ownership of fields.
    `strict` makes unknown fields errors; otherwise they are dropped. A dry run checks everything and writes
    nothing. Writes that change nothing keep the resourceVersion. Status is written by `apply_status` only, and
    that writes nothing else. Raises `ThvError`: INVALID, CONFLICT, NOT_FOUND and others; retries after a
    CONFLICT are the caller's.
    """

    async def get(self, kind: Kind, namespace: str, name: str) -> JsonObject:
        """The object; raises NOT_FOUND."""
        ...

    async def list(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        selector: str = "",
        name: str = "",
        limit: int = 0,
        continue_: str = "",
        partial: bool = False,
    ) -> ResourceList:
        """The objects of one namespace or of all; raises EXPIRED when `continue_` is too old.

        `name` asks for the object of that name alone, as one must who may read no other. `partial` asks for metadata only; a store to which that saves nothing may give whole objects.
        """
        ...

    def watch(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        since: str,
        selector: str = "",
        name: str = "",
        partial: bool = False,
    ) -> AsyncGenerator[WatchEvent, None]:
        """Every change after the version `since`, for ever; raises EXPIRED when that is too old.

        An object that ceases to match the `selector` is told as DELETED. Close the watch
        (`contextlib.aclosing`) when leaving it early.
        """
        ...

    async def create(
        self, obj: JsonObject, *, manager: str, dry_run: bool = False, strict: bool = True
    ) -> JsonObject:
        """The new object; `generateName` makes a name. Raises ALREADY_EXISTS."""
        ...

    async def replace(
        self, obj: JsonObject, *, manager: str, dry_run: bool = False, strict: bool = True
    ) -> JsonObject:
        """The object with this content; raises CONFLICT when it names another resourceVersion or uid."""
        ...

    async def apply(
        self,
        obj: JsonObject,
        *,
        manager: str,
        force: bool = False,
        dry_run: bool = False,
        strict: bool = True,
    ) -> JsonObject:
        """Server-side apply: creates or changes; CONFLICT names the other managers and their fields."""
        ...

    async def merge(
        self, kind: Kind, namespace: str, name: str, patch: JsonObject, *, manager: str
    ) -> JsonObject:
        """The object after a JSON merge patch (RFC 7386)."""
        ...

    async def apply_status(
        self, obj: JsonObject, *, manager: str, force: bool = True
    ) -> JsonObject:
        """Server-side apply of `status` to an object that exists."""
        ...

    async def delete(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        *,
        uid: str = "",
        resource_version: str = "",
    ) -> None:
        """Deletes the object, or marks it while finalizers hold it; what it owned follows.

        Raises NOT_FOUND, and CONFLICT when it is not the object of `uid` or `resource_version`.
        """
        ...

    async def close(self) -> None:
        """Releases what the store holds; watches end with STORE_UNAVAILABLE."""
        ...

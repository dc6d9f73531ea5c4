"""A resource store inside this process: the verbs of the machinery over the rows of a table.

In the flow: between the callers of a store and the place where rows lie. Each verb is one transaction: read the
live object, let the machinery make the next one, write it with its event. The kinds differ only in their
`Tables`.
"""

from __future__ import annotations

import base64
import copy
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from datetime import UTC
from itertools import islice
from typing import Self, TypeAlias

import msgspec

from thv.domain.access import OWNER, Caller
from thv.domain.admission import Operation, Write, admit
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.domain.resources import (
    GROUP,
    SECRET,
    Kind,
    find_kind,
    kind_of,
    labels_of,
    metadata_of,
    name_of,
    namespace_of,
    uid_of,
)
from thv.domain.selectors import Selector, parse_selector
from thv.stores.resources import machinery
from thv.stores.resources.base import EventType, ResourceList, WatchEvent
from thv.stores.resources.definitions import Definition, definition_of
from thv.stores.resources.machinery import Request
from thv.stores.resources.tables import (
    Backend,
    Bookmarks,
    Chances,
    Event,
    Key,
    Retention,
    Row,
    Tables,
)

DEFAULT_NAMESPACE = "default"

News: TypeAlias = tuple[list[WatchEvent], int]
"""The next events of a watch, and how far they reach."""


class Wanted(msgspec.Struct, frozen=True):
    """Which objects a read asks for."""

    selector: Selector
    name: str = ""

    def matches(self, obj: JsonObject) -> bool:
        """Whether an object is asked for."""
        return self.name in ("", name_of(obj)) and self.selector.matches(labels_of(obj))


NAME_ATTEMPTS = 8
BATCH = 200


class EmbeddedStore:
    """A `ResourceStore` over tables."""

    def __init__(
        self,
        backend: Backend,
        chances: Chances,
        *,
        retention: Retention,
        bookmarks: Bookmarks,
    ) -> None:
        self._backend = backend
        self._chances = chances
        self._retention = retention
        self._bookmarks = bookmarks
        self._caller = OWNER

    def acting_as(self, caller: Caller) -> Self:
        """The same store for somebody else, whose writes the admission policies judge by their rights."""
        other = copy.copy(self)
        other._caller = caller  # noqa: SLF001 # of a copy of ourselves
        return other

    # ------------------------------------------------------------ reading

    async def get(self, kind: Kind, namespace: str, name: str) -> JsonObject:
        return self._backend.read(lambda tables: _existing(tables, kind, namespace, name).object)

    async def list(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        selector: str = "",
        name: str = "",
        limit: int = 0,
        continue_: str = "",
        partial: bool = False,  # noqa: ARG002 # whole objects cost nothing here
    ) -> ResourceList:
        wanted = Wanted(parse_selector(selector), name)
        page = _page(continue_) if continue_ else None
        return self._backend.read(
            lambda tables: _listed(tables, kind, namespace, wanted, limit=limit, page=page)
        )

    async def watch(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        since: str,
        selector: str = "",
        name: str = "",
        partial: bool = False,  # noqa: ARG002 # whole objects cost nothing here
    ) -> AsyncGenerator[WatchEvent, None]:
        wanted = Wanted(parse_selector(selector), name)
        cursor = told = _version(since)
        told_at = self._chances.now()
        while True:
            beats = self._backend.pulse.beats
            events, cursor = self._news(kind, namespace or None, cursor)
            for event in _selected(events, wanted):
                yield event
            now = self._chances.now()
            if events:
                told, told_at = int(events[-1].resource_version), now
            elif cursor - told >= self._bookmarks.events or (
                cursor > told and now - told_at >= self._bookmarks.age
            ):
                yield _bookmark(kind, cursor)
                told, told_at = cursor, now
            else:
                await self._backend.pulse.beyond(beats)

    def _news(self, kind: Kind, namespace: str | None, since: int) -> News:
        return self._backend.read(lambda tables: _news(tables, kind, namespace, since))

    # ------------------------------------------------------------ writing

    async def create(
        self, obj: JsonObject, *, manager: str, dry_run: bool = False, strict: bool = True
    ) -> JsonObject:
        definition, request = self._asked(obj, manager, strict=strict)
        with self._writing() as tables:
            named = self._named(tables, definition, obj)
            new = machinery.created(definition, named, request, uid=self._chances.uid())
            _must_not_exist(tables, definition.kind, new)
            self._admit("CREATE", definition, new, None)
            return new if dry_run else self._stored(tables, definition, new)

    async def replace(
        self, obj: JsonObject, *, manager: str, dry_run: bool = False, strict: bool = True
    ) -> JsonObject:
        definition, request = self._asked(obj, manager, strict=strict)
        with self._writing() as tables:
            live = _live(tables, definition, obj)
            new = machinery.replaced(definition, live, obj, request)
            self._admit("UPDATE", definition, new, live)
            return new if dry_run or new is live else self._stored(tables, definition, new)

    async def apply(
        self,
        obj: JsonObject,
        *,
        manager: str,
        force: bool = False,
        dry_run: bool = False,
        strict: bool = True,
    ) -> JsonObject:
        definition, request = self._asked(obj, manager, strict=strict, force=force)
        with self._writing() as tables:
            placed = _placed(obj)
            row = tables.get(_key(definition.kind, placed))
            live = row.object if row is not None else None
            uid = self._chances.uid() if live is None else ""
            new = machinery.apply(definition, live, placed, request, uid=uid)
            self._admit("CREATE" if live is None else "UPDATE", definition, new, live)
            return new if dry_run or new is live else self._stored(tables, definition, new)

    async def merge(
        self, kind: Kind, namespace: str, name: str, patch: JsonObject, *, manager: str
    ) -> JsonObject:
        definition = definition_of(kind)
        request = Request(manager=manager, now=self._time())
        with self._writing() as tables:
            live = _existing(tables, kind, namespace, name).object
            new = machinery.merged(definition, live, patch, request)
            self._admit("UPDATE", definition, new, live)
            return new if new is live else self._stored(tables, definition, new)

    async def apply_status(
        self, obj: JsonObject, *, manager: str, force: bool = True
    ) -> JsonObject:
        definition, request = self._asked(obj, manager, force=force)
        _must_have_status(definition, obj)
        with self._writing() as tables:
            live = _live(tables, definition, obj)
            new = machinery.status_applied(definition, live, _placed(obj), request)
            self._admit("UPDATE", definition, new, live, part="/status")
            return new if new is live else self._stored(tables, definition, new)

    async def delete(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        *,
        uid: str = "",
        resource_version: str = "",
    ) -> None:
        definition = definition_of(kind)
        with self._writing() as tables:
            live = _existing(tables, kind, namespace, name).object
            machinery.check_preconditions(
                definition, live, uid=uid, resource_version=resource_version
            )
            self._admit("DELETE", definition, None, live)
            self._deleted(tables, definition, live)

    async def close(self) -> None:
        self._backend.close()
        self._backend.pulse.beat()

    # ------------------------------------------------------------ steps of a write

    def _asked(
        self, obj: JsonObject, manager: str, *, strict: bool = True, force: bool = False
    ) -> tuple[Definition, Request]:
        request = Request(manager=manager, now=self._time(), strict=strict, force=force)
        return definition_of(kind_of(obj)), request

    def _admit(
        self,
        operation: Operation,
        definition: Definition,
        new: JsonObject | None,
        live: JsonObject | None,
        *,
        part: str = "",
    ) -> None:
        """Raises FORBIDDEN or INVALID for what the caller must not write."""
        if definition.kind.group != GROUP:
            return
        admit(
            Write(
                operation=operation,
                resource=definition.kind.plural + part,
                namespace=namespace_of(new or live or {}),
                object=new,
                old=live,
                caller=self._caller,
            )
        )

    @contextmanager
    def _writing(self) -> Iterator[Tables]:
        with self._backend.writing() as tables:
            before = tables.version()
            yield tables
            if tables.version() != before:
                tables.compact(self._retention, self._chances.now())

    def _time(self) -> str:
        return self._chances.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _named(self, tables: Tables, definition: Definition, obj: JsonObject) -> JsonObject:
        """The object in its namespace, with a free name where it only says how names begin."""
        placed = _placed(obj)
        base = metadata_of(placed).get("generateName")
        if name_of(placed) or not isinstance(base, str) or not base:
            return placed
        for _ in range(NAME_ATTEMPTS):
            name = machinery.generated_name(base, self._chances.suffix())
            placed = {**placed, "metadata": {**metadata_of(placed), "name": name}}
            if tables.get(_key(definition.kind, placed)) is None:
                break
        return placed

    def _stored(self, tables: Tables, definition: Definition, obj: JsonObject) -> JsonObject:
        """Writes what a verb made; an object that only waited for its finalizers is gone now."""
        if machinery.is_finished(obj):
            self._removed(tables, definition, obj)
            return obj
        key = _key(definition.kind, obj)
        kind = EventType.MODIFIED if tables.get(key) is not None else EventType.ADDED
        stored = self._recorded(tables, kind, key, obj)
        tables.put(Row(key, int(metadata_of(stored)["resourceVersion"]), stored))
        if _is_orphan(tables, stored):
            self._deleted(tables, definition, stored)
        return stored

    def _deleted(self, tables: Tables, definition: Definition, live: JsonObject) -> None:
        request = Request(manager="", now=self._time())
        waiting = machinery.deleted(definition, live, request)
        if waiting is None:
            self._removed(tables, definition, live)
        elif waiting is not live:
            self._stored(tables, definition, waiting)

    def _removed(self, tables: Tables, definition: Definition, live: JsonObject) -> None:
        key = _key(definition.kind, live)
        tables.remove(key)
        self._recorded(tables, EventType.DELETED, key, live)
        for dependent in tables.owned_by(uid_of(live)):
            self._collected(tables, dependent)

    def _collected(self, tables: Tables, key: Key) -> None:
        """Background garbage collection: what no owner is left of goes, what has another loses the reference."""
        row = tables.get(key)
        if row is None:
            return
        definition = definition_of(kind_of(row.object))
        if _is_orphan(tables, row.object):
            self._deleted(tables, definition, row.object)
            return
        gone = {uid for uid in _owner_uids(row.object) if not tables.has_uid(uid)}
        request = Request(manager="garbage-collector", now=self._time())
        self._stored(
            tables, definition, machinery.without_owners(definition, row.object, gone, request)
        )

    def _recorded(self, tables: Tables, kind: EventType, key: Key, obj: JsonObject) -> JsonObject:
        """Appends the event of a change; returns the object with its new version."""
        version = tables.version() + 1
        metadata = dict(sorted({**metadata_of(obj), "resourceVersion": str(version)}.items()))
        stored = {**obj, "metadata": metadata}
        event = Event(version, kind, key, _without_secrets(key, stored))
        tables.append(event, self._chances.now())
        return stored


# ---------------------------------------------------------------- looking up


def _placed(obj: JsonObject) -> JsonObject:
    """The object in its namespace."""
    if namespace_of(obj):
        return obj
    return {**obj, "metadata": {**metadata_of(obj), "namespace": DEFAULT_NAMESPACE}}


def _key(kind: Kind, obj: JsonObject) -> Key:
    return Key(kind.resource, namespace_of(obj) or DEFAULT_NAMESPACE, name_of(obj))


def _live(tables: Tables, definition: Definition, obj: JsonObject) -> JsonObject:
    return _existing(tables, definition.kind, namespace_of(obj), name_of(obj)).object


def _existing(tables: Tables, kind: Kind, namespace: str, name: str) -> Row:
    key = Key(kind.resource, namespace or DEFAULT_NAMESPACE, name)
    row = tables.get(key)
    if row is None:
        raise ThvError(
            Code.NOT_FOUND,
            f'{kind.subject(name)} not found in namespace "{key.namespace}"',
            hint="Check the name and the namespace, or create it first.",
            details={"kind": kind.kind, "namespace": key.namespace, "name": name},
        )
    return row


def _must_not_exist(tables: Tables, kind: Kind, obj: JsonObject) -> None:
    key = _key(kind, obj)
    if tables.get(key) is not None:
        raise ThvError(
            Code.ALREADY_EXISTS,
            f'{kind.subject(key.name)} already exists in namespace "{key.namespace}"',
            hint="Choose another name, or apply to change the object that exists.",
            details={"kind": kind.kind, "namespace": key.namespace, "name": key.name},
        )


def _must_have_status(definition: Definition, obj: JsonObject) -> None:
    if not definition.has_status:
        raise ThvError(
            Code.INVALID, f"{definition.kind.subject(name_of(obj))} is of a kind without status"
        )


def _owner_uids(obj: JsonObject) -> list[str]:
    return [reference["uid"] for reference in metadata_of(obj).get("ownerReferences") or ()]


def _is_orphan(tables: Tables, obj: JsonObject) -> bool:
    """Whether every owner is gone; an owner of a kind that this store does not keep is taken to exist."""
    owners = metadata_of(obj).get("ownerReferences") or ()
    return bool(owners) and not any(
        find_kind(owner["apiVersion"], owner["kind"]) is None or tables.has_uid(owner["uid"])
        for owner in owners
    )


# ---------------------------------------------------------------- events and pages


def _without_secrets(key: Key, obj: JsonObject) -> JsonObject:
    if key.resource != SECRET.resource:
        return obj
    return {field: value for field, value in obj.items() if field != "data"}


def _news(tables: Tables, kind: Kind, namespace: str | None, since: int) -> News:
    _must_know(tables, since, "the watch starts")
    while True:
        found, since = tables.events(since, kind.resource, namespace, BATCH)
        shown = [event for event in (_shown(tables, change) for change in found) if event]
        if shown or len(found) < BATCH:
            return shown, since


def _shown(tables: Tables, event: Event) -> WatchEvent | None:
    """What a watch tells of a change. Values of a Secret are told once, as they are; older changes of it are not."""
    if event.key.resource != SECRET.resource or event.type is EventType.DELETED:
        return WatchEvent(event.type, event.object)
    row = tables.get(event.key)
    current = row is not None and row.version == event.version
    return WatchEvent(event.type, row.object) if row is not None and current else None


def _selected(events: list[WatchEvent], wanted: Wanted) -> Iterator[WatchEvent]:
    """What a watch with a selector tells: an object that ceases to match is gone for it."""
    for event in events:
        if wanted.matches(event.object):
            yield event
        elif event.type is EventType.MODIFIED and wanted.name in ("", name_of(event.object)):
            yield WatchEvent(EventType.DELETED, event.object)


def _bookmark(kind: Kind, version: int) -> WatchEvent:
    obj = {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {"resourceVersion": str(version)},
    }
    return WatchEvent(EventType.BOOKMARK, obj)


def _version(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ThvError(Code.INVALID, f'"{text}" is no resourceVersion of this store')
    return int(text)


def _must_know(tables: Tables, version: int, what: str) -> None:
    """Raises EXPIRED for a version that was forgotten, or that this store never had."""
    if tables.compacted() <= version <= tables.version():
        return
    raise ThvError(
        Code.EXPIRED,
        f"resourceVersion {version}, where {what}, is too old or of another store",
        hint="List again and go on from the version of that list.",
    )


class Page(msgspec.Struct, frozen=True, array_like=True):
    """Where a list goes on."""

    version: int
    after: Key | None = None


def _listed(
    tables: Tables,
    kind: Kind,
    namespace: str | None,
    wanted: Wanted,
    *,
    limit: int,
    page: Page | None,
) -> ResourceList:
    """One page. Later pages show what is there then; the version stays, so that a watch tells the difference."""
    page = page or Page(tables.version())
    _must_know(tables, page.version, "the list began")
    rows = tables.scan(kind.resource, namespace or None, page.after)
    matching = (row for row in rows if wanted.matches(row.object))
    found = list(islice(matching, limit + 1)) if limit else list(matching)
    items = found[:limit] if limit else found
    rest = _token(page.version, items[-1].key) if len(found) > len(items) else ""
    return ResourceList([row.object for row in items], str(page.version), rest)


def _token(version: int, after: Key | None) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(Page(version, after))).decode()


def _page(token: str) -> Page:
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(token), type=Page)
    except (ValueError, msgspec.MsgspecError) as error:
        raise ThvError(Code.INVALID, "the continue token is not one of this store") from error

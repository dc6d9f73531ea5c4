"""The servers that are installed, and how they stand to their registries.

In the flow: behind `thv list`. On a cluster servers of both groups are one list. Of a registry that cannot be read from
here nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from thv.apps.cli.exits import CommandError
from thv.apps.cli.installing import no_kind, one_of_each_group
from thv.apps.cli.reading import Book, open_book
from thv.apps.cli.registries import FILES, Shelf, every
from thv.apps.cli.session import Session
from thv.catalog.installed import (
    Drift,
    Installed,
    Offer,
    drift_of,
    installed_of,
    is_called,
    is_from,
)
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.domain.resources import SERVER_KINDS, Kind, name_of
from thv.stores.models import lookup
from thv.stores.models.query import LATEST


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """An installed server, and how it stands to its registry."""

    kind: Kind
    obj: JsonObject
    installed: Installed
    drift: Drift = Drift.UNKNOWN
    latest: str = ""
    """The version that the registry has now, `""` where that is not known."""


async def servers(session: Session, namespace: str | None, selector: str = "") -> list[Standing]:
    """The servers of a namespace, or of all, by namespace and name; no registry is looked into."""
    found = await _objects(session, namespace, selector=selector)
    rows = [Standing(kind=kind, obj=obj, installed=installed_of(obj)) for kind, obj in found]
    return sorted(rows, key=lambda row: (row.installed.namespace, row.installed.name))


async def standing(session: Session, namespace: str | None, selector: str = "") -> list[Standing]:
    """The same, compared with their registries."""
    rows = await servers(session, namespace, selector)
    books = await _books(session, [row.installed for row in rows])
    return [_compared(books, row) for row in rows]


async def origin_of(session: Session, name: str) -> Installed | None:
    """The installed server of that name, where there is one that says where it came from."""
    try:
        found = await _objects(session, session.namespace, name=name)
    except ThvError:  # who asks has a better error already
        return None
    fleet = [installed_of(obj) for _, obj in found]
    return next((each for each in fleet if each.registry and each.server), None)


async def installed_names(session: Session) -> list[str]:
    """Of the servers of the namespace, as far as they may be seen."""
    try:
        return sorted(name_of(obj) for _, obj in await _objects(session, session.namespace))
    except ThvError:  # completion says nothing
        return []


async def _objects(
    session: Session, namespace: str | None, *, selector: str = "", name: str = ""
) -> list[tuple[Kind, JsonObject]]:
    kinds = await session.place.known(SERVER_KINDS)
    if not kinds:
        raise no_kind(session)
    store = session.place.resources
    return [
        (kind, obj)
        for kind in one_of_each_group(kinds)
        for obj in (await store.list(kind, namespace, selector=selector, name=name)).items
    ]


# Registries ------------------------------------------------------------------------------------------------


async def _books(session: Session, fleet: Sequence[Installed]) -> list[Book]:
    """The registries that servers name, as far as they can be read."""
    named = [each for each in fleet if each.registry]
    if not named:
        return []
    shelves = [shelf for shelf in await _shelves(session) if _is_named(shelf, named)]
    books = [await _book(session, shelf) for shelf in shelves]
    return [book for book in books if book is not None]


async def _shelves(session: Session) -> list[Shelf]:
    """Of all namespaces, or of this one where one may not look further."""
    try:
        return await every(session, all_namespaces=True)
    except ThvError as error:
        if error.code is Code.FORBIDDEN:
            return await every(session)
        raise


def _is_named(shelf: Shelf, fleet: Iterable[Installed]) -> bool:
    return any(came_from(each, shelf) for each in fleet)


def came_from(installed: Installed, shelf: Shelf) -> bool:
    """A server that names no namespace came from its own, or from a file."""
    if is_from(installed, shelf.namespace, shelf.name):
        near = shelf.namespace in (installed.namespace, FILES)
        return bool(installed.registry_namespace) or near
    return False


async def _book(session: Session, shelf: Shelf) -> Book | None:
    try:
        return await open_book(session, shelf)
    except ThvError as error:
        if isinstance(error, CommandError) or error.code not in (Code.FORBIDDEN, Code.LOCKED):
            raise
        session.console.detail(f"{shelf.title} cannot be read: {error.message}")
        return None


# How they stand --------------------------------------------------------------------------------------------


def _compared(books: Sequence[Book], row: Standing) -> Standing:
    installed = row.installed
    book = next((book for book in books if came_from(installed, book.shelf)), None)
    if book is None:
        return row
    server = _server(book, installed)
    if server is None:
        return msgspec.structs.replace(row, drift=Drift.GONE)
    latest = _offer(book, server.name, LATEST)
    same = _offer(book, server.name, installed.version) if installed.version else None
    return msgspec.structs.replace(
        row,
        drift=drift_of(installed, same, latest),
        latest=latest.version if latest else "",
    )


def _server(book: Book, installed: Installed) -> lookup.Server | None:
    """By the exact name, or by the label that stands for a longer one."""
    found = lookup.labelled(book.view, installed.server)
    return found if found is not None and is_called(installed, found.key) else None


def _offer(book: Book, name: str, version: str) -> Offer | None:
    found = lookup.runs(book.view, name, version)
    return Offer(*found) if found else None

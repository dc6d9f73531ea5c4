"""The read models of registries, opened for reading and in step with their snapshots.

In the flow: behind every command that looks into registries. A running server keeps the models in step; without
one, the command that looks does it first.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from functools import partial
from pathlib import Path

import msgspec

from thv.apps.cli.exits import CommandError
from thv.apps.cli.loader import load
from thv.apps.cli.registries import Shelf
from thv.apps.cli.session import Session
from thv.domain.errors import Code, ThvError
from thv.domain.snapshot import SnapshotRef
from thv.domain.times import render_time
from thv.stores.chunks.base import Owner
from thv.stores.models.cache import Cache
from thv.stores.models.publish import content_tag
from thv.stores.models.query import Own
from thv.stores.models.view import Model, View

_CACHE_BYTES = 4 << 20
_PATIENCE = 100
"""Looks, a tenth of a second apart, while another process writes a model."""


class Book(msgspec.Struct, frozen=True, kw_only=True):
    """A registry with the content that it serves."""

    shelf: Shelf
    view: View

    @property
    def name(self) -> str:
        return self.shelf.name

    @property
    def trust(self) -> str:
        return self.shelf.registry.spec.trust_level.value

    @property
    def own(self) -> Own:
        return Own(self.shelf.namespace, self.shelf.name, self.trust)


async def open_books(session: Session, shelves: list[Shelf]) -> list[Book]:
    """The registries that serve something; says of the others that they do not."""
    books: list[Book] = []
    for shelf in shelves:
        book = await open_book(session, shelf)
        if book is None:
            todo = shelf.command("registry", "sync", shelf.name)
            session.console.step("note", f"{shelf.title} serves nothing yet. Try: {todo}")
        else:
            books.append(book)
    return books


async def require_book(session: Session, shelf: Shelf) -> Book:
    """The registry with its content; raises when it has none."""
    book = await open_book(session, shelf)
    if book is None:
        raise CommandError(
            Code.NOT_FOUND,
            f"{shelf.title} was never synchronized, so it holds nothing yet",
            tries=[shelf.command("registry", "sync", shelf.name)],
        )
    return book


async def open_book(session: Session, shelf: Shelf) -> Book | None:
    """The registry with its content, brought up to date; None before its first snapshot."""
    ref = shelf.registry.status.snapshot
    if ref is None:
        return None
    folder = shelf.place.models / shelf.registry.uid
    model = _opened(folder)
    if shelf.place.on_cluster and model is not None:
        os.utime(folder)  # what nobody looks into for a while is removed
    if model is None or model.current.content != content_tag(ref):
        model = await _brought_up(session, shelf, folder, ref, model)
    return Book(shelf=shelf, view=model.view())


def _opened(folder: Path) -> Model | None:
    try:
        return Model.open(folder, Cache(_CACHE_BYTES))
    except (sqlite3.Error, TypeError):  # damaged, or of another version: it is built anew
        return None


async def _brought_up(
    session: Session, shelf: Shelf, folder: Path, ref: SnapshotRef, old: Model | None
) -> Model:
    """Applies the snapshot; while another process does so, what was there before is read."""
    for _ in range(_PATIENCE):
        try:
            await _apply(shelf, folder, ref)
        except ThvError as error:
            if error.code is not Code.LOCKED:
                raise
            if old is not None:
                return old
            await asyncio.sleep(0.1)
        model = _opened(folder)
        if model is not None:
            return model
    session.console.detail(f"the read model of {shelf.title} lies in {folder}")
    raise ThvError(
        Code.LOCKED,
        f"another process is still preparing {shelf.title}",
        hint="Try again in a moment.",
    )


async def _apply(shelf: Shelf, folder: Path, ref: SnapshotRef) -> None:
    """Imported only when it is needed: most commands find the model as it should be."""
    apply = load("thv.stores.models.apply:apply")
    moment = load("thv.stores.models.work:Moment")
    place, registry = shelf.place, shelf.registry
    now = place.clock()
    await apply(
        folder,
        ref,
        partial(place.chunks.get, Owner(registry.namespace, registry.name, registry.uid)),
        taxonomy=place.taxonomy,
        at=moment(render_time(now, milliseconds=True), now.timestamp()),
    )

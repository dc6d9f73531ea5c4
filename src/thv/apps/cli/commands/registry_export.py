"""`thv registry export`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from thv.apps.cli.command import command
from thv.apps.cli.completion import registry_names
from thv.apps.cli.interrupting import interruptible
from thv.apps.cli.options import option
from thv.apps.cli.output import counted
from thv.apps.cli.reading import Book, require_book
from thv.apps.cli.registries import find
from thv.apps.cli.session import Session
from thv.apps.cli.writing import STDOUT, require_writable, write_out
from thv.domain.entry import Entry
from thv.formats.documents import (
    Format,
    Head,
    official_document,
    toolhive_document,
    versioned_key,
)
from thv.stores.models import export as reading


@command(
    "export",
    examples=(
        "thv registry export upstream-community --format toolhive --output exported.json",
        "thv registry export corp --format upstream | gzip > corp.json.gz",
    ),
    served="thv.apps.cli.served.lists:export",
)
@click.argument("name", shell_complete=registry_names)
@option(
    "--format",
    "format_",
    type=click.Choice([each.value for each in Format]),
    help="Format of the document; default: the one that the source has.",
)
@option(
    "--output",
    "file",
    default=STDOUT,
    metavar="FILE",
    help="File to write, - for the output (default).",
)
@option("--latest", is_flag=True, help="Only the latest version of each server.")
async def export(
    session: Session, *, name: str, format_: str | None, file: str, latest: bool
) -> None:
    """Write what a registry serves as one document.

    The document is read back without loss by `thv registry add --file`, `import` and `convert`. The same content
    gives the same bytes. A ToolHive document has one key a server: its older versions are NAME@VERSION.
    """
    if file != STDOUT:
        require_writable(Path(file))
    book = await require_book(session, await find(session, name))
    chosen = Format(format_ or book.shelf.registry.status.sync_status.format or Format.TOOLHIVE)
    with interruptible():
        size = write_out(session.console, file, _document(book, chosen, latest=latest))
    _remark(session, book, chosen, file, size, latest=latest)


def _document(book: Book, format_: Format, *, latest: bool) -> Iterator[bytes]:
    """Piece by piece; a writer passes over the entries more than once."""
    view = book.view
    head = Head(version="1.0.0", last_updated=view.generation.created_at)

    def entries() -> Iterable[Entry]:
        return reading.entries(view, latest=latest)

    if format_ is Format.TOOLHIVE:
        return toolhive_document(entries, head, key=_key)
    return official_document(entries, head)


def _key(entry: Entry) -> str | None:
    return None if entry.marked_latest else versioned_key(entry)


def _remark(
    session: Session, book: Book, format_: Format, file: str, size: int, *, latest: bool
) -> None:
    console, generation = session.console, book.view.generation
    older = generation.versions - generation.servers
    if older and latest:
        console.step("note", f"{counted(older, 'older version')} left out")
    elif older and format_ is Format.TOOLHIVE:
        versions = counted(older, "older version")
        console.step("note", f"{versions} as NAME@VERSION; --latest leaves them out")
    if file != STDOUT:
        written = generation.servers if latest else generation.versions
        entries = counted(written, "entry", "entries")
        console.step(
            "ok", f"wrote {entries} of {book.shelf.title} to {file} ({size:,} bytes, {format_})"
        )

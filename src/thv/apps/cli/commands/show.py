"""`thv show`, and its alias `thv registry info`."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from thv.apps.cli.command import Command, command
from thv.apps.cli.completion import registry_names, server_names
from thv.apps.cli.exits import CommandError
from thv.apps.cli.finding import publication_of
from thv.apps.cli.loader import load
from thv.apps.cli.locating import Located, locate, versions_of
from thv.apps.cli.options import option
from thv.apps.cli.output import age, print_value
from thv.apps.cli.portrait import DIGEST, Portrait, Sitter, tools_of
from thv.apps.cli.reading import Book, open_book, open_books, require_book
from thv.apps.cli.registries import every, find
from thv.apps.cli.session import Session
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code
from thv.domain.facts import facts_of
from thv.stores.models import lookup
from thv.stores.models.bodies import MARK
from thv.stores.models.query import Form

_OUTPUTS = ("text", "json", "yaml", "toolhive", "upstream")
_PARTS = {
    "tools": "--tools",
    "permissions": "--permissions",
    "versions": "--versions",
    "provenance": "--provenance",
}


async def _show(
    session: Session,
    *,
    name: str,
    registry: str | None,
    include_registry_info: bool,
    tools: bool,
    permissions: bool,
    versions: bool,
    provenance: bool,
) -> None:
    given = (tools, permissions, versions, provenance)
    parts = [part for part, wanted in zip(_PARTS, given, strict=False) if wanted]
    if len(parts) > 1:
        flags = " and ".join(_PARTS[part] for part in parts)
        raise CommandError(Code.INVALID, f"{flags} exclude each other", tries=["give one of them"])
    located = await _located(session, name, registry)
    part = parts[0] if parts else ""
    if session.output == "text":
        portrait = Portrait(session.console, _sitter(session, located))
        portrait.part(part, info=include_registry_info)
        _remark(session, located)
    else:
        value = _value(session, located, part, info=include_registry_info)
        print_value(value, session.output, session.console)


async def _located(session: Session, name: str, registry: str | None) -> Located:
    """The server of that name, or the one that a server installed under that name came from."""
    try:
        return locate(await _books(session, registry), name)
    except CommandError as error:
        if error.code is not Code.NOT_FOUND or registry:
            raise
        installed = await load("thv.apps.cli.fleet:origin_of")(session, name)
        if installed is None:
            raise
    space = f"{installed.registry_namespace}/" if installed.registry_namespace else ""
    shelf = await load("thv.apps.cli.picking:shelf_of")(session, space + installed.registry)
    version = f"@{installed.version}" if installed.version else ""
    session.console.step(
        "note", f"{name} is an installed server: {installed.server}{version} of {shelf.title}"
    )
    return locate([await require_book(session, shelf)], installed.server + version)


async def _books(session: Session, registry: str | None) -> list[Book]:
    if registry:
        return [await require_book(session, await find(session, registry))]
    shelves = await every(session)
    if not shelves:
        raise CommandError(
            Code.NOT_FOUND,
            f'there is no registry in the namespace "{session.namespace}"',
            tries=["thv registry add NAME --file FILE", "thv dev"],
        )
    opened = [await open_book(session, shelf) for shelf in shelves]
    books = [book for book in opened if book is not None]
    # Only when nothing serves anything is that of interest to somebody who looks for one server.
    return books or await open_books(session, shelves)


def _sitter(session: Session, located: Located) -> Sitter:
    entry = lookup.read(located.book.view, located.version).entry
    return Sitter(
        entry=entry,
        facts=facts_of(entry, session.local.taxonomy),
        toolhive=_toolhive(located),
        registries=_registries(located),
        about=_about(located.book),
        versions=versions_of(located.book, located.server),
    )


def _registries(located: Located) -> str:
    book = located.book
    also = ", ".join(f"{other.name} ({other.trust})" for other in located.others)
    return f"{book.name} ({book.trust})" + (f"; also in {also}" if also else "")


def _about(book: Book) -> list[tuple[str, str]]:
    registry = book.shelf.registry
    synced = age(registry.status.sync_status.last_sync_time, book.shelf.place.clock())
    return [
        ("Name", f"{book.shelf.namespace}/{book.name}"),
        ("Title", registry.spec.display_name),
        ("Trust", book.trust),
        ("Source", registry.spec.source.type.value),
        ("Synchronized", f"{synced} ago" if synced else "never"),
        ("Snapshot", book.view.generation.digest[:DIGEST]),
    ]


def _value(session: Session, located: Located, part: str, *, info: bool) -> JsonObject:
    """What `-o` prints of it."""
    match part, session.output:
        case "tools", _:
            return {"name": located.server.key, "tools": tools_of(_sitter(session, located))}
        case "versions", _:
            return {"name": located.server.key, "versions": _versions(located)}
        case (("permissions" | "provenance"), _):
            found = _toolhive(located).get(part) or {}
            return {"name": located.server.key, part: found}
        case _, "upstream":
            return _upstream(located, info=info)
        case _, "toolhive":
            return _plain(located, info=info)
        case _:
            return _toolhive(located)


def _versions(located: Located) -> list[JsonObject]:
    every_version = versions_of(located.book, located.server)
    return [{"version": each.version, "is_latest": each.latest} for each in every_version]


def _toolhive(located: Located) -> JsonObject:
    """The entry in ToolHive's form with its name and what the registry says of it."""
    view, version = located.book.view, located.version
    body, _ = lookup.toolhive_body(
        view, view.model.body(Form.OFFICIAL, version.place, version.size)
    )
    sealed = body.replace(MARK, publication_of(located.book).toolhive())
    entry: JsonObject = msgspec.json.decode(sealed)
    return entry


def _plain(located: Located, *, info: bool) -> JsonObject:
    """As a ToolHive document holds it, under its key."""
    entry = _toolhive(located)
    left_out = {"name"} if info else {"name", "registry_info"}
    kept = {key: value for key, value in entry.items() if key not in left_out}
    return {located.server.key: kept}


def _upstream(located: Located, *, info: bool) -> JsonObject:
    """The server.json, or with the registry's word an item of the official API."""
    view, version = located.book.view, located.version
    body = view.model.body(Form.OFFICIAL, version.place, version.size)
    sealed = body.replace(MARK, publication_of(located.book).official())
    item: JsonObject = msgspec.json.decode(sealed)
    server: JsonObject = item["server"]
    return item if info else server


def _remark(session: Session, located: Located) -> None:
    """Where to go on."""
    console = session.console
    for other in located.others:
        console.hint(
            f"Also in {other.name}: {other.shelf.command('show', located.server.key, '--registry', other.name)}"
        )
    if located.others:
        return
    name = located.server.key
    console.hint(f"As a file: {located.book.shelf.command('show', name, '-o', 'upstream')}")


_PARAMETERS = (
    click.argument("name", metavar="NAME[@VERSION]", shell_complete=server_names),
    option("--registry", metavar="R", help="Only in this registry.", shell_complete=registry_names),
    option("--include-registry-info", is_flag=True, help="Say more about the registry."),
    option("--tools", is_flag=True, help="Only its tools."),
    option("--permissions", is_flag=True, help="Only what it may do."),
    option("--versions", is_flag=True, help="Only its versions."),
    option("--provenance", is_flag=True, help="Only who is said to have built it."),
)


def _command(name: str, program: str) -> Command:
    """Both commands are the same but for their names."""

    async def story(session: Session, **given: Any) -> None:
        """Show everything about one server: what it is, how to run it, what it needs and may do.

        NAME may be the last part of an official name where that means one server. Of several registries that hold
        the server the most trusted one answers; --registry chooses another one.
        """
        await _show(session, **given)

    taking: Any = story
    for parameter in reversed(_PARAMETERS):
        taking = parameter(taking)
    examples = (
        f"{program} postgres-server",
        f"{program} postgres-server --registry production-catalog --permissions",
        f"{program} postgres-server@1.2.0 --include-registry-info",
        f"{program} postgres-server -o upstream",
    )
    return command(
        name, examples=examples, outputs=_OUTPUTS, served="thv.apps.cli.served.servers:show"
    )(taking)


show = _command("show", "thv show")
info = _command("info", "thv registry info")

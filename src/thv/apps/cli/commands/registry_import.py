"""`thv registry import`."""

from __future__ import annotations

import click
import msgspec

from thv.apps.cli.command import OBJECTS, command
from thv.apps.cli.completion import registry_names
from thv.apps.cli.documents import open_paper
from thv.apps.cli.importing import (
    Imported,
    check_name,
    put_entries,
    require_own_entries,
    store_registry,
)
from thv.apps.cli.options import option
from thv.apps.cli.output import OUTPUT_VERSION, counted, print_value
from thv.apps.cli.registries import Shelf, find_stored, plain_name
from thv.apps.cli.session import Session
from thv.apps.cli.syncing import Order, request_now, require_good, result_of, synchronize
from thv.apps.cli.times import DURATION
from thv.apps.cli.verbs import LINES
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.formats.documents import Format

_SHOWN = 5


@command(
    "import",
    examples=(
        "thv registry import --file registry.json --registry local-servers",
        "thv registry import --file servers.json --registry local-servers --format upstream --strict",
        "thv registry import --file registry.json --registry local-servers --mode replace --dry-run",
    ),
    outputs=OBJECTS,
    default=LINES,
)
@option("--file", "file", required=True, metavar="FILE", help="File or folder; - is the input.")
@option(
    "--registry",
    required=True,
    metavar="NAME",
    help="Registry that takes the entries; made when missing.",
    shell_complete=registry_names,
)
@option(
    "--format",
    "format_",
    type=click.Choice(["auto", "toolhive", "upstream"]),
    default="auto",
    show_default=True,
    help="Format of the file.",
)
@option("--strict", is_flag=True, help="Import nothing when one entry is bad; else it is skipped.")
@option(
    "--mode",
    type=click.Choice(["merge", "replace"]),
    default="merge",
    show_default=True,
    help="Add to what the registry has, or take its place.",
)
@option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@option("--no-sync", is_flag=True, help="Do not synchronize now.")
@option("--timeout", type=DURATION, metavar="TIME", help="How long the sync may take.")
async def import_file(
    session: Session,
    *,
    file: str,
    registry: str,
    format_: str,
    strict: bool,
    mode: str,
    dry_run: bool,
    no_sync: bool,
    timeout: float | None,
) -> None:
    """Put the entries of a file in a registry.

    The registry keeps them, whatever happens to the file; an entry of the same name and version is replaced. A
    registry that follows another source takes none: use `thv registry add` to follow a file.
    """
    name = plain_name(registry)
    target = await _target(session, name)
    expected = None if format_ == "auto" else Format(format_)
    with open_paper(session, file, expected) as paper:
        done = await put_entries(
            session, name, target, paper, replace=mode == "replace", strict=strict, dry_run=dry_run
        )
    _say(session, done)
    if dry_run:
        _print(session, name, done, "would be imported", {})
        return
    asks = {} if no_sync else request_now(session)
    shelf = target or await store_registry(session, name, asks)
    result: JsonObject = {}
    if not no_sync:
        synced = await synchronize(session, [shelf], Order(timeout=timeout, asked=target is None))
        require_good(synced)
        result = result_of(synced[0])
    _print(session, name, done, "imported", result)


async def _target(session: Session, name: str) -> Shelf | None:
    """The registry, when there is one that may take entries; None when it is to be made."""
    try:
        shelf = await find_stored(session, name)
    except ThvError as error:
        if error.code is not Code.NOT_FOUND:
            raise
        await check_name(session, name)
        return None
    require_own_entries(shelf)
    return shelf


def _say(session: Session, done: Imported) -> None:
    console = session.console
    for problem in done.problems[:_SHOWN]:
        console.step("note", f"skipped {problem.place}: {problem.reason}")
    if done.skipped > _SHOWN:
        console.step("note", f"and {done.skipped - _SHOWN:,} more; thv registry validate names all")
    text = f"{counted(done.read, 'entry', 'entries')} read: {done.created:,} new, {done.updated:,} changed, "
    text += f"{done.unchanged:,} as before"
    if done.removed:
        text += f", {done.removed:,} removed"
    console.step("ok", text)


def _print(session: Session, name: str, done: Imported, verb: str, sync: JsonObject) -> None:
    match session.output:
        case "name":
            session.console.data(f"mcpregistry/{name}\n")
        case "json" | "yaml":
            body = {
                "apiVersion": OUTPUT_VERSION,
                "kind": "ImportResult",
                "registry": name,
                "namespace": session.namespace,
                **msgspec.to_builtins(done),
                "sync": sync or None,
            }
            print_value(body, session.output, session.console)
        case _:
            session.console.data(f"mcpregistry/{name} {verb}\n")

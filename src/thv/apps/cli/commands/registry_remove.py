"""`thv registry remove`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable

import click

from thv.apps.cli.command import OBJECTS, command
from thv.apps.cli.completion import registry_names
from thv.apps.cli.options import option
from thv.apps.cli.output import counted
from thv.apps.cli.registries import Shelf, every, find_stored, names_of
from thv.apps.cli.session import Session
from thv.apps.cli.verbs import LINES, print_done
from thv.apps.cli.wiring import Local
from thv.domain.resources import MCP_REGISTRY, uid_of
from thv.stores.mirrors.sqlite import SqliteMirrors, SqliteSelections
from thv.sync.hierarchy import neighbour_of


@command(
    "remove",
    examples=(
        "thv registry remove upstream-community",
        "thv registry remove staging lab --yes",
        "thv registry remove upstream-community --keep-servers --yes -o name",
    ),
    outputs=OBJECTS,
    default=LINES,
)
@click.argument("names", nargs=-1, required=True, metavar="NAME...", shell_complete=registry_names)
@option(
    "--keep-servers",
    is_flag=True,
    help="Leave MCPServers that came from it running, which on one machine is always so.",
)
async def remove(session: Session, *, names: tuple[str, ...], keep_servers: bool) -> None:  # noqa: ARG001
    """Remove registries and everything that was synchronized for them."""
    shelves = [await find_stored(session, name) for name in dict.fromkeys(names)]
    for reader in await _readers(session, shelves):
        session.console.step("note", f"{reader.title} reads one of them and keeps what it has")
    session.confirm(_question(shelves))
    for shelf in shelves:
        await shelf.local.resources.delete(
            MCP_REGISTRY, shelf.namespace, shelf.name, uid=shelf.registry.uid
        )
        session.local.home.import_of(shelf.namespace, shelf.name).unlink(missing_ok=True)
    await _forget(session.local, shelves)
    print_done(session, shelves, "removed")


def _question(shelves: list[Shelf]) -> str:
    servers = sum(shelf.registry.status.server_count for shelf in shelves)
    what = "the registry" if len(shelves) == 1 else f"{len(shelves)} registries:"
    held = f" with {counted(servers, 'server')}" if servers else ""
    return f"remove {what} {names_of(shelves)}{held}?"


async def _readers(session: Session, shelves: list[Shelf]) -> list[Shelf]:
    """Registries that read one of those that go."""
    going = {shelf.name for shelf in shelves}
    return [
        shelf
        for shelf in await every(session)
        if not shelf.file and shelf.name not in going and neighbour_of(shelf.registry) in going
    ]


async def _forget(local: Local, shelves: Iterable[Shelf]) -> None:
    """Removes the content; while another process synchronizes, that one does it."""
    if not local.lock.acquire(f"thv registry remove (pid {os.getpid()})"):
        return
    mirrors, selections = SqliteMirrors(local.home.mirrors), SqliteSelections(local.home.selections)
    try:
        for shelf in shelves:
            uid = shelf.registry.uid
            shutil.rmtree(local.home.models / uid, ignore_errors=True)
            await local.chunks.forget(uid)
            if uid in selections.uids():
                selections.forget(uid)
        used = await _mirrors_in_use(local, selections)
        if used is not None:
            mirrors.prune(used)
    finally:
        mirrors.close()
        selections.close()
        local.lock.release()


async def _mirrors_in_use(local: Local, selections: SqliteSelections) -> set[str] | None:
    """The mirrors of the registries that stay; None while that of one of them is not known yet."""
    known = selections.uids()
    used = set()
    for obj in (await local.resources.list(MCP_REGISTRY)).items:
        mirror = selections.open(uid_of(obj)).basis().mirror if uid_of(obj) in known else ""
        if not mirror:
            return None
        used.add(mirror)
    return used

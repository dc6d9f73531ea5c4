"""`thv registry remove`."""

from __future__ import annotations

import click

from thv.apps.cli.command import OBJECTS, command
from thv.apps.cli.completion import registry_names
from thv.apps.cli.leftovers import clear_away
from thv.apps.cli.options import option
from thv.apps.cli.output import counted
from thv.apps.cli.registries import Shelf, every, find_stored, names_of
from thv.apps.cli.session import Session
from thv.apps.cli.verbs import LINES, print_done
from thv.domain.resources import MCP_REGISTRY
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
        await shelf.place.resources.delete(
            MCP_REGISTRY, shelf.namespace, shelf.name, uid=shelf.registry.uid
        )
    await clear_away(session, [(shelf.namespace, shelf.name) for shelf in shelves])
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

"""`thv registry suspend` and `thv registry resume`."""

from __future__ import annotations

import click

from thv.apps.cli.command import OBJECTS, command
from thv.apps.cli.completion import registry_names
from thv.apps.cli.registries import Shelf, again, find_stored
from thv.apps.cli.session import Session
from thv.apps.cli.verbs import LINES, MANAGER, print_done
from thv.domain.resources import MCP_REGISTRY
from thv.domain.suspension import switch


@command(
    "suspend",
    examples=(
        "thv registry suspend upstream-community",
        "thv registry suspend staging lab -o name",
    ),
    outputs=OBJECTS,
    default=LINES,
)
@click.argument("names", nargs=-1, required=True, metavar="NAME...", shell_complete=registry_names)
async def suspend(session: Session, *, names: tuple[str, ...]) -> None:
    """Stop synchronizing registries by themselves; `thv registry sync` still does it."""
    print_done(session, await _switch(session, names, on=False), "suspended")


@command(
    "resume",
    examples=("thv registry resume upstream-community", "thv registry resume staging lab -o name"),
    outputs=OBJECTS,
    default=LINES,
)
@click.argument("names", nargs=-1, required=True, metavar="NAME...", shell_complete=registry_names)
async def resume(session: Session, *, names: tuple[str, ...]) -> None:
    """Synchronize registries by themselves again, while a `thv serve` runs."""
    print_done(session, await _switch(session, names, on=True), "resumed")


async def _switch(session: Session, names: tuple[str, ...], *, on: bool) -> list[Shelf]:
    shelves = [await find_stored(session, name) for name in dict.fromkeys(names)]
    for shelf in shelves:
        await shelf.place.resources.merge(
            MCP_REGISTRY,
            shelf.namespace,
            shelf.name,
            switch(on=on),
            manager=MANAGER,
        )
    return [await again(shelf) for shelf in shelves]

"""`thv registry tree`."""

from __future__ import annotations

from datetime import datetime

import click

from thv.apps.cli.command import command
from thv.apps.cli.completion import registry_names
from thv.apps.cli.loader import load
from thv.apps.cli.output import OUTPUT_VERSION, Column, Listing, age, print_list, print_value
from thv.apps.cli.registries import Shelf, find
from thv.apps.cli.session import Session
from thv.apps.cli.tree.nodes import ASCII, LINES, Line, Node, lines_of, value_of


@command(
    "tree",
    examples=(
        "thv registry tree upstream-community",
        "thv registry tree upstream-community -n team --context prod -o json",
    ),
    outputs=("table", "json", "yaml", "name"),
)
@click.argument("name", shell_complete=registry_names)
async def tree(session: Session, *, name: str) -> None:
    """What belongs to a registry, and how each part is doing.

    On a cluster: what it reads, the chunks of what it serves, the objects and pods of its API, and the MCPServers
    that carry its label. On one machine: what it reads, and its files in the data folder.
    """
    shelf = await find(session, name)
    root, unseen = await _tree_of(shelf)
    if session.output in ("json", "yaml"):
        body = {"apiVersion": OUTPUT_VERSION, "kind": "RegistryTree", "registry": value_of(root)}
        more = {"notListed": unseen} if unseen else {}
        print_value({**body, **more}, session.output, session.console)
    else:
        lines = lines_of(root, LINES if session.console.unicode else ASCII)
        shown = _listing(session.local.clock())
        print_list(shown, lines, session.output, session.console, headers=session.headers)
    if unseen:
        there = session.there(shelf.namespace)
        todo = f"{session.program} auth can-i list {unseen[0]}{there}"
        session.console.step("note", f"you may not list {', '.join(unseen)}. Try: {todo}")


async def _tree_of(shelf: Shelf) -> tuple[Node, list[str]]:
    """The tree, and the kinds that the user may not list; a machine's parts are not loaded for a cluster's."""
    if shelf.place.on_cluster:
        found: tuple[Node, list[str]] = await load("thv.apps.cli.tree.cluster:tree_there")(shelf)
        return found
    root: Node = await load("thv.apps.cli.tree.machine:tree_here")(shelf, shelf.place)
    return root, []


def _listing(now: datetime) -> Listing[Line]:
    return Listing(
        kind="RegistryTree",
        name=lambda line: line.node.title,
        value=lambda line: value_of(line.node),
        columns=(
            Column(title="NAME", cell=lambda line: line.prefix + line.node.title),
            Column(title="READY", cell=lambda line: line.node.state.ready),
            Column(title="STATUS", cell=lambda line: line.node.state.status, stretch=True),
            Column(title="AGE", cell=lambda line: age(line.node.created, now)),
        ),
    )

"""What belongs to a registry of this machine: what it reads, and its files in the data folder.

In the flow: the tree of a registry in a data folder. Nothing is opened but the store.
"""

from __future__ import annotations

from pathlib import Path

from thv.apps.cli.registries import Shelf
from thv.apps.cli.tree.nodes import Node, State
from thv.apps.cli.tree.sources import GONE, chunks_of, read_from
from thv.apps.cli.tree.states import state_of
from thv.apps.cli.wiring import Local
from thv.apps.kit.home import Home
from thv.domain.resources import metadata_of


async def tree_here(shelf: Shelf, place: Local) -> Node:
    """The registry and what is there of it."""
    home, uid = place.home, shelf.registry.uid
    chunks = await chunks_of(shelf, "chunk")
    derived = (
        _lying("selection", home.selections / f"{uid}.db", "what its filter chose"),
        _lying("model", home.models / uid, "what searches read"),
    )
    return Node(
        kind="mcpregistry",
        name=shelf.name,
        state=state_of(shelf.obj),
        created=str(metadata_of(shelf.obj).get("creationTimestamp", "")),
        children=(
            *await read_from(shelf),
            *_document(shelf, home),
            *chunks,
            *(node for node in derived if node),
            *_keeper(place),
        ),
    )


def _document(shelf: Shelf, home: Home) -> list[Node]:
    """The file that is the source."""
    source = shelf.registry.spec.source.file
    if source is None:
        return []
    path = home.root / source.path
    return [_lying("file", path, "source") or Node(kind="file", name=str(path), state=GONE)]


def _lying(kind: str, path: Path, what: str) -> Node | None:
    """A file or folder with its size; None where there is none."""
    if not path.exists():
        return None
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    size = sum(file.stat().st_size for file in files)
    return Node(kind=kind, name=str(path), state=State("", f"{what}, {size:,} bytes"))


def _keeper(place: Local) -> list[Node]:
    """The process that synchronizes and serves it."""
    holder = place.lock.holder() if place.home.root.is_dir() else ""
    return (
        [Node(kind="process", name=holder, state=State("True", "keeps it in sync"))]
        if holder
        else []
    )

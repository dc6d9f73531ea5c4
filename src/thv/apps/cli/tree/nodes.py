"""Things that belong to each other, and the lines that show them.

In the flow: `cluster` and `machine` build a tree, the command prints its lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from thv.domain.canonical import JsonObject


class Glyphs(msgspec.Struct, frozen=True):
    """What a tree is drawn with."""

    between: str
    last: str
    passing: str
    blank: str


LINES = Glyphs("├─ ", "└─ ", "│  ", "   ")
ASCII = Glyphs("|- ", "`- ", "|  ", "   ")


class State(msgspec.Struct, frozen=True):
    """How a thing is."""

    ready: str = ""
    """`True`, `False` or `Unknown`; `""` for what is neither ready nor not."""
    status: str = ""
    """In a few words."""


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A thing and what belongs to it."""

    kind: str
    """As commands spell it: `deployment`."""
    name: str
    state: State = State()
    created: str = ""
    children: tuple[Node, ...] = ()

    @property
    def title(self) -> str:
        """`deployment/corp-api`, `file /data/servers.json`."""
        return f"{self.kind}{' ' if self.name.startswith('/') else '/'}{self.name}"


class Line(msgspec.Struct, frozen=True):
    """A node with what is drawn before it."""

    prefix: str
    node: Node


def lines_of(root: Node, glyphs: Glyphs) -> list[Line]:
    """The tree from the top, a node a line."""
    return [Line("", root), *_below(root.children, "", glyphs)]


def _below(children: Sequence[Node], prefix: str, glyphs: Glyphs) -> Iterator[Line]:
    for place, child in enumerate(children, 1):
        is_last = place == len(children)
        yield Line(prefix + (glyphs.last if is_last else glyphs.between), child)
        further = prefix + (glyphs.blank if is_last else glyphs.passing)
        yield from _below(child.children, further, glyphs)


def value_of(node: Node) -> JsonObject:
    """The tree for programs; what is not known is absent."""
    found = {
        "kind": node.kind,
        "name": node.name,
        "ready": node.state.ready,
        "status": node.state.status,
        "created": node.created,
        "children": [value_of(child) for child in node.children],
    }
    return {key: value for key, value in found.items() if value}

"""From a raw path to an endpoint.

In the flow: after the size of a request is known to be fine, before anything else is looked at. A template is
literal words and parameters; the parameter `{name}` is the name of a server, which takes one segment or two:
one when a `/` is encoded in it or when what follows is a route, two when only then what follows is one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

import msgspec

from thv.apps.kit.http.paths import decoded, holds_slash, segments_of

NAME = "{name}"
T = TypeVar("T")


class Matched(msgspec.Struct, frozen=True):
    """The path parameters of a match, still encoded; a name of two segments keeps both."""

    values: tuple[tuple[str, tuple[bytes, ...]], ...]

    def decoded(self) -> dict[str, str]:
        """The parameters as text; raises BadSegmentError."""
        return {key: "/".join([decoded(part) for part in parts]) for key, parts in self.values}


NO_VALUES = Matched(())


class _Node(Generic[T]):
    """What may follow a place in a path."""

    def __init__(self) -> None:
        self.target: T | None = None
        self.words: dict[bytes, _Node[T]] = {}
        self.parameter: tuple[str, _Node[T]] | None = None
        self.name: tuple[str, _Node[T]] | None = None

    def child(self, part: str) -> _Node[T]:
        if not part.startswith("{"):
            return self.words.setdefault(part.encode(), _Node())
        key = part[1:-1]
        if part == NAME:
            self.name = self.name or (key, _Node())
            return self.name[1]
        self.parameter = self.parameter or (key, _Node())
        return self.parameter[1]


class Routes(Generic[T]):
    """A tree of templates; what it finds does not depend on their order."""

    def __init__(self, templates: Iterable[tuple[str, T]]) -> None:
        self._root: _Node[T] = _Node()
        for template, target in templates:
            node = self._root
            for part in template.split("/")[1:]:
                node = node.child(part)
            node.target = target

    def find(self, path: bytes) -> tuple[T, Matched] | None:
        """The target of a path, None when there is none."""
        found = _find(self._root, segments_of(path))
        if found is None:
            return None
        target, values = found
        return target, Matched(tuple(values)) if values else NO_VALUES


_Values = list[tuple[str, tuple[bytes, ...]]]


def _find(node: _Node[T], segments: list[bytes]) -> tuple[T, _Values] | None:
    for place, segment in enumerate(segments):
        following = node.words.get(segment)
        if following is None:
            return _find_value(node, segments[place:]) if segment else None
        node = following
    return None if node.target is None else (node.target, [])


def _find_value(node: _Node[T], segments: list[bytes]) -> tuple[T, _Values] | None:
    if node.name is not None:
        return _find_name(*node.name, segments)
    if node.parameter is None:
        return None
    key, following = node.parameter
    return _behind(key, following, segments, 1)


def _find_name(key: str, node: _Node[T], segments: list[bytes]) -> tuple[T, _Values] | None:
    found = _behind(key, node, segments, 1)
    if found is not None or holds_slash(segments[0]) or len(segments) < 2 or not segments[1]:
        return found
    return _behind(key, node, segments, 2)


def _behind(
    key: str, node: _Node[T], segments: list[bytes], taken: int
) -> tuple[T, _Values] | None:
    found = _find(node, segments[taken:])
    if found is None:
        return None
    target, values = found
    return target, [(key, tuple(segments[:taken])), *values]

"""What a view of the list of servers comes to as the filter of a registry.

In the flow: from the address of the list to a page that shows both. A filter can say less than the list: what it cannot
say is named, so that nobody takes home more than they saw.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import msgspec

from thv.domain.canonical import JsonObject
from thv.domain.filter import Filter, Selection

Asked: TypeAlias = Mapping[str, Sequence[str]]
"""The parameters of the list that narrow it down, with their values."""

_LISTS = {
    "functional_category": "categories",
    "tags": "tags",
    "tier": "tiers",
    "transport": "transports",
}
"""What the list and a filter both know, each in its own word."""
_INSTEAD = {
    "search": "A filter knows no words. Name the servers instead: a name may have * in it.",
    "registry": "Say it as the source: a registry may be made over another one of its namespace.",
    "namespace": "A registry reads others of its own namespace alone.",
    "trust_level": "It is a property of a registry. Choose a source of that level.",
    "category": "It follows from trust. Choose a trusted registry as the source.",
}
_NOTHING_INSTEAD = "A filter knows nothing of it."
_ALL_OF = "The list has servers with all of these tags, a filter takes those with any of them."
_TOO_MUCH = "These are more, or longer, than a filter may have."


class Unsaid(msgspec.Struct, frozen=True):
    """What narrows the list down and is not in the filter."""

    name: str
    values: tuple[str, ...]
    instead: str
    """Why not, or what to do about it."""


class Snippet(msgspec.Struct, frozen=True):
    """A filter, and what it leaves unsaid."""

    filter: Filter | None
    """None where it would take everything."""
    unsaid: tuple[Unsaid, ...]

    @property
    def lists(self) -> dict[str, list[str]]:
        """What it includes, by the words of a spec; only what says something."""
        include = self.filter.include if self.filter else None
        found = msgspec.to_builtins(include) if include else {}
        return {name: list(values) for name, values in found.items() if values}

    @property
    def manifest(self) -> JsonObject:
        """The part of a registry's manifest that it is; empty where it would take everything."""
        return {"spec": {"filter": {"include": self.lists}}} if self.filter else {}


def snippet_of(asked: Asked) -> Snippet:
    """The filter that takes what the list shows, as far as there is one."""
    lists = dict(_said(asked))
    unsaid = tuple(
        Unsaid(name, tuple(values), _instead(name, values))
        for name, values in asked.items()
        if _LISTS.get(name) not in lists
    )
    include = msgspec.convert(lists, Selection)
    return Snippet(Filter(include=include) if lists else None, unsaid)


def _instead(name: str, values: Sequence[str]) -> str:
    if _is_all_of_several(name, values):
        return _ALL_OF
    return _TOO_MUCH if name in _LISTS else _INSTEAD.get(name, _NOTHING_INSTEAD)


def _is_all_of_several(name: str, values: Sequence[str]) -> bool:
    return name == "tags" and len(values) > 1


def _said(asked: Asked) -> Iterator[tuple[str, list[str]]]:
    for name, word in _LISTS.items():
        values = list(asked.get(name, ()))
        if values and not _is_all_of_several(name, values) and _is_taken(word, values):
            yield word, values


def _is_taken(word: str, values: Sequence[str]) -> bool:
    """Whether a filter may have these values: it has bounds that the list has not."""
    try:
        msgspec.convert({word: values}, Selection)
    except msgspec.ValidationError:
        return False
    return True

"""Functional categories for entries that declare none.

A taxonomy is data (the shipped one lies in `thv/data/taxonomy.json`, an administrator may replace it): each
category has tags and words, a tag of the entry weighs most, a word in its name or title more than one in its
description. The best score wins, the earlier category wins a tie, and no score at all means no category.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import msgspec

_WORD = re.compile(r"[a-z0-9]+")
_TAG_WEIGHT, _NAME_WEIGHT, _DESCRIPTION_WEIGHT = 6, 3, 1


class Category(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One subject and how it is recognized; all in lower case."""

    name: str
    display_name: str
    description: str
    tags: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


class Taxonomy:
    """The categories of one data file, turned around for look-up."""

    def __init__(self, categories: Iterable[Category]) -> None:
        self.categories = tuple(categories)
        self._tags = _turned((*c.tags, c.name) for c in self.categories)
        self._words = _turned(c.words for c in self.categories)

    def derive(self, *, tags: Iterable[str], name: str, title: str, description: str) -> str:
        """The category that fits best, `""` when none fits."""
        scores: dict[int, int] = {}
        for tag in tags:
            _add(scores, self._tags.get(tag.lower(), ()), _TAG_WEIGHT)
        own_name = name.rpartition("/")[2]
        for word in set(_WORD.findall(f"{own_name} {title}".lower())):
            _add(scores, self._words.get(word, ()), _NAME_WEIGHT)
        for word in set(_WORD.findall(description.lower())):
            _add(scores, self._words.get(word, ()), _DESCRIPTION_WEIGHT)
        if not scores:
            return ""
        best = min(scores, key=lambda place: (-scores[place], place))
        return self.categories[best].name


def _turned(groups: Iterable[Iterable[str]]) -> Mapping[str, tuple[int, ...]]:
    turned: dict[str, tuple[int, ...]] = {}
    for place, keys in enumerate(groups):
        for key in keys:
            turned[key] = (*turned.get(key, ()), place)
    return turned


def _add(scores: dict[int, int], places: tuple[int, ...], weight: int) -> None:
    for place in places:
        scores[place] = scores.get(place, 0) + weight


NO_TAXONOMY = Taxonomy(())

"""Which entries a registry takes.

An entry passes when each given `include` list has a match and no `exclude` list has one. Names are globs over
the exact official name or its ToolHive key; tags, tiers and categories compare without case.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import msgspec
from msgspec import Meta

from thv.domain.facts import Facts
from thv.domain.text import glob_matcher

_SET = {"x-kubernetes-list-type": "set"}
Short = Annotated[str, Meta(max_length=63)]


class Selection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one side of a filter names; an absent list names nothing."""

    names: Annotated[
        tuple[Annotated[str, Meta(max_length=255)], ...],
        Meta(
            max_length=200,
            description='Globs over the exact name: "*" any characters, "/" too, "?" one. Example: "io.github.corp/*".',
            extra_json_schema=_SET,
        ),
    ] = ()
    tags: Annotated[
        tuple[Short, ...],
        Meta(
            max_length=100,
            description='Exact tags, without case. Example: "database".',
            extra_json_schema=_SET,
        ),
    ] = ()
    tiers: Annotated[
        tuple[Short, ...],
        Meta(
            max_length=10,
            description='Tiers, without case. Example: "Official".',
            extra_json_schema=_SET,
        ),
    ] = ()
    transports: Annotated[
        tuple[
            Annotated[str, Meta(extra_json_schema={"enum": ["stdio", "sse", "streamable-http"]})],
            ...,
        ],
        Meta(max_length=3, description='Transports. Example: "stdio".', extra_json_schema=_SET),
    ] = ()
    categories: Annotated[
        tuple[Short, ...],
        Meta(
            max_length=50,
            description='Functional categories, without case. Example: "filesystem".',
            extra_json_schema=_SET,
        ),
    ] = ()


class Filter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Include and exclude; both may be absent."""

    include: Annotated[
        Selection | None, Meta(description="Only entries that match every given list.")
    ] = None
    exclude: Annotated[
        Selection | None, Meta(description="No entry that matches any given list.")
    ] = None


Predicate = Callable[[Facts], bool]


def compile_filter(filter_: Filter | None) -> Predicate:
    """The filter as one predicate over facts."""
    if filter_ is None:
        return lambda _: True
    wanted = _tests(filter_.include)
    unwanted = _tests(filter_.exclude)
    return lambda facts: (
        all(test(facts) for test in wanted) and not any(test(facts) for test in unwanted)
    )


def _tests(selection: Selection | None) -> list[Predicate]:
    if selection is None:
        return []
    tests: list[Predicate] = []
    names = glob_matcher(selection.names)
    if names is not None:
        matches = names.fullmatch
        tests.append(lambda facts: bool(matches(facts.name) or matches(facts.key)))
    if selection.tags:
        tags = _folded(selection.tags)
        tests.append(lambda facts: not tags.isdisjoint(_folded(facts.tags)))
    if selection.tiers:
        tiers = _folded(selection.tiers)
        tests.append(lambda facts: facts.tier.casefold() in tiers)
    if selection.transports:
        transports = frozenset(selection.transports)
        tests.append(lambda facts: facts.transport in transports)
    if selection.categories:
        categories = _folded(selection.categories)
        tests.append(lambda facts: facts.category.casefold() in categories)
    return tests


def _folded(texts: tuple[str, ...]) -> frozenset[str]:
    return frozenset(text.casefold() for text in texts)

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
Reasons = Callable[[Facts], tuple[str, ...]]
"""The rules that keep an entry out, as a spec spells their places; none for one that passes."""


def compile_filter(filter_: Filter | None) -> Predicate:
    """The filter as one predicate over facts."""
    reasons = filter_reasons(filter_)
    return lambda facts: not reasons(facts)


def filter_reasons(filter_: Filter | None) -> Reasons:
    """Which lists of the filter keep an entry out."""
    if filter_ is None:
        return lambda _: ()
    wanted = [(f"filter.include.{name}", test) for name, test in _tests(filter_.include)]
    unwanted = [(f"filter.exclude.{name}", test) for name, test in _tests(filter_.exclude)]
    return lambda facts: (
        *(rule for rule, test in wanted if not test(facts)),
        *(rule for rule, test in unwanted if test(facts)),
    )


def _tests(selection: Selection | None) -> list[tuple[str, Predicate]]:
    """The lists that name anything, and whether an entry fits them."""
    if selection is None:
        return []
    tests: list[tuple[str, Predicate]] = []
    names = glob_matcher(selection.names)
    if names is not None:
        matches = names.fullmatch
        tests.append(("names", lambda facts: bool(matches(facts.name) or matches(facts.key))))
    if selection.tags:
        tags = _folded(selection.tags)
        tests.append(("tags", lambda facts: not tags.isdisjoint(_folded(facts.tags))))
    if selection.tiers:
        tiers = _folded(selection.tiers)
        tests.append(("tiers", lambda facts: facts.tier.casefold() in tiers))
    if selection.transports:
        transports = frozenset(selection.transports)
        tests.append(("transports", lambda facts: facts.transport in transports))
    if selection.categories:
        categories = _folded(selection.categories)
        tests.append(("categories", lambda facts: facts.category.casefold() in categories))
    return tests


def _folded(texts: tuple[str, ...]) -> frozenset[str]:
    return frozenset(text.casefold() for text in texts)

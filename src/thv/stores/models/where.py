"""From filters to SQL; pure.

In the flow: between a query and the database. What many entries share (tier, category, ...) is decided here on
the few different traits, so that the database compares one number a row; every rule about case and labels is
Python's and in one place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias, TypeVar

import msgspec

from thv.domain.selectors import Operator, Requirement
from thv.domain.text import label_value
from thv.stores.models.query import Own, Where
from thv.stores.models.rows import CUSTOM, GROUP, REGISTRY, TAG, Traits

LABEL_PREFIX = "toolhive.stacklok.io/"
REGISTRY_NAME, REGISTRY_NAMESPACE, SERVER_NAME, TIER, CATEGORY = (
    "registry-name",
    "registry-namespace",
    "server-name",
    "tier",
    "category",
)

_HASHED = re.compile(r"-[0-9a-f]{8}$")

TraitsById: TypeAlias = Mapping[int, Traits]
AnyTraits = TypeVar("AnyTraits", bound=Traits)


class Condition(msgspec.Struct, frozen=True):
    """A piece of SQL over the row `s` and what it is asked with."""

    sql: str
    values: tuple[Any, ...] = ()


NOTHING = Condition("0")


class Columns(msgspec.Struct, frozen=True):
    """What differs between the two tables that lists are made of."""

    item: str
    """The id of the version."""
    key: str
    """The name in ToolHive's spelling, as SQL."""


def conditions(where: Where, own: Own, traits: TraitsById, columns: Columns) -> list[Condition]:
    """What a row must fulfil, all but the search; `NOTHING` among them when no row can."""
    found = [*_trait_conditions(where, own, traits), *_list_conditions(where, own, columns)]
    found.extend(
        _label_condition(need, own, columns) for need in where.labels if not _of_traits(need)
    )
    if where.updated_since is not None:
        found.append(Condition("s.touched > ?", (where.updated_since,)))
    return found


def plain_label(key: str) -> str:
    """A label key of ours without its prefix."""
    return key.removeprefix(LABEL_PREFIX)


# ---------------------------------------------------------------- what many share


def _trait_conditions(where: Where, own: Own, traits: TraitsById) -> list[Condition]:
    tests = list(_trait_tests(where, own))
    return having(traits, lambda each: all(test(each) for test in tests)) if tests else []


def having(traits: Mapping[int, AnyTraits], test: Callable[[AnyTraits], bool]) -> list[Condition]:
    """What a row fulfils whose traits pass."""
    fitting = [place for place, each in traits.items() if test(each)]
    if len(fitting) == len(traits):
        return []
    # Numbers of our own making: written out, the planner sees what it has.
    return [Condition(f"s.traits IN ({','.join(map(str, fitting))})") if fitting else NOTHING]


def _trait_tests(where: Where, own: Own) -> Iterable[Callable[[Traits], bool]]:
    for wanted, attribute in (
        (where.categories, "category"),
        (where.transports, "transport"),
        (where.tiers, "tier"),
        (where.statuses, "status"),
        (where.kinds, "kind"),
    ):
        if wanted:
            yield _any_of(attribute, wanted)
    if where.trust_levels:
        levels = _folded(where.trust_levels)
        yield lambda traits: (traits.trust or own.trust_level).casefold() in levels
    for need in where.labels:
        if _of_traits(need):
            yield _label_test(need)


def _any_of(attribute: str, wanted: tuple[str, ...]) -> Callable[[Traits], bool]:
    folded = _folded(wanted)
    return lambda traits: getattr(traits, attribute).casefold() in folded


def _of_traits(need: Requirement) -> bool:
    return plain_label(need.key) in (TIER, CATEGORY)


def _label_test(need: Requirement) -> Callable[[Traits], bool]:
    attribute = plain_label(need.key)

    def test(traits: Traits) -> bool:
        value: str = getattr(traits, attribute)
        return need.matches({need.key: label_value(value)} if value else {})

    return test


def _folded(texts: tuple[str, ...]) -> frozenset[str]:
    return frozenset(text.casefold() for text in texts)


# ---------------------------------------------------------------- lists


def _list_conditions(where: Where, own: Own, columns: Columns) -> Iterable[Condition]:
    for tag in where.tags:
        yield _having(columns, [TAG + tag.casefold()])
    for tool in where.tools:
        yield Condition(f"{columns.item} IN (SELECT item FROM tool WHERE name = ?)", (tool,))
    if where.groups:
        yield _having(columns, [GROUP + group for group in where.groups])
    if where.registries and not {own.name, f"{own.namespace}/{own.name}"} & set(where.registries):
        yield _having(columns, [REGISTRY + name for name in where.registries])


def _having(columns: Columns, facts: list[str], *, absent: bool = False) -> Condition:
    marks = ",".join("?" * len(facts))
    word = "NOT IN" if absent else "IN"
    sql = f"{columns.item} {word} (SELECT item FROM fact WHERE fact IN ({marks}))"
    return Condition(sql, tuple(facts))


# ---------------------------------------------------------------- labels


def _label_condition(need: Requirement, own: Own, columns: Columns) -> Condition:
    key = plain_label(need.key)
    match key:
        case "registry-name" | "registry-namespace":
            value = own.name if key == REGISTRY_NAME else own.namespace
            return Condition("1") if need.matches({need.key: label_value(value)}) else NOTHING
        case "server-name":
            return _server_name(need, columns)
        case _:
            return _custom(need, columns)


def _server_name(need: Requirement, columns: Columns) -> Condition:
    if need.operator in (Operator.EXISTS, Operator.ABSENT):
        return Condition("1") if need.operator is Operator.EXISTS else NOTHING
    values = tuple(sorted(need.values))
    # Only a value that looks like a slug with a hash can stand for another text than itself.
    hashed = any(_HASHED.search(value) for value in values)
    subject = f"label_value({columns.key})" if hashed else columns.key
    word = "IN" if need.operator is Operator.IN else "NOT IN"
    return Condition(f"{subject} {word} ({','.join('?' * len(values))})", values)


def _custom(need: Requirement, columns: Columns) -> Condition:
    key = f"{CUSTOM}{need.key}="
    match need.operator:
        case Operator.IN | Operator.NOT_IN:
            facts = [key + value for value in sorted(need.values)]
            return _having(columns, facts, absent=need.operator is Operator.NOT_IN)
        case Operator.EXISTS | Operator.ABSENT:
            word = "IN" if need.operator is Operator.EXISTS else "NOT IN"
            sql = f"{columns.item} {word} (SELECT item FROM fact WHERE fact >= ? AND fact < ?)"
            return Condition(sql, (key, key[:-1] + ">"))

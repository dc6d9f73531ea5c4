from __future__ import annotations

from functools import reduce
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.formats.strategies import few, many, values, words
from thv.formats.parking import (
    NOTHING,
    Patch,
    apply,
    branches,
    changed_again,
    difference,
    joined,
    same,
)

named = st.fixed_dictionaries(
    {"name": st.sampled_from(["a", "b", "c", ""])}, optional={"x": values, "y": values}
)
lists = st.lists(named, max_size=4) | st.lists(values, max_size=3)
things = st.recursive(
    values | lists,
    lambda inner: st.dictionaries(words, inner | lists, max_size=4),
    max_leaves=6,
)
"""JSON values with lists of named things."""

# What it shows: before, after, the patch.
PATCHES: dict[str, tuple[Any, Any, Patch]] = {
    "nothing": ({"a": [1, {"b": None}]}, {"a": [1, {"b": None}]}, {}),
    "a changed member": ({"a": 1, "b": 2}, {"a": 1, "b": 3}, {"b": 3}),
    "a member that comes": ({}, {"a": 1, "b": [1]}, {"a": 1, "b": [1]}),
    "an object that comes": ({}, {"a": {"b": 1}}, {"a": {"=": {"b": 1}}}),
    "null that comes": ({"a": 1}, {"a": None}, {"a": {"=": None}}),
    "a member that goes": ({"a": 1}, {}, {"a": None}),
    "a member inside": ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, {"a": {"c": None}}),
    "a list instead of an object": ({"a": {}}, {"a": []}, {"a": []}),
    "an object instead of a list": ({"a": []}, {"a": {}}, {"a": {"=": {}}}),
    "one is not true": ({"a": 1}, {"a": True}, {"a": True}),
    "keys that look like those of a list": (
        {},
        {"=": 1, "==": 2, "*": 3, "0": 4, "+1": 5},
        {"==": 1, "===": 2, "=*": 3, "=0": 4, "=+1": 5},
    ),
    "the item that is named": (
        [{"name": "a"}, {"name": "b", "x": 1}],
        [{"name": "a"}, {"name": "b", "x": 2}],
        {"=b": {"x": 2}},
    ),
    "what all items have in common": (
        [{"name": "a"}, {"name": "b"}],
        [{"name": "a", "x": 1}, {"name": "b", "x": 1, "y": 2}],
        {"*": {"x": 1}, "=b": {"y": 2}},
    ),
    "a named item that goes": ([{"name": "a"}, {"name": "b"}], [{"name": "b"}], {"=a": None}),
    "a named item that comes": (
        [{"name": "a"}],
        [{"name": "a"}, {"name": "b"}],
        {"=b": {"=": {"name": "b"}}},
    ),
    "another order of named items": (
        [{"name": "a"}, {"name": "b"}],
        [{"name": "b"}, {"name": "a"}],
        [{"name": "b"}, {"name": "a"}],
    ),
    "an item by its place": ([1, 2], [1, 3], {"1": 3}),
    "items that go": ([1, 2, 3], [1], {"1": None, "2": None}),
    "items that come behind": ([1, 2], [1, 2, 3], {"+2": 3}),
    "the only item, found again among others": (
        [{"kind": "oci", "id": "a"}],
        [{"kind": "npm", "id": "b"}, {"kind": "oci", "id": "a", "x": 1}, {"kind": "pypi"}],
        {"0": {"x": 1}, "+0": {"=": {"kind": "npm", "id": "b"}}, "+2": {"=": {"kind": "pypi"}}},
    ),
    "a list out of nothing": ([], [1, 2], [1, 2]),
    "nothing out of a list": ([1, 2], [], []),
    "a list of names that repeat": (
        [{"name": "a"}, {"name": "a"}],
        [{"name": "a"}, {"name": "a", "x": 1}],
        {"1": {"x": 1}},
    ),
}

# What it shows: the value an edit made, the patch, the result.
EDITED: dict[str, tuple[Any, Patch, Any]] = {
    "items are found by name": (
        [{"name": "new"}, {"name": "b"}],
        {"=b": {"x": 1}, "=gone": {"x": 2}},
        [{"name": "new"}, {"name": "b", "x": 1}],
    ),
    "what all have, new ones have too": (
        [{"name": "n"}, {"name": "m"}],
        {"*": {"x": 1}},
        [{"name": "n", "x": 1}, {"name": "m", "x": 1}],
    ),
    "places that are gone are passed over": ([1], {"0": 2, "5": {"x": 1}, "7": None}, [2]),
    "an object that an edit took away is made anew": (
        {},
        {"a": {"b": {"c": 1}}},
        {"a": {"b": {"c": 1}}},
    ),
    "nothing is made for what only goes": ({}, {"a": {"b": None, "c": {}}}, {}),
    "a list that an edit took away stays away": (
        {},
        {"a": {"=x": {"b": 1}, "0": 1}, "b": {"*": {"x": 1}}},
        {},
    ),
    "an added item stands at its place": ([1, 2, 3], {"+1": 9, "0": None}, [2, 9, 3]),
    "an added item behind the end stands at the end": ([1], {"+7": 9}, [1, 9]),
    "an object keeps what an edit put there": (
        {"a": {"b": 1, "c": {"d": 2}}},
        {"a": {"=": {"b": 0, "c": {"e": 3}, "f": 4}}},
        {"a": {"b": 1, "c": {"d": 2, "e": 3}, "f": 4}},
    ),
    "added items make a list": ({}, {"a": {"+0": 1, "+1": {"=": None}}}, {"a": [1, None]}),
    "a patch of an object leaves a text alone": ("text", {"a": 1}, "text"),
}

HOSTILE: list[Patch] = [
    {"9" * 5000: 1},
    {"+" + "9" * 5000: 1},
    {"+0": {"x": 1}},
    {"*": None},
    {"*": "x"},
    {"=": {"=": None}},
    {"=x": {}},
    {"": None},
    {"٣": 1},
    {"0": {"0": {"0": None}}},
]


@pytest.mark.parametrize(("before", "after", "patch"), PATCHES.values(), ids=PATCHES.keys())
def test_a_patch_reads_like_what_it_changes(before: Any, after: Any, patch: Patch) -> None:
    assert difference(before, after) == patch
    assert same(apply(before, patch), after)


@pytest.mark.parametrize(("edited", "patch", "after"), EDITED.values(), ids=EDITED.keys())
def test_a_patch_meets_a_value_that_somebody_has_edited(
    edited: Any, patch: Patch, after: Any
) -> None:
    assert same(apply(edited, patch), after)


@many
@given(things, things)
def test_the_difference_of_two_values_leads_from_one_to_the_other(before: Any, after: Any) -> None:
    copy = msgspec.json.encode(before)
    patch = msgspec.json.decode(msgspec.json.encode(difference(before, after)))
    assert same(apply(before, patch), after)
    assert msgspec.json.encode(before) == copy


@few
@given(things)
def test_a_value_does_not_differ_from_itself(value: Any) -> None:
    assert difference(value, msgspec.json.decode(msgspec.json.encode(value))) == NOTHING


@few
@given(things, things)
def test_the_branches_of_a_patch_join_to_the_patch(before: Any, after: Any) -> None:
    def leaves(patch: Patch) -> list[Patch]:
        inner = branches(patch)
        return [leaf for part in inner for leaf in leaves(part)] if inner else [patch]

    patch = difference(before, after)
    assume(
        b"[" not in msgspec.json.encode(patch)
    )  # the items of a stated list are added one by one
    assert same(apply(before, reduce(joined, leaves(patch), NOTHING)), after)


@few
@given(things, things)
def test_a_patch_changes_again_what_it_has_changed_and_nothing_changes_nothing(
    before: Any, after: Any
) -> None:
    patch = difference(before, after)
    assert changed_again(patch, patch) is (patch != NOTHING or not isinstance(patch, dict))
    assert not changed_again(NOTHING, patch)
    assert not changed_again(patch, NOTHING)


@pytest.mark.parametrize(
    ("first", "then", "verdict"),
    [
        ({"a": 1}, {"a": {"b": 2}}, True),
        ({"a": {"b": 1}}, {"a": None}, False),  # would have gone anyway
        ({"a": 1}, {"a": None}, True),
        ({"a": {"b": 1}}, {"a": {"c": 1}, "b": 1}, False),
        ({"v": {"=x": {"required": None}}}, {"v": {"*": {"required": True}}}, True),
        ({"v": {"*": {"secret": True}}}, {"v": {"=x": {"required": None}}}, False),
        ({"args": {"8": None}}, {"args": {"+8": "x"}}, True),  # the same place, by other names
        ({"packages": {"0": {"x": 1}}}, {"packages": {"+1": {"=": {}}}}, False),
        ({"packages": {"+0": {"=": {}}}}, {"packages": {"0": {"x": 1}}}, True),
    ],
)
def test_a_patch_changes_again_what_another_has_changed(
    first: Patch, then: Patch, verdict: bool
) -> None:
    assert changed_again(first, then) is verdict


@pytest.mark.parametrize(
    ("patch", "parts"),
    [
        (1, []),
        (None, []),
        ({}, []),
        ({"=": {"a": 1}}, []),
        ({"a": 1, "b": {"c": 2}}, [{"a": 1}, {"b": {"c": 2}}]),
        ({"a": {"b": {"c": 1, "d": 2}}}, [{"a": {"b": {"c": 1}}}, {"a": {"b": {"d": 2}}}]),
        ({"a": [1, {"b": 2}]}, [{"a": {"+0": 1}}, {"a": {"+1": {"=": {"b": 2}}}}]),
        ({"args": {"0": 1, "1": None}}, []),  # places mean something only together
        ({"args": {"0": {"type": "named", "name": "x"}}}, []),  # another kind of thing
        (
            {"packages": {"0": {"version": "1", "x": 2}}},
            [{"packages": {"0": {"version": "1"}}}, {"packages": {"0": {"x": 2}}}],
        ),
    ],
)
def test_a_patch_is_split_where_its_parts_mean_something_alone(
    patch: Patch, parts: list[Patch]
) -> None:
    assert branches(patch) == parts


@pytest.mark.parametrize("patch", HOSTILE, ids=lambda patch: str(patch)[:30])
@pytest.mark.parametrize("value", [{}, {"=x": 1}, [], [1, {"name": "x"}], "text", None])
def test_a_patch_of_a_stranger_never_fails(value: Any, patch: Patch) -> None:
    msgspec.json.encode(apply(value, patch))


@few
@given(things, things, things)
def test_no_patch_fails_on_any_value(value: Any, patch: Any, other: Any) -> None:
    msgspec.json.encode(apply(value, joined(patch, other)))
    changed_again(patch, other)
    branches(patch)


def test_long_lists_cost_no_more_than_their_length() -> None:
    before = [{"name": str(n)} for n in range(20_000)]
    after = [{"name": str(n), "x": n} for n in range(0, 40_000, 2)]
    assert same(apply(before, difference(before, after)), after)
    assert apply([0] * 20_000, {f"+{n}": n for n in range(20_000)}) == [
        *range(20_000),
        *[0] * 20_000,
    ]

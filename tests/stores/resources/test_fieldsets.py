from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thv.stores.resources.fieldsets import (
    ABSENT,
    NO_FIELDS,
    Difference,
    difference,
    fields_of,
    from_fields_v1,
    merge,
    removed,
    spelled,
    to_fields_v1,
    with_named_parents,
)
from thv.stores.resources.ownership import Manager, Owned, managed_fields, owners_of, updated

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "whole": {
            "type": "object",
            "x-kubernetes-map-type": "atomic",
            "properties": {"a": {"type": "integer"}},
        },
        "parts": {
            "type": "object",
            "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
        },
        "words": {"type": "object", "additionalProperties": {"type": "string"}},
        "list": {"type": "array", "items": {"type": "string"}},
        "set": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
        "map": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["id"],
            "items": {
                "type": "object",
                "properties": {"id": {"type": "string"}, "n": {"type": "integer"}},
            },
        },
    },
}


def _tree(value: Any) -> dict[str, Any]:
    return to_fields_v1(fields_of(SCHEMA, value))


@pytest.mark.parametrize(
    ("value", "tree"),
    [
        ({"text": "x"}, {"f:text": {}}),
        ({"whole": {"a": 1}}, {"f:whole": {}}),
        ({"parts": {"a": 1}}, {"f:parts": {"f:a": {}}}),
        ({"parts": {}}, {"f:parts": {}}),
        ({"parts": None}, {"f:parts": {}}),
        ({"words": {"x": "1"}}, {"f:words": {"f:x": {}}}),
        ({"list": ["a"]}, {"f:list": {}}),
        ({"set": ["a", "b"]}, {"f:set": {'v:"a"': {}, 'v:"b"': {}}}),
        ({"set": []}, {}),
        (
            {"map": [{"id": "x", "n": 1}]},
            {"f:map": {'k:{"id":"x"}': {".": {}, "f:id": {}, "f:n": {}}}},
        ),
        ({"set": ["a", "a"]}, {"f:set": {}}),
        ({"map": [{"n": 1}]}, {"f:map": {}}),
        ({"unknown": {"a": [1]}}, {"f:unknown": {".": {}, "f:a": {}}}),
    ],
)
def test_fields_of_a_configuration(value: Any, tree: dict[str, Any]) -> None:
    assert _tree(value) == tree


_elements = st.sampled_from(["f:a", "f:b", 'k:{"id":"x"}', 'v:"a"'])
_fields = st.frozensets(st.lists(_elements, min_size=1, max_size=4).map(tuple), max_size=12)


@given(_fields)
def test_tree_of_fields_reads_back(fields: frozenset[tuple[str, ...]]) -> None:
    assert from_fields_v1(to_fields_v1(fields)) == fields


def test_paths_are_spelled_for_people() -> None:
    assert spelled(("f:status", "f:conditions", 'k:{"type":"Ready"}', "f:reason")) == (
        '.status.conditions[type="Ready"].reason'
    )
    assert spelled(("f:set", 'v:"a"')) == '.set[="a"]'


def test_difference_tells_added_removed_and_modified() -> None:
    old = {"text": "x", "parts": {"a": 1}, "set": ["a"], "map": [{"id": "x", "n": 1}]}
    new = {"text": "y", "words": {"w": "1"}, "set": ["b"], "map": [{"id": "x", "n": 2}]}
    found = difference(SCHEMA, old, new)
    assert found.modified == {("f:text",), ("f:map", 'k:{"id":"x"}', "f:n")}
    assert found.added == {("f:words",), ("f:words", "f:w"), ("f:set", 'v:"b"')}
    assert found.removed == {("f:parts",), ("f:parts", "f:a"), ("f:set", 'v:"a"')}


_values = st.fixed_dictionaries(
    {},
    optional={
        "text": st.sampled_from("xy"),
        "whole": st.fixed_dictionaries({"a": st.integers(0, 1)}),
        "parts": st.fixed_dictionaries(
            {}, optional={"a": st.integers(0, 1), "b": st.integers(0, 1)}
        ),
        "words": st.dictionaries(st.sampled_from("xyz"), st.sampled_from("12"), max_size=3),
        "list": st.lists(st.sampled_from("ab"), max_size=2),
        "set": st.lists(st.sampled_from("abcd"), max_size=4, unique=True),
        "map": st.lists(st.sampled_from("xyz"), max_size=3, unique=True).map(
            lambda ids: [{"id": i, "n": 1} for i in ids]
        ),
    },
)


@given(_values)
def test_nothing_differs_from_itself(value: dict[str, Any]) -> None:
    assert difference(SCHEMA, value, value) == Difference(NO_FIELDS, NO_FIELDS, NO_FIELDS)


@given(_values, _values)
def test_difference_is_the_same_seen_from_the_other_side(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    there, back = difference(SCHEMA, old, new), difference(SCHEMA, new, old)
    assert (there.added, there.removed, there.modified) == (back.removed, back.added, back.modified)


@given(_values, _values)
def test_merge_holds_all_that_the_configuration_says(
    live: dict[str, Any], config: dict[str, Any]
) -> None:
    merged = merge(SCHEMA, live, config)
    merged = {} if merged is ABSENT else merged
    assert difference(SCHEMA, merged, merge(SCHEMA, merged, config)).written == NO_FIELDS
    assert not difference(SCHEMA, live, merged).removed - {
        ("f:parts",),
        ("f:words",),
        ("f:set",),
        ("f:map",),
    }


@given(_values)
def test_merge_of_nothing_changes_nothing(live: dict[str, Any]) -> None:
    assert merge(SCHEMA, live, {}) == (live or {})


@pytest.mark.parametrize(
    ("live", "config", "merged"),
    [
        ("abc", "", "abc"),
        ("abc", "c", "abc"),
        ("abc", "ca", "bca"),
        ("abc", "xb", "axbc"),
        ("", "ba", "ba"),
        ("ab", "cd", "abcd"),
        ("abc", "cba", "cba"),
    ],
)
def test_items_follow_the_order_of_the_configuration(live: str, config: str, merged: str) -> None:
    value = merge(SCHEMA, {"set": list(live)}, {"set": list(config)} if config else {})
    assert "".join(value["set"]) == merged


@given(_values)
def test_removing_every_field_leaves_nothing(value: dict[str, Any]) -> None:
    everything = with_named_parents(SCHEMA, fields_of(SCHEMA, value)) | {
        (f"f:{key}",) for key in value
    }
    assert removed(SCHEMA, value, everything) is ABSENT


def test_removing_one_item_leaves_the_others() -> None:
    value = {
        "set": ["a", "b"],
        "map": [{"id": "x", "n": 1}, {"id": "y"}],
        "words": {"p": "1", "q": "2"},
    }
    fields = frozenset({("f:set", 'v:"a"'), ("f:map", 'k:{"id":"x"}', "f:n"), ("f:words", "f:p")})
    assert removed(SCHEMA, value, fields) == {
        "set": ["b"],
        "map": [{"id": "x"}, {"id": "y"}],
        "words": {"q": "2"},
    }


# ---------------------------------------------------------------- owners


def test_owners_read_back_what_was_written() -> None:
    owners = {
        Manager("Apply", "one", "status"): Owned(
            frozenset({("f:status", "f:phase")}), "v1", "2026-11-20T10:00:00Z"
        ),
        Manager("Apply", "two"): Owned(frozenset({("f:text",)}), "v1"),
        Manager("Update", "one"): Owned(
            frozenset({("f:parts", "f:a")}), "v1", "2026-11-20T10:00:00Z"
        ),
    }
    entries = managed_fields(owners)
    assert [(entry["operation"], entry["manager"]) for entry in entries] == [
        ("Apply", "two"),
        ("Apply", "one"),
        ("Update", "one"),
    ]
    assert owners_of({"metadata": {"managedFields": entries}}) == owners


def test_the_oldest_of_many_updaters_are_counted_as_one() -> None:
    owners: dict[Manager, Owned] = {}
    live: dict[str, Any] = {}
    for number in range(13):
        new = {"words": {**live.get("words", {}), f"w{number}": "1"}}
        time = f"2026-11-20T10:00:{number:02}Z"
        manager = Manager("Update", f"m{number}")
        owners = updated(SCHEMA, live, new, owners, manager, api_version="v1", now=time)
        live = new
    assert len(owners) == 10
    ancient = owners[Manager("Update", "ancient-changes")]
    assert ancient.fields == {("f:words",), *(("f:words", f"f:w{number}") for number in range(4))}
    assert ancient.time == "2026-11-20T10:00:03Z"

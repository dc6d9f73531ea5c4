from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thv.domain.errors import FieldError
from thv.domain.resources import MCP_REGISTRY
from thv.formats.crd import registry_schema
from thv.stores.resources.definitions import definition_of
from thv.stores.resources.schema import defaulted, pruned, unknown_fields, validate

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 5, "pattern": "^[a-z]*$"},
        "kind": {"type": "string", "enum": ["a", "b"], "default": "a"},
        "count": {"type": "integer", "format": "int64", "minimum": 1, "maximum": 9},
        "flag": {"type": "boolean"},
        "when": {"type": "string", "format": "date-time"},
        "bytes": {"type": "string", "format": "byte"},
        "nested": {
            "type": "object",
            "default": {},
            "properties": {"depth": {"type": "integer", "default": 1}, "kind": {"type": "string"}},
        },
        "maybe": {"type": "object", "properties": {"depth": {"type": "integer", "default": 1}}},
        "set": {
            "type": "array",
            "maxItems": 3,
            "x-kubernetes-list-type": "set",
            "items": {"type": "string"},
        },
        "map": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["id"],
            "items": {
                "type": "object",
                "properties": {"id": {"type": "string"}, "min": {"type": "integer", "default": 1}},
            },
        },
        "words": {"type": "object", "maxProperties": 2, "additionalProperties": {"type": "string"}},
        "open": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "quantity": {"x-kubernetes-int-or-string": True, "pattern": "^[0-9]+Mi$"},
        "secret": {"type": "string", "minLength": 8, "x-secret": True},
    },
}


def _messages(value: Any) -> list[str]:
    return [str(error) for error in validate(SCHEMA, value)]


@pytest.mark.parametrize(
    "value",
    [
        {"name": "a"},
        {"name": "a", "kind": "b", "count": 9, "flag": False, "nested": {}, "set": ["a", "b"]},
        {"name": "a", "when": "2026-11-20T10:00:00Z"},
        {"name": "a", "when": "2026-11-20t10:00:00.123456789+01:00"},
        {"name": "a", "bytes": "aGk="},
        {"name": "a", "bytes": "aG\nk=\n"},
        {"name": "a", "map": [{"id": "x"}, {"id": "y"}]},
        {"name": "a", "words": {"x": "y"}},
        {"name": "a", "open": {"anything": [1, {"goes": None}]}},
        {"name": "a", "quantity": 5},
        {"name": "a", "quantity": "5Mi"},
    ],
)
def test_what_fits_is_accepted(value: Any) -> None:
    assert _messages(value) == []


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({}, "name: Required value"),
        ({"name": None}, "name: Required value"),
        ({"name": 5}, "name: Invalid value: 5: must be a string"),
        ({"name": ""}, 'name: Invalid value: "": must have at least 1 character'),
        ({"name": "abcdef"}, "name: Too long: has 6 characters, may have at most 5"),
        ({"name": "A"}, "name: Invalid value: \"A\": must match '^[a-z]*$'"),
        ({"name": "a", "kind": "c"}, 'kind: Unsupported value: "c": supported values: "a", "b"'),
        ({"name": "a", "count": 0}, "count: Invalid value: 0: must be at least 1"),
        ({"name": "a", "count": 10}, "count: Invalid value: 10: must be at most 9"),
        (
            {"name": "a", "count": 2**63},
            "count: Invalid value: 9223372036854775808: must fit into 64 bits",
        ),
        ({"name": "a", "count": True}, "count: Invalid value: true: must be an integer"),
        ({"name": "a", "count": 1.5}, "count: Invalid value: 1.5: must be an integer"),
        ({"name": "a", "flag": 1}, "flag: Invalid value: 1: must be a boolean"),
        (
            {"name": "a", "when": "2026-11-20"},
            'when: Invalid value: "2026-11-20": must be a time such as 2027-03-01T00:00:00Z',
        ),
        (
            {"name": "a", "when": "2026-13-20T10:00:00Z"},
            'when: Invalid value: "2026-13-20T10:00:00Z": must be a time such as 2027-03-01T00:00:00Z',
        ),
        ({"name": "a", "bytes": "a"}, 'bytes: Invalid value: "a": must be base64'),
        ({"name": "a", "nested": []}, "nested: Invalid value: []: must be an object"),
        ({"name": "a", "nested": None}, "nested: Invalid value: null: must be an object"),
        ({"name": "a", "set": "x"}, 'set: Invalid value: "x": must be a list'),
        ({"name": "a", "set": ["a", "b", "c", "d"]}, "set: Too many: 4: must have at most 3 items"),
        ({"name": "a", "set": ["a", 1]}, "set[1]: Invalid value: 1: must be a string"),
        ({"name": "a", "set": ["a", "b", "a"]}, 'set[2]: Duplicate value: "a"'),
        (
            {"name": "a", "map": [{"id": "x", "min": 1}, {"id": "x", "min": 2}]},
            'map[1]: Duplicate value: {"id":"x"}',
        ),
        (
            {"name": "a", "words": {"x": "1", "y": "2", "z": "3"}},
            "words: Too many: 3: must have at most 2 entries",
        ),
        ({"name": "a", "words": {"x.y": 1}}, "words[x.y]: Invalid value: 1: must be a string"),
        (
            {"name": "a", "quantity": "much"},
            "quantity: Invalid value: \"much\": must match '^[0-9]+Mi$'",
        ),
        (
            {"name": "a", "quantity": 1.5},
            "quantity: Invalid value: 1.5: must be an integer or a string",
        ),
        (
            {"name": "a", "secret": "hunter2"},
            "secret: Invalid value: must have at least 8 characters",
        ),
        ({"name": "a", "secret": 12345}, "secret: Invalid value: must be a string"),
    ],
)
def test_what_does_not_fit_is_named(value: Any, message: str) -> None:
    assert _messages(value) == [message]


def test_every_error_is_found() -> None:
    errors = validate(SCHEMA, {"kind": "c", "count": 0, "nested": {"depth": "x"}, "set": [1, 2]})
    assert [error.path for error in errors] == [
        "name",
        "kind",
        "count",
        "nested.depth",
        "set[0]",
        "set[1]",
    ]


def test_value_of_a_secret_is_in_no_error() -> None:
    (error,) = validate(SCHEMA, {"name": "a", "secret": "hunter2"})
    assert error.value is None


def test_long_values_are_cut_in_messages() -> None:
    (error,) = validate(SCHEMA, {"name": "a", "count": "x" * 1000})
    assert len(error.message) < 300


# ---------------------------------------------------------------- unknown fields


@pytest.mark.requirement("REG-01")
@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"bogus": 1}, 'unknown field "spec.bogus"'),
        (
            {"displayname": "x"},
            'unknown field "spec.displayname", did you mean "spec.displayName"?',
        ),
        (
            {"display_name": "x"},
            'unknown field "spec.display_name", did you mean "spec.displayName"?',
        ),
        (
            {"source": {"format": "x"}},
            'unknown field "spec.source.format", did you mean "spec.format"?',
        ),
        (
            {"source": {"configmap": {}}},
            'unknown field "spec.source.configmap", did you mean "spec.source.configMap"?',
        ),
        (
            {"syncPolicy": {"intervall": "1h"}},
            'unknown field "spec.syncPolicy.intervall", did you mean "spec.syncPolicy.interval"?',
        ),
        (
            {"validationPolicy": {"review": {"teams": [{"name": "a"}, {"nam": "b"}]}}},
            'unknown field "spec.validationPolicy.review.teams[1].nam", did you mean "spec.validationPolicy.review.teams[1].name"?',
        ),
    ],
)
def test_unknown_field_says_what_was_probably_meant(spec: dict[str, Any], message: str) -> None:
    (error,) = unknown_fields(definition_of(MCP_REGISTRY).schema, {"spec": spec})
    assert error.message == message


def test_unknown_fields_of_metadata_are_found() -> None:
    schema = definition_of(MCP_REGISTRY).schema
    assert unknown_fields(schema, {"metadata": {"lables": {}}, "stuff": 1}) == [
        FieldError(
            "metadata.lables", 'unknown field "metadata.lables", did you mean "metadata.labels"?'
        ),
        FieldError("stuff", 'unknown field "stuff"'),
    ]
    assert (
        unknown_fields(
            schema, {"metadata": {"labels": {"any.thing/x": "y"}, "managedFields": [{"x": 1}]}}
        )
        == []
    )


# ---------------------------------------------------------------- pruning and defaults


def test_pruning_drops_what_nobody_described() -> None:
    value = {
        "name": "a",
        "bogus": 1,
        "nested": {"bogus": 1, "depth": 2},
        "map": [{"id": "x", "bogus": 1}],
        "open": {"b": 1},
    }
    assert pruned(SCHEMA, value) == {
        "name": "a",
        "nested": {"depth": 2},
        "map": [{"id": "x"}],
        "open": {"b": 1},
    }


def test_pruning_drops_nulls_that_say_nothing() -> None:
    value = {
        "name": "a",
        "flag": None,
        "nested": {"depth": None},
        "words": {"x": None},
        "open": {"kept": None},
    }
    assert pruned(SCHEMA, value) == {"name": "a", "nested": {}, "words": {}, "open": {"kept": None}}


def test_defaults_are_written_at_every_depth() -> None:
    value = {"name": "a", "map": [{"id": "x"}, {"id": "y", "min": 2}], "maybe": {}}
    assert defaulted(SCHEMA, value) == {
        "name": "a",
        "map": [{"id": "x", "min": 1}, {"id": "y", "min": 2}],
        "maybe": {"depth": 1},
        "kind": "a",
        "nested": {"depth": 1},
    }


def test_default_stands_in_for_null() -> None:
    assert defaulted(SCHEMA, {"nested": None, "kind": None}) == {
        "nested": {"depth": 1},
        "kind": "a",
    }


def test_written_defaults_belong_to_the_object() -> None:
    schema = {"type": "object", "properties": {"list": {"type": "array", "default": [1]}}}
    defaulted(schema, {})["list"].append(2)
    assert defaulted(schema, {}) == {"list": [1]}


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*SCHEMA["properties"], "depth", "id", "x"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from([*SCHEMA["properties"], "bogus"]), _json, max_size=6))
def test_any_value_is_handled_and_left_as_it_was(value: dict[str, Any]) -> None:
    before = copy.deepcopy(value)
    clean = defaulted(SCHEMA, pruned(SCHEMA, value))
    validate(SCHEMA, value)
    assert value == before
    assert unknown_fields(SCHEMA, clean) == []
    assert defaulted(SCHEMA, pruned(SCHEMA, clean)) == clean


def test_every_default_of_a_registry_is_itself_valid() -> None:
    spec = {
        "source": {"type": "git", "git": {"repository": "https://git.example.com/x"}},
        "validationPolicy": {},
        "promotionCriteria": {},
    }
    filled = defaulted(registry_schema(), {"spec": spec})
    assert validate(registry_schema(), filled) == []

"""What a comparison of two versions comes to, and how the places that differ are called."""

from __future__ import annotations

from typing import Any

import pytest

from thv.apps.dashboard.difference_words import changes, remarks, verdict

pytestmark = pytest.mark.requirement("GOV-14")

QUIET: dict[str, Any] = {"tools_added": [], "tools_removed": [], "tools_changed": []}


def a_server(*variables: str, **fields: Any) -> dict[str, Any]:
    config = {"env_vars": [{"name": each} for each in variables]}
    return {"image": "example/a:1", "deployment_config": config, "air_gapped": {}, **fields}


@pytest.mark.parametrize(
    ("head", "summary", "words"),
    [
        (a_server(), {"tools_added": ["wipe"]}, "Its tools differ"),
        (a_server(image="example/a:2"), {}, "Something else runs"),
        (a_server("KEY"), {}, "It is set up differently"),
        (a_server(target_port=80), {}, "It is called differently"),
        (a_server(args=["-v"]), {}, "It is set up differently"),
        (
            a_server("KEY", image="example/a:2"),
            {"tools_removed": ["wipe"]},
            "Something else runs, its tools differ and it is set up differently",
        ),
    ],
)
def test_the_verdict_says_what_differs(head: Any, summary: Any, words: str) -> None:
    said = remarks(a_server(), head, {**QUIET, **summary})
    comparison = {"summary": {"risk": "medium"}, "changes": [{}]}
    assert verdict(comparison, said) == ("warn", words)


@pytest.mark.parametrize(
    ("path", "op", "value", "place"),
    [
        ("/tools/39", "add", "wipe", "tools / wipe"),
        ("/tags/1", "remove", "sql", "tags / sql"),
        ("/env_vars/0/description", "replace", "x", "env_vars / KEY / description"),
        ("/env_vars/1", "remove", {"name": "OLD"}, "env_vars / OLD"),
        ("/tool_definitions/3/description", "replace", "x", "tool_definitions / no. 4 / description"),
        ("/custom_metadata/a~1b/~0c", "add", 1, "custom_metadata / a/b / ~c"),
        ("", "replace", {}, ""),
    ],
)  # fmt: skip
def test_elements_of_lists_are_called_by_name(path: str, op: str, value: Any, place: str) -> None:
    change = {"path": path, "op": op, "old": value, "new": value}
    (found,) = changes([change], 10, a_server("KEY"), a_server("KEY", "OLD"))
    assert found.place == place


def test_variables_are_compared_by_name_where_their_places_differ() -> None:
    every: list[dict[str, Any]] = [
        {"path": "/env_vars/0/name", "op": "replace", "old": "B", "new": "A"},
        {"path": "/env_vars/1", "op": "add", "old": None, "new": {"name": "B"}},
        {"path": "/image", "op": "replace", "old": "x", "new": "y"},
    ]
    found = changes(every, 10, a_server("A", "B"), a_server("B", "C"))
    assert [(each.place, each.kind) for each in found] == [
        ("image", "changed"),
        ("env_vars / A", "added"),
        ("env_vars / C", "removed"),
    ]

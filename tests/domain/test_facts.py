from __future__ import annotations

from typing import Any

import pytest

from thv.domain.canonical import JsonObject
from thv.domain.entry import PUBLISHER_META, TOOLHIVE_PUBLISHER, Entry, Status
from thv.domain.facts import Facts, FactsReader, facts_of
from thv.domain.taxonomy import Category, Taxonomy

IMAGE = "ghcr.io/example/files:1.0.0"
SERVER: JsonObject = {
    "name": "io.github.stacklok/files",
    "version": "1.0.0",
    "title": "Files",
    "description": "Keeps files",
    "packages": [{"registryType": "oci", "identifier": IMAGE, "transport": {"type": "stdio"}}],
}


def facts(
    block: Any = None, publisher: Any = None, status: Status = Status.ACTIVE, **fields: Any
) -> Facts:
    extension = {TOOLHIVE_PUBLISHER: {IMAGE: block}} if block is not None else {}
    provided = {**extension, **publisher} if isinstance(publisher, dict) else publisher or extension
    server = {**SERVER, "_meta": {PUBLISHER_META: provided}, **fields}
    return facts_of(Entry(server=server, status=status))


def test_all_facts_of_an_entry() -> None:
    block = {
        "tier": "Official",
        "status": "active",
        "tags": ["files", 7],
        "tools": ["find"],
        "metadata": {"stars": 5, "pulls": 7},
        "custom_metadata": {
            "category": " Storage ",
            "team": "blue",
            "n": 3,
            "on": True,
            "list": [],
        },
    }
    assert facts(block) == Facts(
        name="io.github.stacklok/files",
        key="files",
        version="1.0.0",
        title="Files",
        description="Keeps files",
        kind="container",
        reference=IMAGE,
        transport="stdio",
        tier="Official",
        status=Status.ACTIVE,
        category="storage",
        category_derived=False,
        tags=("files",),
        tools=("find",),
        stars=5,
        pulls=7,
        custom={"category": " Storage ", "team": "blue", "n": "3", "on": "true"},
    )


def test_what_nobody_said_is_absent_and_no_guess() -> None:
    found = facts_of(Entry(server={"name": "a/b", "version": ""}))
    assert found == Facts(
        name="a/b",
        key="a/b",
        version="",
        title="",
        description="",
        kind="none",
        reference="",
        transport="",
        tier="",
        status=Status.ACTIVE,
        category="",
        category_derived=True,
        tags=(),
        tools=(),
        stars=None,
        pulls=None,
        custom={},
    )


# Name of the case, the fact, the publisher's ToolHive block, the rest of the publisher's extension, its value.
CASES: dict[str, tuple[str, Any, Any, Any]] = {
    "tags of the block": ("tags", {"tags": ["a"]}, {"tags": ["b"]}, ("a",)),
    "tags of the publisher": ("tags", {}, {"tags": ["b"], "keywords": ["c"]}, ("b",)),
    "keywords": ("tags", {"tags": []}, {"keywords": ["c"]}, ("c",)),
    "tags of another type": ("tags", {"tags": "a"}, {"tags": {}}, ()),
    "named tools": ("tools", {"tools": ["a"], "tool_definitions": [{"name": "b"}]}, {}, ("a",)),
    "defined tools": ("tools", {"tool_definitions": [{"name": "b"}, {"name": ""}, 1]}, {}, ("b",)),
    "no tools": ("tools", {"tool_definitions": {}}, {}, ()),
    "category of the block": ("category", {"category": "Search"}, {}, "search"),
    "first of several categories": ("category", {"categories": ["A", "B"]}, {}, "a"),
    "category of the publisher": ("category", {}, {"category": "Search"}, "search"),
    "a long category": ("category", {"category": "x" * 80}, {}, "x" * 63),
    "tier of another type": ("tier", {"tier": 1}, {}, ""),
    "stars of another type": ("stars", {"metadata": {"stars": "many"}}, {}, None),
    "true is no number": ("pulls", {"metadata": {"pulls": True}}, {}, None),
    "metadata of another type": ("stars", {"metadata": []}, {}, None),
    "false is a word": (
        "custom",
        {"custom_metadata": {"on": False, "x": None}},
        {},
        {"on": "false"},
    ),
}


@pytest.mark.parametrize(("name", "block", "publisher", "value"), CASES.values(), ids=CASES.keys())
def test_a_fact_and_where_it_comes_from(name: str, block: Any, publisher: Any, value: Any) -> None:
    assert getattr(facts(block, publisher), name) == value


@pytest.mark.parametrize(
    ("said", "block", "status"),
    [
        (Status.ACTIVE, {}, Status.ACTIVE),
        (Status.ACTIVE, {"status": "Deprecated"}, Status.DEPRECATED),
        (Status.ACTIVE, {"status": ["deprecated"]}, Status.ACTIVE),
        (Status.DELETED, {"status": "active"}, Status.DELETED),
        (Status.DEPRECATED, {"status": "active"}, Status.DEPRECATED),
    ],
)
def test_the_word_of_the_registry_outranks_that_of_the_publisher(
    said: Status, block: Any, status: Status
) -> None:
    assert facts(block, status=said).status is status


def test_the_block_under_the_reference_outranks_the_first() -> None:
    both = {TOOLHIVE_PUBLISHER: {"other": {"tier": "Community"}, IMAGE: {"tier": "Official"}}}
    assert facts(publisher=both).tier == "Official"


def test_the_first_block_stands_in_when_the_reference_has_none() -> None:
    assert (
        facts(publisher={TOOLHIVE_PUBLISHER: {"x": 1, "other": {"tier": "Community"}}}).tier
        == "Community"
    )


@pytest.mark.parametrize(
    "dirt", [None, 1, "x", [], {PUBLISHER_META: 1}, {PUBLISHER_META: {TOOLHIVE_PUBLISHER: 1}}]
)
def test_extensions_of_another_shape_hold_no_facts(dirt: Any) -> None:
    assert facts(_meta=dirt).tier == ""


def test_a_category_that_nobody_declared_is_derived() -> None:
    storage = Category(name="storage", display_name="", description="", words=("files",))
    found = facts_of(Entry(server=SERVER), Taxonomy([storage]))
    assert (found.category, found.category_derived) == ("storage", True)


@pytest.mark.parametrize(
    "second",
    [
        {"version": "2.0.0"},
        {"version": "2.0.0", "packages": [{"registryType": "oci", "identifier": "a/b:2"}]},
        {"version": "2.0.0", "remotes": [{"type": "sse", "url": "https://example.com/sse"}]},
        {"version": "2.0.0", "description": "a database of weather"},
        {"version": "2.0.0", "title": "Another"},
        {"version": "2.0.0", "name": "io.example/other"},
    ],
)
def test_reading_versions_in_a_row_gives_the_facts_of_each(second: dict[str, Any]) -> None:
    first = {"name": "io.example/a", "version": "1.0.0", "description": "a browser"}
    reader = FactsReader()
    for entry in (Entry(server=first), Entry(server={**first, **second}), Entry(server=first)):
        assert reader.read(entry) == facts_of(entry)


def test_reading_versions_in_a_row_sees_another_status_and_another_toolhive_block() -> None:
    server = {"name": "io.example/a", "version": "1.0.0", "description": "a browser"}
    block = {"https://example.com/sse": {"tier": "Official", "tags": ["web"]}}
    publisher = {PUBLISHER_META: {TOOLHIVE_PUBLISHER: block}}
    reader = FactsReader()
    for entry in (
        Entry(server=server),
        Entry(server=server, status=Status.DEPRECATED),
        Entry(server={**server, "_meta": publisher}),
        Entry(server={**server, "_meta": publisher, "version": "2.0.0"}),
        Entry(server=server),
    ):
        assert reader.read(entry) == facts_of(entry)

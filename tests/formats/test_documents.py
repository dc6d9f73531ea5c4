from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.formats.real import entries, items, real_data, real_documents
from tests.formats.strategies import containers, endpoints, few, keys, texts
from tests.formats.strategies import servers as random_servers
from thv.domain.canonical import JsonObject
from thv.domain.entry import OFFICIAL_META, Entry
from thv.domain.errors import Code, ThvError
from thv.domain.facts import facts_of
from thv.formats.documents import (
    DOCUMENT_META,
    ENTRY_LIMIT,
    ENVELOPE_SCHEMA,
    Container,
    DocumentReader,
    FolderReader,
    Format,
    Found,
    Head,
    Item,
    Rejected,
    combined,
    items_of,
    official_document,
    toolhive_document,
)
from thv.formats.generations import NEWEST_SCHEMA
from thv.formats.official import RejectedError, entry_of
from thv.formats.toolhive import entry_of_toolhive, placed_entry

pytestmark = pytest.mark.requirement("FMT-01")

FOLDER = Path(__file__).parent.parent / "data" / "generations"
NAMES = ["io.example/files", "io.example/notes", "io.example/search"]


def fixture(name: str) -> bytes:
    return (FOLDER / name).read_bytes()


def read(
    document: bytes | Any, expected: Format | None = None
) -> tuple[DocumentReader, list[Item]]:
    data = document if isinstance(document, bytes) else msgspec.json.encode(document)
    reader = DocumentReader(expected)
    return reader, [*reader.feed(data), *reader.close()]


def names(found: Iterable[Item]) -> list[str]:
    return [item.entry.name for item in found if isinstance(item, Found)]


def rejected(found: Iterable[Item]) -> list[Rejected]:
    return [item for item in found if isinstance(item, Rejected)]


def merged(found: Iterable[Item]) -> list[Entry]:
    """The entries as a mirror holds them: one for each name and version."""
    kept: dict[tuple[str, str], Entry] = {}
    for item in found:
        if isinstance(item, Found):
            key = (item.entry.name, item.entry.version)
            kept[key] = combined(kept[key], item.entry) if key in kept else item.entry
    return list(kept.values())


def toolhive_of(kept: list[Entry], head: Head, *, pretty: bool = True) -> bytes:
    return b"".join(toolhive_document(lambda: kept, head, pretty=pretty))


def official_of(kept: list[Entry], head: Head, *, pretty: bool = True) -> bytes:
    return b"".join(official_document(lambda: kept, head, pretty=pretty))


# Reading ---------------------------------------------------------------------------------------------------

CONTAINERS = {
    "toolhive.json": (Container.TOOLHIVE, Format.TOOLHIVE),
    "envelope.json": (Container.ENVELOPE, Format.UPSTREAM),
    "page.json": (Container.PAGE, Format.UPSTREAM),
    "g9.json": (Container.ARRAY, Format.UPSTREAM),
    "g2.json": (Container.ARRAY, Format.UPSTREAM),
    "single.json": (Container.SINGLE, Format.UPSTREAM),
}


@pytest.mark.requirement("REG-06")
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf", b"\xef\xbb\xbf \n"])
@pytest.mark.parametrize("expected", [None, "same"])
@pytest.mark.parametrize(("file", "kinds"), CONTAINERS.items())
def test_a_document_is_recognized_by_its_content(
    file: str, kinds: tuple[Container, Format], mark: bytes, expected: str | None
) -> None:
    container, form = kinds
    reader, found = read(mark + fixture(file), form if expected else None)
    assert reader.container is container
    assert container.written_in is form
    assert rejected(found) == []
    assert set(names(found)) >= set(NAMES[: 1 if container is Container.SINGLE else 3])


@pytest.mark.parametrize("file", CONTAINERS)
@pytest.mark.parametrize("size", [1, 7, 100])
def test_a_document_reads_the_same_however_its_bytes_are_split(file: str, size: int) -> None:
    whole, found = read(fixture(file))
    reader, again = items(fixture(file), size)
    assert again == found
    assert reader.head == whole.head


def test_items_come_while_the_document_is_read() -> None:
    reader = DocumentReader()
    document = fixture("g9.json")
    assert names(reader.feed(document[: len(document) // 2])) == NAMES[:1]


def test_an_item_says_where_it_stood() -> None:
    places = {file: [item.place for item in read(fixture(file))[1]] for file in CONTAINERS}
    assert places["g9.json"] == ["[0]", "[1]", "[2]"]
    assert places["page.json"] == ["servers[0]", "servers[1]", "servers[2]"]
    assert places["envelope.json"] == [f"data.servers[{n}]" for n in range(3)]
    assert places["single.json"] == ["the document"]
    assert places["toolhive.json"] == [
        "servers.io.example/files",
        "servers.io.example/notes",
        "remote_servers.io.example/search",
        "groups[0].servers.io.example/notes",
        "groups[0].remote_servers.io.example/search",
        "groups[1].servers.archive",
    ]


@pytest.mark.requirement("FMT-02")
@pytest.mark.parametrize("generation", range(10))
def test_one_server_of_any_generation_is_a_document(generation: int) -> None:
    for item in msgspec.json.decode(fixture(f"g{generation}.json")):
        reader, found = read(item)
        assert reader.container is Container.SINGLE
        assert [each.entry for each in found if isinstance(each, Found)] == [
            each.entry for each in read([item])[1] if isinstance(each, Found)
        ]


@pytest.mark.parametrize(
    "marks",
    [
        {"description": "x"},
        {"$schema": NEWEST_SCHEMA},
        {"packages": []},
        {"remotes": [{"type": "sse", "url": "https://example.com/mcp"}]},
    ],
)
def test_few_members_make_a_server(marks: dict[str, Any]) -> None:
    assert names(read({"name": "io.example/files", "version": "1.0.0", **marks})[1]) == NAMES[:1]


@pytest.mark.parametrize("empty", [{"servers": {}}, {"servers": []}, [], {"data": {"servers": []}}])
def test_a_registry_without_entries_is_a_registry(empty: Any) -> None:
    reader, found = read(empty)
    assert found == []
    assert reader.container is not None


# Refusing --------------------------------------------------------------------------------------------------

CLIENT = {"type": "http", "url": "https://example.com/mcp"}
FOREIGN: dict[str, tuple[Any, str]] = {
    "a table of TOML": (b"[[package]]", "the first, [0]: not valid JSON"),
    "a package.json": (
        {"name": "files", "version": "1.0.0", "dependencies": {"x": "1"}},
        "a JSON object with the members dependencies, name, version",
    ),
    "a scoped package.json": ({"name": "@example/files", "version": "1.0.0"}, "name, version"),
    "a package-lock.json": (
        {"name": "x", "version": "1", "lockfileVersion": 3, "packages": {"": {"name": "x"}}},
        "lockfileVersion, name, packages, version",
    ),
    "a composer.json": (
        {"name": "a/b", "version": "1.0.0", "description": "x", "require": {"php": ">8"}},
        "the members description, name, require, version",
    ),
    "a composer.json of a domain": (
        {"name": "example.com/b", "version": "1.0.0", "require": {"php": ">8"}},
        "the members name, require, version",
    ),
    "the servers of VS Code": (
        {"servers": {"files": {"type": "stdio", "command": "npx", "args": ["x"]}, "b": CLIENT}},
        "no entry among its items; the first, servers.files: this is no ToolHive entry",
    ),
    "the servers of Claude": (
        {"mcpServers": {"files": {"command": "npx", "description": "x"}}},
        "the members mcpServers",
    ),
    "the manifest of a bundle": (
        {"manifest_version": "0.2", "name": "files", "version": "1", "server": {"type": "node"}},
        "no entry among its items; the first, the document: name is missing",
    ),
    "an OpenAPI document": (
        {"openapi": "3.1.0", "servers": [{"url": "https://example.com"}], "paths": {}},
        "no entry among its items; the first, servers[0]: name is missing",
    ),
    "a list of numbers": ([1, 2], "no entry among its items; the first, [0]: expected an object, found a number"),
    "a problem": ({"title": "Not Found", "status": 404}, "the members status, title"),
    "a text": (b'"servers"', "no JSON"),
    "a number": (b"7", "no JSON"),
    "null": (b"null", "no JSON"),
    "an empty object": ({}, "a JSON document without entries"),
    "HTML": (b"<!DOCTYPE html><html></html>", "an HTML or XML page"),
    "HTML after a mark": (b"\xef\xbb\xbf\n<html>", "an HTML or XML page"),
    "YAML": (b"servers:\n  files:\n    image: a/b\n", "no JSON"),
    "a lock file": (b"# This file is generated\n[[package]]\n", "no JSON"),
    "nothing": (b"", "nothing"),
    "blanks": (b" \n\t\r\n", "nothing"),
    "a mark alone": (b"\xef\xbb\xbf", "nothing"),
    "binary": (bytes(range(256)), "no JSON"),
}  # fmt: skip


@pytest.mark.requirement("REG-06")
@pytest.mark.parametrize(("document", "found"), FOREIGN.values(), ids=FOREIGN.keys())
def test_what_is_no_registry_is_refused_and_named(document: Any, found: str) -> None:
    with pytest.raises(ThvError) as caught:
        read(document)
    assert caught.value.code is Code.FORMAT_UNSUPPORTED
    assert found in caught.value.message
    assert "Expected a ToolHive registry" in caught.value.hint


@pytest.mark.parametrize("document", [b'{"servers": {', b'{"servers": {}', b"[{} {}]"])
def test_damaged_json_is_refused_with_its_place(document: bytes) -> None:
    with pytest.raises(ThvError, match=r"is not valid JSON: .* \(line 1, column \d+\)") as caught:
        read(document)
    assert caught.value.code is Code.FORMAT_INVALID


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_document_in_utf_16_is_refused_with_what_to_do(encoding: str) -> None:
    with pytest.raises(ThvError, match="the document is UTF-16; expected UTF-8") as caught:
        read(fixture("g9.json").decode().encode(encoding))
    assert "iconv" in caught.value.hint


def test_an_empty_key_is_said_in_a_sentence() -> None:
    _, found = read({"servers": {"": {"image": "a/b"}, "files": {"image": "a/b"}}})
    (bad,) = rejected(found)
    assert (bad.place, bad.reason) == (
        'servers.""',
        "its key is empty; the key is the name of the server",
    )


@pytest.mark.requirement("REG-06")
@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("toolhive.json", Format.UPSTREAM),
        ("envelope.json", Format.TOOLHIVE),
        ("page.json", Format.TOOLHIVE),
        ("g9.json", Format.TOOLHIVE),
        ("single.json", Format.TOOLHIVE),
    ],
)
def test_a_document_in_the_other_format_than_promised_is_refused(
    file: str, expected: Format
) -> None:
    with pytest.raises(ThvError) as caught:
        read(fixture(file), expected)
    other = CONTAINERS[file][1]
    assert caught.value.code is Code.FORMAT_INVALID
    assert caught.value.message.startswith(
        f"the format is set to {expected.value}, but the document is in the {other.value} format"
    )
    assert caught.value.hint.startswith(f"Set the format to {other.value}")


def test_names_of_strangers_are_cut_in_messages() -> None:
    with pytest.raises(ThvError) as caught:
        read({"x" * 5_000: 1})
    assert len(caught.value.message) < 400
    _, found = read({"servers": {"x" * 5_000: 1, "files": {"image": "a/b"}}})
    (bad,) = rejected(found)
    assert len(bad.place) < 300
    assert len(bad.name) <= 200


# Damage ----------------------------------------------------------------------------------------------------

DAMAGED: list[tuple[bytes, str]] = [
    (b"7", "expected an object"),
    (b"null", "expected an object"),
    (b"{}", "name is missing"),
    (b'{"server": {"name": 7, "version": "1"}}', "name must be a string, found a number"),
    (b'{"a" 1}', "not valid JSON"),
    (b'{"a": "\xff"}', "not valid JSON"),
    (rb'{"a": "\ud800"}', "not valid JSON"),
    (b'{"a": 1e999}', "not valid JSON"),
    (b'{"a": ' + b"1" * 5_000 + b"}", "not valid JSON"),
    (b'{"a": ' + b"[" * 70 + b"]" * 70 + b"}", "the entry is nested deeper than 64 levels"),
    (b'{"a": "' + b"x" * ENTRY_LIMIT + b'"}', f"the entry is larger than {ENTRY_LIMIT} bytes"),
]


@pytest.mark.parametrize(("damage", "reason"), DAMAGED, ids=[reason for _, reason in DAMAGED])
@pytest.mark.parametrize("file", ["g9.json", "page.json", "envelope.json", "toolhive.json"])
def test_one_damaged_entry_costs_nobody_else(file: str, damage: bytes, reason: str) -> None:
    document = fixture(file)
    text = document.decode()
    opening = {"g9.json": "[", "envelope.json": '"servers": [', "page.json": '"servers": ['}
    start = text.index(opening.get(file, '"servers": {')) + len(opening.get(file, '"servers": {'))
    item = b'"damaged": ' + damage if file == "toolhive.json" else damage
    broken = text[:start].encode() + item + b"," + text[start:].encode()
    _, found = read(broken)
    (bad,) = rejected(found)
    assert names(found) == names(read(document)[1])
    if file != "toolhive.json" or not reason.startswith("name"):
        assert bad.reason.startswith(reason)


def test_items_of_a_page_are_held_to_the_limits_of_a_document() -> None:
    good = msgspec.json.encode({"name": "a/b", "version": "1"})
    raws = [good, *(damage for damage, _ in DAMAGED[2:]), msgspec.Raw(good)]
    found = list(items_of(raws, "page 3"))
    assert names(found) == ["a/b", "a/b"]
    bad = rejected(found)
    assert [item.place for item in bad] == [f"page 3[{n}]" for n in range(1, len(raws) - 1)]
    assert all(
        item.reason.startswith(reason) for item, (_, reason) in zip(bad, DAMAGED[2:], strict=True)
    )


def test_an_item_with_many_brackets_within_the_limits_is_read() -> None:
    server = {"name": "a/b", "version": "1", "x": [[] for _ in range(200)]}
    assert names(items_of([msgspec.json.encode(server)], "page 1")) == ["a/b"]


def test_a_broken_item_with_many_brackets_is_rejected() -> None:
    (item,) = items_of([b"[" * 100], "page 1")
    assert isinstance(item, Rejected)


def test_members_beside_the_entries_are_bounded_too() -> None:
    document = (
        b'{"version": "2.0.0", "notes": "%b", "more": 1, "servers": {"files": {"image": "a/b"}}}'
    )
    reader, found = read(document % (b"x" * ENTRY_LIMIT))
    assert [(item.place, item.reason[:33]) for item in rejected(found)] == [
        ("notes", f"the member is larger than {ENTRY_LIMIT}"[:33])
    ]
    assert names(found) == ["io.github.stacklok/files"]
    assert reader.head.version == "2.0.0"


def test_many_small_members_are_bounded_too() -> None:
    members = b",".join(b'"k%d":0' % number for number in range(40_000))
    _, found = read(b'{%b,"servers":{"files":{"image":"a/b"}}}' % members)
    assert len(rejected(found)) == 1


def test_a_single_entry_that_is_too_large_is_refused() -> None:
    parts = {f"x-{n}": "x" * (ENTRY_LIMIT // 3) for n in range(4)}
    with pytest.raises(ThvError, match="one of too many that together exceed"):
        read({"name": "a/b", "version": "1", "packages": [], **parts})


# Groups ----------------------------------------------------------------------------------------------------


def a_server(image: str = "a/b:1.0.0", **fields: Any) -> JsonObject:
    return {
        "image": image,
        "description": "A server",
        "transport": "stdio",
        "status": "Active",
        **fields,
    }


def a_remote(url: str = "https://example.com/mcp") -> JsonObject:
    return {"url": url, "description": "A server", "transport": "sse", "status": "Active"}


def a_group(
    name: str, servers: JsonObject | None = None, remotes: JsonObject | None = None, **fields: Any
) -> JsonObject:
    parts = {"servers": servers, "remote_servers": remotes}
    return {
        "name": name,
        "description": f"Group {name}",
        **fields,
        **{k: v for k, v in parts.items() if v},
    }


GROUPS: dict[str, JsonObject] = {
    "none": {"servers": {"a": a_server()}},
    "in one group only": {"servers": {}, "groups": [a_group("g", {"a": a_server()})]},
    "in two groups": {"servers": {}, "groups": [a_group("g", {"a": a_server()}), a_group("h", {"a": a_server()})]},
    "also listed alone": {"servers": {"a": a_server()}, "groups": [a_group("g", {"a": a_server()})]},
    "listed alone and in two groups": {
        "servers": {"a": a_server(), "b": a_server("b:2.0.0")},
        "groups": [a_group("g", {"a": a_server()}), a_group("h", {"a": a_server(), "b": a_server("b:2.0.0")})],
    },
    "both kinds in a group": {
        "servers": {},
        "remote_servers": {"r": a_remote()},
        "groups": [a_group("g", {"a": a_server()}, {"r": a_remote()}, order=7, unknown={"x": None})],
    },
    "an empty list of groups": {"servers": {"a": a_server()}, "groups": []},
    "no remote servers": {"servers": {"a": a_server()}, "remote_servers": {}},
}  # fmt: skip
HEAD = {"version": "1.0.0", "last_updated": "2025-11-01T00:00:00Z"}


def through_official(document: bytes) -> tuple[Head, list[Entry]]:
    reader, found = read(document)
    assert rejected(found) == []
    kept = merged(found)
    there = official_of(kept, reader.head)
    reader, found = read(there, Format.UPSTREAM)
    assert rejected(found) == []
    return reader.head, merged(found)


@pytest.mark.parametrize("pretty", [True, False])
@pytest.mark.parametrize("document", GROUPS.values(), ids=GROUPS.keys())
def test_groups_survive_the_official_format(document: JsonObject, pretty: bool) -> None:
    whole = {**HEAD, **document}
    head, kept = through_official(msgspec.json.encode(whole))
    assert json.loads(toolhive_of(kept, head, pretty=pretty)) == whole


def test_a_group_without_servers_is_reported() -> None:
    _, found = read(
        {
            **HEAD,
            "servers": {"a": a_server()},
            "groups": [a_group("empty"), a_group("g", {"b": a_server()})],
        }
    )
    assert rejected(found) == [
        Rejected("groups[0]", "empty", "a group without servers is not kept")
    ]
    assert len(names(found)) == 2


@pytest.mark.parametrize(
    ("group", "reason"),
    [
        (b"7", "a group must be an object with a name"),
        (b'{"servers": {}}', "a group must be an object with a name"),
        (b'{"name": 7}', "a group must be an object with a name"),
        (b'{"name" 7}', "not valid JSON"),
        (b'{"name": "g", "servers": {"x": 7}}', "expected an object"),
        (b'{"name": "g", "servers": {"x": ' + b"[" * 70 + b"]" * 70 + b"}}", "the entry is nested"),
    ],
)
def test_a_damaged_group_costs_nobody_else(group: bytes, reason: str) -> None:
    document = b'{"servers": {"a": {"image": "a/b"}}, "groups": [%b]}' % group
    _, found = read(document)
    (bad,) = rejected(found)
    assert bad.reason.startswith(reason)
    assert len(names(found)) == 1


def test_groups_are_read_from_an_official_document_too() -> None:
    group = a_group("g", {"a": a_server()})
    document = {"data": {"servers": [{"name": "a/b", "version": "1"}], "groups": [group]}}
    assert names(read(document)[1]) == ["a/b", "io.github.stacklok/a"]


def test_of_two_entries_with_one_name_and_version_the_first_stays() -> None:
    first = entry_of({"name": "a/b", "version": "1", "description": "first"})
    second = entry_of({"name": "a/b", "version": "1", "description": "second"})
    assert combined(first, second) == first


@pytest.mark.parametrize(
    "dirt",
    [
        7,
        [7],
        [{"group": 7, "position": 1}],
        [{"group": {"name": []}, "position": 1}],
        [{"group": {"name": "g"}, "position": "1"}],
    ],
)
def test_what_a_stranger_calls_groups_is_none(dirt: Any) -> None:
    entry = entry_of(
        {"name": "a/b", "version": "1", "_meta": {"io.stacklok.toolhive/groups": dirt}}
    )
    assert combined(entry, entry) == entry
    document = json.loads(toolhive_of([entry], Head()))
    assert "groups" not in document
    assert set(document["servers"]) == {"a/b"}


# Writing ---------------------------------------------------------------------------------------------------


def test_a_toolhive_document_is_written_as_people_write_it() -> None:
    kept = [
        entry_of_toolhive("files", {"image": "a/b:1.0.0", "status": "Active"}, section="servers")
    ]
    assert toolhive_of(kept, Head(last_updated="2025")).decode() == (
        '{\n  "version": "1.0.0",\n  "last_updated": "2025",\n  "servers": {\n    "files": {\n'
        '      "image": "a/b:1.0.0",\n      "status": "Active"\n    }\n  }\n}\n'
    )


def test_an_official_document_is_written_as_people_write_it() -> None:
    kept = [entry_of({"name": "a/b", "version": "1"})]
    assert official_of(kept, Head(last_updated="2025")).decode() == (
        f'{{\n  "$schema": "{ENVELOPE_SCHEMA}",\n  "version": "1.0.0",\n  "meta": {{\n'
        '    "last_updated": "2025"\n  },\n  "data": {\n    "servers": [\n      {\n'
        '        "name": "a/b",\n        "version": "1"\n      }\n    ]\n  }\n}\n'
    )


@pytest.mark.parametrize("write", [toolhive_of, official_of])
def test_a_document_without_entries_is_written(write: Callable[..., bytes]) -> None:
    for pretty in (True, False):
        reader, found = read(write([], Head(), pretty=pretty))
        assert found == []
        assert reader.head == Head()


@pytest.mark.parametrize("write", [toolhive_of, official_of])
def test_both_layouts_say_the_same(write: Callable[..., bytes]) -> None:
    reader, found = read(fixture("toolhive.json"))
    kept = merged(found)
    pretty, compact = (write(kept, reader.head, pretty=p) for p in (True, False))
    assert json.loads(pretty) == json.loads(compact)
    assert b"\n" not in compact


def test_entries_may_be_written_under_other_keys() -> None:
    versions = [entry_of({"name": "a/b", "version": version}) for version in ("1.0.0", "2.0.0")]
    document = toolhive_document(lambda: versions, Head(), key=lambda e: f"{e.name}@{e.version}")
    assert list(json.loads(b"".join(document))["servers"]) == ["a/b@1.0.0", "a/b@2.0.0"]


def test_a_writer_asks_for_one_entry_at_a_time() -> None:
    asked = 0

    def many() -> Iterator[Entry]:
        nonlocal asked
        for number in range(1_000):
            asked += 1
            yield entry_of({"name": f"a/{number}", "version": "1"})

    pieces = official_document(many, Head())
    for _ in range(10):
        next(pieces)
    assert asked < 12


def test_the_registrys_word_on_the_status_is_written_and_the_rest_of_its_record_is_not() -> None:
    official = {
        "status": "deleted",
        "statusMessage": "spam",
        "publishedAt": "2025",
        "isLatest": True,
    }
    entry = entry_of(
        {"server": {"name": "a/b", "version": "1"}, "_meta": {OFFICIAL_META: official}}
    )
    (server,) = json.loads(official_of([entry], Head()))["data"]["servers"]
    assert server["_meta"] == {OFFICIAL_META: {"status": "deleted", "statusMessage": "spam"}}


# Heads -----------------------------------------------------------------------------------------------------

TOOLHIVE_HEADS: list[JsonObject] = [
    {},
    {"$schema": "https://example.com/toolhive.schema.json"},
    {
        "version": "2.1.0",
        "x-owner": {"team": "blue"},
        "_meta": {"com.example/a": 1},
        "meta": {"a": 1},
        "metadata": 1,
    },
]
OFFICIAL_HEADS: list[JsonObject] = [
    {},
    {"$schema": "https://example.com/envelope.schema.json"},
    {"version": "2.1.0", "x-owner": {"team": "blue"}, "_meta": {"com.example/a": 1}, "meta": {"a": 1, "last_updated": "2025"}},
]  # fmt: skip


@pytest.mark.requirement("FMT-03")
@pytest.mark.parametrize("fields", TOOLHIVE_HEADS)
def test_the_head_of_a_toolhive_document_survives_the_official_format(fields: JsonObject) -> None:
    whole = {**HEAD, "servers": {"a": a_server()}, **fields}
    head, kept = through_official(msgspec.json.encode(whole))
    assert json.loads(toolhive_of(kept, head)) == whole


@pytest.mark.requirement("FMT-03")
@pytest.mark.parametrize("fields", OFFICIAL_HEADS)
def test_the_head_of_an_official_document_survives_toolhive(fields: JsonObject) -> None:
    base = {"$schema": ENVELOPE_SCHEMA, "version": "1.0.0", "meta": {"last_updated": "2025"}}
    whole = {**base, "data": {"servers": [{"name": "a/b", "version": "1"}]}, **fields}
    reader, found = read(whole)
    there = toolhive_of(merged(found), reader.head)
    reader, back = read(there, Format.TOOLHIVE)
    assert json.loads(official_of(merged(back), reader.head)) == whole


def test_what_an_official_document_holds_beside_servers_is_not_read() -> None:
    reader, found = read({"data": {"skills": [{"name": "x"}], "servers": [], "plugins": {}}})
    assert (found, reader.head) == ([], Head())


@pytest.mark.parametrize(
    "head",
    [
        {"version": 7, "last_updated": 7},
        {"version": None, "meta": 7, "_meta": 7},
        {"_meta": {DOCUMENT_META: 7}},
        {
            "_meta": {
                DOCUMENT_META: {
                    "toolhive": {"servers": {"evil": {}}, "version": 7},
                    "upstream": {"data": 1},
                }
            }
        },
        {"broken": [1], "groups": 7, "remote_servers": None},
    ],
)
def test_a_head_of_another_shape_costs_no_entry(head: JsonObject) -> None:
    for document in (
        {"servers": {"a": a_server()}, **head},
        {"data": {"servers": [{"name": "a/b", "version": "1"}]}, **head},
    ):
        reader, found = read(document)
        kept = merged(found)
        for write in (toolhive_of, official_of):
            again, back = read(write(kept, reader.head))
            assert [entry.digest for entry in merged(back)] == [entry.digest for entry in kept]
            assert isinstance(again.head.version, str)


# Round trips of documents ----------------------------------------------------------------------------------


@pytest.mark.requirement("FMT-03")
@pytest.mark.parametrize("file", ["toolhive.json"])
def test_a_toolhive_document_survives_the_official_format(file: str) -> None:
    head, kept = through_official(fixture(file))
    assert json.loads(toolhive_of(kept, head)) == json.loads(fixture(file))


@pytest.mark.requirement("FMT-03")
@pytest.mark.parametrize(
    "file", ["envelope.json", "page.json", "g0.json", "g5.json", "g9.json", "single.json"]
)
def test_official_entries_survive_a_toolhive_document(file: str) -> None:
    reader, found = read(fixture(file))
    kept = merged(found)
    there = toolhive_of(kept, reader.head)
    back, again = read(there, Format.TOOLHIVE)
    digests = {entry.digest for entry in kept}
    assert {entry.digest for entry in merged(again)} == digests
    official = official_of(merged(again), back.head)
    assert {entry.digest for entry in merged(read(official)[1])} == digests


@few
@given(
    st.dictionaries(keys, containers, max_size=3),
    st.dictionaries(keys, endpoints, max_size=2),
    st.dictionaries(
        texts.filter(bool), st.dictionaries(keys, containers, min_size=1, max_size=2), max_size=2
    ),
)
def test_a_random_toolhive_document_survives_the_official_format(
    servers: JsonObject, remotes: JsonObject, groups: dict[str, JsonObject]
) -> None:
    def is_entry(key: str, value: Any, section: str) -> bool:
        try:
            entry_of_toolhive(key, value, section=section)
        except RejectedError:
            return False
        return True

    def of(entries_: JsonObject, section: str) -> JsonObject:
        return {k: v for k, v in entries_.items() if is_entry(k, v, section)}

    listed = [
        a_group(name, part) for name, members in groups.items() if (part := of(members, "servers"))
    ]
    whole: JsonObject = {
        **HEAD,
        "servers": of(servers, "servers"),
        "remote_servers": of(remotes, "remote_servers"),
        "groups": listed,
    }
    head, kept = through_official(msgspec.json.encode(whole))
    document = json.loads(toolhive_of(kept, head))
    # Keys that mean one name and version are one entry: the first, in the groups of all.
    seen: dict[tuple[str, str], Any] = {}
    for section in ("servers", "remote_servers"):
        for key, value in whole[section].items():
            entry = entry_of_toolhive(key, value, section=section)
            if seen.setdefault((entry.name, entry.version), (section, key)) == (section, key):
                assert document[section][key] == msgspec.json.decode(msgspec.json.encode(value))


@few
@given(st.lists(random_servers, max_size=4))
def test_a_random_official_document_survives_toolhive(listed: list[JsonObject]) -> None:
    def accepted(server: JsonObject) -> bool:
        try:
            return not entry_of(server).meta
        except RejectedError:
            return False

    kept = [entry_of(server) for server in listed if accepted(server)]
    by_name = list({entry.name: entry for entry in kept}.values())
    document = official_of(by_name, Head())
    reader, found = read(document)
    assert [entry.digest for entry in merged(found)] == [entry.digest for entry in by_name]
    there = toolhive_of(by_name, reader.head)
    _, back = read(there, Format.TOOLHIVE)
    assert {entry.digest for entry in merged(back)} == {entry.digest for entry in by_name}


@pytest.mark.flows
@pytest.mark.requirement("FMT-03")
def test_every_real_document_survives_the_other_format() -> None:
    for path in real_documents():
        reader, found = items(path.read_bytes())
        kept = merged(found)
        if reader.container is Container.TOOLHIVE:
            head, back = through_official(path.read_bytes())
            document = json.loads(toolhive_of(back, head))
            assert document == json.loads(path.read_bytes()), path.name
        latest = list({entry.name: entry for entry in kept}.values())
        there = toolhive_of(latest, reader.head)
        digests = {entry.digest for entry in entries(there)}
        assert digests == {entry.digest for entry in latest}, path.name


@pytest.mark.flows
@pytest.mark.requirement("FMT-02")
def test_the_real_documents_hold_what_is_known_of_them() -> None:
    counts = {
        "upstream-official-dumps/2025-10-08.wrapped.json": 1064,
        "upstream-official-dumps/2025-12-18.wrapped.json": 2794,
        "upstream-seed-history/seed.2025-08-23.json": 396,
        "upstream-seed-history/seed.2025-09-02.json": 396,
        "upstream-seed-history/seed.2025-09-21.json": 358,
        "upstream-seed-history/seed.2026-04-25.json": 4,
        "toolhive-registry-history/2026-02-18_e4d6d522.registry.json": 102,
    }
    for path, count in counts.items():
        assert len(entries(real_data(path).read_bytes())) == count
    # Seven of the first seed have an empty name.
    _, found = items(real_data("upstream-seed-history/seed.2025-05-16.json").read_bytes())
    assert (len(names(found)), len(rejected(found))) == (464, 7)


# Folders ---------------------------------------------------------------------------------------------------


def test_a_folder_holds_one_entry_a_file() -> None:
    reader = FolderReader()
    paths = sorted(path for path in (FOLDER / "folder").rglob("*") if path.is_file())
    found = [
        reader.read(str(path.relative_to(FOLDER)), yaml.safe_load(path.read_text()))
        for path in paths
    ]
    assert names(found) == NAMES
    listed = merged(read(fixture("toolhive.json"))[1])
    assert found[0] == Found(listed[0], "folder/files.json")


@pytest.mark.parametrize(
    ("path", "fields", "name"),
    [
        ("a/files.yaml", {}, "files"),
        ("files", {}, "files"),
        ("registry/files/spec.yaml", {}, "files"),
        ("registry/files/server.json", {}, "files"),
        ("spec.yaml", {}, "spec"),
        ("a/files.yaml", {"name": "own"}, "own"),
        ("a/files.yaml", {"name": 7}, "files"),
    ],
)
def test_the_key_of_a_file_is_its_name_or_where_it_lies(
    path: str, fields: JsonObject, name: str
) -> None:
    item = FolderReader().read(path, {"image": "a/b", **fields})
    assert isinstance(item, Found)
    assert item.entry.name == f"io.github.stacklok/{name}"


def test_a_file_with_a_url_and_no_image_is_a_remote_server() -> None:
    item = FolderReader().read("a.yaml", a_remote())
    assert isinstance(item, Found)
    assert placed_entry(item.entry).section == "remote_servers"


SELF: list[Any] = []
SELF.append(SELF)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "expected one ToolHive entry, an object"),
        ([], "expected one ToolHive entry, an object"),
        ({}, "this is no ToolHive entry"),
        ({"image": "\ud800"}, "holds what JSON cannot say"),
        ({None: 1}, "holds what JSON cannot say"),
        ({"image": "a", "x": SELF}, "holds what JSON cannot say"),
        ({"image": "a", "x": object()}, "holds what JSON cannot say"),
        ({"image": "a", "@key": "x"}, "a field cannot be called"),
    ],
)
def test_a_file_that_holds_no_entry_is_rejected(value: Any, reason: str) -> None:
    item = FolderReader().read("a.yaml", value)
    assert isinstance(item, Rejected)
    assert item.reason.startswith(reason)


def test_what_only_yaml_can_say_becomes_json() -> None:
    item = FolderReader().read("a.yaml", {"image": "a/b", 7: (1, float("nan"))})
    assert isinstance(item, Found)
    assert placed_entry(item.entry).value["7"] == [1, None]


def test_a_folder_is_in_the_toolhive_format() -> None:
    assert Container.FOLDER.written_in is Format.TOOLHIVE
    FolderReader(Format.TOOLHIVE)
    with pytest.raises(ThvError, match="the format is set to upstream"):
        FolderReader(Format.UPSTREAM)


# Mutations -------------------------------------------------------------------------------------------------

JUNK: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    2**70,
    "",
    "x",
    "latest",
    [],
    {},
    [[]],
    {"a": 1},
    "😀",
    "a\nb",
    "io.example/files",
]
RAW = [
    b"1e999",
    b"NaN",
    rb'"\ud800"',
    b'"\xff"',
    b"[" * 100,
    b"[" * 3_000 + b"]" * 3_000,
    b"{",
    b"}",
    b",",
    b"",
    b"1" * 5_000,
]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    inner: Any = value.items() if isinstance(value, dict) else ()
    inner = enumerate(value) if isinstance(value, list) else inner
    for key, item in inner:
        yield from places(item, (*path, key))


def mutated(document: bytes, chance: random.Random) -> bytes:
    """The document with one thing wrong: bytes, members, types, values."""
    at, to = sorted(chance.choices(range(len(document) + 1), k=2))
    to = min(to, at + chance.choice([1, 10, 1_000]))
    value = json.loads(document)
    path = chance.choice([place for place in places(value) if place])
    holder = value
    for key in path[:-1]:
        holder = holder[key]
    match chance.randrange(9):
        case 0:
            return (
                document[:at]
                + bytes([document[at % len(document)] ^ 1 << chance.randrange(8)])
                + document[at + 1 :]
            )
        case 1:
            return document[:at]
        case 2:
            return document[:at] + document[to:]
        case 3:
            return document[:to] + document[at:]
        case 4:
            return document[:at] + chance.choice(RAW) + document[at:]
        case 5:
            del holder[path[-1]]
        case 6:
            holder[path[-1]] = copy.deepcopy(chance.choice(JUNK))
        case 7:
            text = json.dumps(value)
            key = json.dumps(
                chance.choice([part for part in path if isinstance(part, str)] or ["x"])
            )
            return text.replace(key, f"{key}: 1, {key}", 1).encode()
        case _:
            holder[path[-1]] = "MARK"
            return json.dumps(value).encode().replace(b'"MARK"', chance.choice(RAW))
    return json.dumps(value).encode()


def test_a_folder_without_any_entry_is_refused_with_what_was_expected() -> None:
    reader = FolderReader()
    assert isinstance(reader.read_file("a.yaml", b"[1"), Rejected)
    assert isinstance(reader.read_file("compose.yaml", b"services: {}"), Rejected)
    with pytest.raises(ThvError, match=r"none of its files is one; the first, a.yaml: ") as caught:
        reader.close()
    assert caught.value.code is Code.FORMAT_UNSUPPORTED
    assert "NAME/spec.yaml" in caught.value.hint


def test_a_folder_with_one_entry_among_others_is_read() -> None:
    reader = FolderReader()
    assert isinstance(reader.read_file("a.yaml", b"[1"), Rejected)
    assert isinstance(reader.read_file("b.yaml", b"image: a/b"), Found)
    reader.close()


@pytest.mark.parametrize("file", ["toolhive.json", "envelope.json", "page.json"])
def test_a_folder_that_holds_a_whole_registry_names_the_file(file: str) -> None:
    reader = FolderReader()
    reader.read_file("a.json", b"{}")
    item = reader.read_file("registry.json", fixture(file))
    assert isinstance(item, Rejected)
    assert item.reason == "this is a whole registry, not one entry"
    with pytest.raises(ThvError, match=r"registry.json in it is a whole registry") as caught:
        reader.close()
    assert "--git-path FOLDER/registry.json" in caught.value.hint


@pytest.mark.parametrize("seed", range(5))
def test_no_mutation_of_a_document_ends_otherwise_than_with_an_error_of_ours(seed: int) -> None:
    chance = random.Random(seed)
    originals = [fixture(file) for file in (*CONTAINERS, "g0.json", "g5.json")]
    for _ in range(100):
        data = mutated(chance.choice(originals), chance)
        try:
            reader, found = items(data, chance.choice([64, 1 << 16]))
        except ThvError as error:
            assert error.code in (Code.FORMAT_INVALID, Code.FORMAT_UNSUPPORTED)  # noqa: PT017 # one of many
            continue
        for entry in merged(found):
            assert entry.digest
            facts_of(entry)
        for write in (toolhive_of, official_of):
            json.loads(write(merged(found), reader.head))


@pytest.mark.parametrize("file", ["g9.json", "page.json", "envelope.json"])
@pytest.mark.parametrize("broken", range(3))
@pytest.mark.parametrize("damage", [raw for raw in RAW if raw.count(b"[") == raw.count(b"]")])
def test_damage_inside_one_item_keeps_the_others(file: str, broken: int, damage: bytes) -> None:
    if damage in (b"{", b"}"):
        return  # changes where the item ends
    value = json.loads(fixture(file))
    listed = value if isinstance(value, list) else value.get("data", value)["servers"]
    listed[broken] = {"name": "a/b", "version": "1", "x": "MARK"}
    _, found = read(json.dumps(value).encode().replace(b'"MARK"', damage))
    assert names(found) == [name for number, name in enumerate(NAMES) if number != broken]
    assert len(rejected(found)) == 1

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.formats.real import entries
from tests.formats.strategies import many, values
from thv.domain.canonical import JsonObject
from thv.domain.entry import OFFICIAL_META, PUBLISHER_META, Entry
from thv.domain.facts import facts_of
from thv.formats.generations import NEWEST_SCHEMA, Generation, generation_of, upgraded
from thv.formats.toolhive import placed_entry
from thv.formats.validation import Severity, validate_official

pytestmark = pytest.mark.requirement("FMT-02")

FOLDER = Path(__file__).parent.parent / "data" / "generations"
ALL = range(10)

FACTS = [
    ("io.example/files", "1.2.0", "container", "ghcr.io/example/files:1.2.0", "stdio"),
    ("io.example/notes", "2.0.1", "package", "npx://@example/notes@2.0.1", "stdio"),
    ("io.example/search", "3.0.0", "remote", "https://search.example.com/mcp", "streamable-http"),
]
PUBLISHED = "2025-08-01T10:00:00Z"


def raw_items(generation: int) -> list[JsonObject]:
    items: list[JsonObject] = msgspec.json.decode((FOLDER / f"g{generation}.json").read_bytes())
    return items


def fixtures(generation: int) -> list[Entry]:
    return entries((FOLDER / f"g{generation}.json").read_bytes())


@pytest.mark.parametrize("generation", ALL)
def test_a_generation_is_recognized_by_its_marks(generation: int) -> None:
    newest = Generation.G7
    # Only packages tell the second generation from the third, and one of the servers has none.
    marks = {Generation.G2, Generation.G3} if generation == 2 else {min(generation, newest)}
    assert {generation_of(item) for item in raw_items(generation)} == marks


@pytest.mark.parametrize("generation", ALL)
def test_the_same_servers_are_the_same_in_every_generation(generation: int) -> None:
    found = [facts_of(entry) for entry in fixtures(generation)]
    facts = [(f.name, f.version, f.kind, f.reference, f.transport) for f in found]
    if generation == 0:  # which did not write the version of a package
        facts[1] = (*facts[1][:3], f"{facts[1][3]}@2.0.1", facts[1][4])
    assert facts == FACTS


@pytest.mark.parametrize("generation", ALL)
def test_the_inputs_of_the_servers_are_the_same_in_every_generation(generation: int) -> None:
    files, notes, search = (placed_entry(entry).value for entry in fixtures(generation))
    token = {"name": "FILES_TOKEN", "description": "Token of the file store", "required": True}
    bearer = {"name": "Authorization", "description": "Bearer token", "required": True}
    secret: JsonObject = {"secret": True} if generation else {}
    assert files["env_vars"] == [{**token, **secret}]
    assert notes["args"] == ["start"]
    assert search.get("headers", []) == ([{**bearer, "secret": True}] if generation else [])


@pytest.mark.parametrize("generation", ALL)
def test_the_repositories_are_the_same_in_every_generation(generation: int) -> None:
    for entry in fixtures(generation):
        own = entry.name.partition("/")[2]
        assert entry.server["repository"]["url"] == f"https://github.com/example/{own}"
        assert entry.server["repository"]["source"] == "github"


@pytest.mark.parametrize("generation", range(1, 10))
def test_times_and_the_mark_of_the_latest_are_read_in_every_generation(generation: int) -> None:
    for entry in fixtures(generation):
        assert (entry.published_at, entry.updated_at) == (PUBLISHED, PUBLISHED)
        assert entry.marked_latest


@pytest.mark.parametrize("generation", range(7))
def test_an_older_generation_is_brought_up_to_the_newest_schema(generation: int) -> None:
    for entry in fixtures(generation):
        assert entry.server["$schema"] == NEWEST_SCHEMA
        errors = [f for f in validate_official(entry.server) if f.severity is Severity.ERROR]
        assert errors == []


@pytest.mark.parametrize("generation", range(7, 10))
def test_a_newer_generation_stays_as_it_was_written(generation: int) -> None:
    assert [entry.server for entry in fixtures(generation)] == [
        item["server"] for item in raw_items(generation)
    ]


@pytest.mark.parametrize("generation", ALL)
def test_bringing_up_to_date_twice_is_the_same_as_once(generation: int) -> None:
    for item in raw_items(generation):
        once = upgraded(item)
        assert upgraded(once) == once


@pytest.mark.parametrize("generation", ALL)
def test_bringing_up_to_date_leaves_the_document_alone(generation: int) -> None:
    for item in raw_items(generation):
        before = msgspec.json.encode(item)
        upgraded(item)
        assert msgspec.json.encode(item) == before


def test_the_registrys_own_ids_go_and_other_unknown_fields_stay() -> None:
    old = {"id": "5f0c", "name": "a/b", "version_detail": {"version": "1"}, "x-own": [1]}
    assert upgraded(old) == {
        "server": {"name": "a/b", "version": "1", "x-own": [1], "$schema": NEWEST_SCHEMA},
        "_meta": {OFFICIAL_META: {"id": "5f0c"}},
    }


def test_a_status_that_stood_in_the_server_becomes_the_word_of_the_registry() -> None:
    old = {"name": "a/b", "version": "1", "status": "deprecated"}
    assert upgraded(old)["_meta"] == {OFFICIAL_META: {"status": "deprecated"}}
    assert "status" not in upgraded(old)["server"]


def test_the_extension_of_a_publisher_is_kept_where_it_belongs_now() -> None:
    old = {
        "server": {"name": "a/b", "version_detail": {"version": "1"}},
        "x-publisher": {"tool": "old"},
        "x-io.modelcontextprotocol.registry": {"is_latest": False},
    }
    assert upgraded(old)["server"]["_meta"] == {PUBLISHER_META: {"tool": "old"}}


def test_an_empty_version_of_a_package_is_none() -> None:
    item = {"name": "a/b", "version_detail": {"version": "1"}}
    old = {
        **item,
        "packages": [{"registry_name": "npm", "name": "x", "version": ""}, "x"],
        "remotes": ["x"],
    }
    server = upgraded(old)["server"]
    transport = {"type": "stdio"}
    assert server["packages"] == [
        {"registryType": "npm", "identifier": "x", "transport": transport},
        "x",
    ]
    assert server["remotes"] == ["x"]


def test_the_year_one_is_no_time() -> None:
    old = {"name": "a/b", "version_detail": {"version": "1"}, "_meta": {}}
    word = {"published_at": "0001-01-01T00:00:00Z", "updated_at": "2025-01-01T00:00:00Z"}
    old["_meta"] = {"io.modelcontextprotocol.registry": word}
    assert upgraded(old)["_meta"][OFFICIAL_META] == {"updatedAt": "2025-01-01T00:00:00Z"}


TRANSPORTS: list[tuple[Any, Any]] = [
    ("stdio", "stdio"),
    ("streamable", "streamable-http"),
    ("http", "streamable-http"),
    ("sse", "sse"),
    (["sse"], ["sse"]),
]


@pytest.mark.parametrize(("old", "new"), TRANSPORTS)
def test_transports_have_their_names_of_today(old: Any, new: Any) -> None:
    item = {
        "name": "a/b",
        "version_detail": {"version": "1"},
        "packages": [{"registry_name": "npm", "name": "x", "transport_type": old}],
        "remotes": [{"transport_type": old, "url": "https://a.example"}],
    }
    server = upgraded(item)["server"]
    assert server["packages"][0]["transport"] == {"type": new}
    assert server["remotes"][0]["type"] == new


def test_variables_keep_the_names_that_their_publisher_gave_them() -> None:
    inner = {"is_required": {"is_secret": True}}
    item = {
        "name": "a/b",
        "version": "1",
        "packages": [{"registry_type": "npm", "runtime_arguments": [{"variables": inner}, "x"]}],
    }
    (argument, text) = upgraded(item)["server"]["packages"][0]["runtimeArguments"]
    assert argument == {"variables": {"is_required": {"isSecret": True}}}
    assert text == "x"


# The command lines of April 2025: what they were written for, their words, identifier and arguments.
COMMANDS: list[tuple[str, list[Any], str, list[str]]] = [
    ("npm", ["-y", "@a/b", "start", "--fast"], "@a/b", ["start", "--fast"]),
    ("npm", ["@a/b"], "@a/b", []),
    ("python", ["--directory", "x", "run", "tool"], "tool", []),
    ("docker", ["run", "-i", "--rm", "a/b"], "a/b", []),
    ("docker", ["run", "--rm"], "example", ["run", "--rm"]),
    ("docker", ["run", "-i", "a/b:1.2", "serve", "--fast"], "a/b:1.2", ["serve", "--fast"]),
    ("docker", ["docker", "run", "-it", "--name", "x", "--network=host", "a/b"], "a/b", []),
    ("docker", ["a/b", "--fast", "run", "me"], "a/b", ["--fast", "run", "me"]),
    ("unknown", [], "example", []),
    ("unknown", [None, 7], "7", []),
]


@pytest.mark.parametrize(("kind", "words", "identifier", "arguments"), COMMANDS)
def test_the_package_of_an_old_command_line(
    kind: str, words: list[Any], identifier: str, arguments: list[str]
) -> None:
    places = [{"argument": {"name": word}, "position": n} for n, word in enumerate(words)]
    registry = {
        "name": "example",
        "packagename": kind,
        "license": "MIT",
        "commandarguments": {"positionalarguments": places},
    }
    item = {"name": "a/b", "version": "1", "registries": [registry], "remotes": []}
    server = upgraded(item)["server"]
    (package,) = server["packages"]
    assert package["identifier"] == identifier
    assert [a["value"] for a in package.get("packageArguments", [])] == arguments
    assert package["license"] == "MIT"
    assert "remotes" not in server


def old_server(words: list[str], **registry: Any) -> JsonObject:
    places = [{"argument": {"name": word}, "position": n} for n, word in enumerate(words)]
    arguments = {"positionalarguments": places, "namedarguments": registry.pop("named", [])}
    package = {"name": "x", "packagename": "docker", "commandarguments": arguments, **registry}
    item = {"name": "a/b", "version": "1", "registries": [package]}
    server: JsonObject = upgraded(item)["server"]["packages"][0]
    return server


def test_a_line_of_docker_keeps_its_variables_and_options() -> None:
    line = "run -i --rm -e KEY -e MODE=fast -eTOKEN -v /a:/b -p=80:80 --env=X a/b:1.2 serve"
    known = [{"name": "KEY", "description": "A key", "isrequired": True}]
    package = old_server(line.split(), environmentvariables=known)
    assert package["identifier"] == "a/b:1.2"
    assert package["packageArguments"] == [{"type": "positional", "value": "serve"}]
    assert package["environmentVariables"] == [
        {"name": "KEY", "description": "A key", "isRequired": True},
        {"name": "MODE", "default": "fast"},
        {"name": "TOKEN"},
        {"name": "X"},
    ]
    assert package["runtimeArguments"] == [
        {"type": "named", "name": "-v", "value": "/a:/b"},
        {"type": "named", "name": "-p", "value": "80:80"},
    ]


def test_a_named_argument_of_an_old_command_line_is_kept() -> None:
    argument = {"name": "port", "description": "p", "isrequired": True, "defaultvalue": "80"}
    named = [{"argument": argument, "shortflag": "-p", "longflag": "--port"}]
    assert old_server(["run", "a/b"], named=named)["packageArguments"] == [
        {"type": "named", "name": "--port", "description": "p", "isRequired": True, "default": "80"}
    ]


OLD_KEYS = [
    "_id", "id", "registries", "registrycanonical", "version_detail", "packages", "remotes", "_meta", "status",
    "server", "x-io.modelcontextprotocol.registry", "x-publisher", "website_url", "name", "version",
]  # fmt: skip
INNER_KEYS = [
    "registry_name", "registry_type", "name", "transport_type", "environment_variables", "package_arguments",
    "is_required", "variables", "commandarguments", "positionalarguments", "argument", "environmentvariables",
    "packagename", "license", "headers", "release_date", "is_latest", "published_at", "version",
    "io.modelcontextprotocol.registry", OFFICIAL_META,
]  # fmt: skip
old_values = st.recursive(
    values,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(INNER_KEYS), inner, max_size=4)
    ),
    max_leaves=10,
)


@many
@given(st.dictionaries(st.sampled_from(OLD_KEYS), old_values, max_size=6))
def test_no_item_of_any_generation_is_too_odd(item: JsonObject) -> None:
    once = upgraded(item)
    assert once == upgraded(once)
    msgspec.json.encode(once)

from __future__ import annotations

import copy
import statistics
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.formats.real import entries, items, real_data, real_documents
from tests.formats.strategies import (
    containers,
    endpoints,
    few,
    images,
    keys,
    many,
    objects,
    texts,
    urls,
    values,
)
from tests.formats.strategies import items as official_items
from thv.domain.canonical import JsonObject
from thv.domain.entry import OFFICIAL_META, PUBLISHER_META, TOOLHIVE_PUBLISHER, Entry
from thv.domain.facts import facts_of
from thv.domain.target import target_of
from thv.formats.documents import Container
from thv.formats.generations import NEWEST_SCHEMA
from thv.formats.mapping import PARKED, REMOTE_SERVERS, SERVERS
from thv.formats.official import RejectedError, document_item, entry_of
from thv.formats.parking import difference
from thv.formats.toolhive import (
    PARKED_THERE,
    entry_of_toolhive,
    placed_entry,
)

pytestmark = [pytest.mark.requirement("FMT-01"), pytest.mark.requirement("FMT-03")]

sections = st.sampled_from([SERVERS, REMOTE_SERVERS])


def as_json(value: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value))


def there_and_back(entry: Entry) -> Entry:
    placed = placed_entry(entry)
    return entry_of_toolhive(placed.key, as_json(placed.value), section=placed.section)


def without_parked(value: JsonObject) -> JsonObject:
    custom = {k: v for k, v in value.get("custom_metadata", {}).items() if k != PARKED}
    rest = {k: v for k, v in value.items() if k != "custom_metadata"}
    return {**rest, "custom_metadata": custom} if custom else rest


# Round trips -----------------------------------------------------------------------------------------------


@many
@given(official_items)
def test_an_official_entry_survives_toolhive(item: JsonObject) -> None:
    try:
        entry = entry_of(as_json(item))
    except RejectedError:
        return
    back = there_and_back(entry)
    assert difference(entry.content, back.content) == {}
    assert back.digest == entry.digest


@many
@given(keys, containers | endpoints, sections)
def test_a_toolhive_entry_survives_the_official_format(
    key: str, value: JsonObject, section: str
) -> None:
    value = as_json(value)
    try:
        entry = entry_of_toolhive(key, value, section=section)
    except RejectedError:
        return
    read = entry_of(as_json(document_item(entry)))
    assert read.digest == entry.digest
    placed = placed_entry(read)
    assert (placed.key, placed.section) == (key, section)
    assert difference(value, placed.value) == {}


@pytest.mark.flows
def test_every_real_entry_survives_the_other_format() -> None:
    count = 0
    for path in real_documents():
        for entry in entries(path.read_bytes()):
            back = there_and_back(entry)
            assert difference(entry.content, back.content) == {}, (path.name, entry.name)
            assert back.digest == entry.digest
            read = entry_of(as_json(document_item(entry)))
            assert read.digest == entry.digest
            count += 1
    assert count > 6_000


@pytest.mark.flows
def test_every_real_toolhive_entry_is_what_it_was() -> None:
    for path in real_data("toolhive-registry-history").glob("*.json"):
        document = msgspec.json.decode(path.read_bytes())
        reader, found = items(path.read_bytes())
        assert reader.container is Container.TOOLHIVE
        assert len(found) == len(document["servers"]) + len(document.get("remote_servers", {}))
        for section in (SERVERS, REMOTE_SERVERS):
            for key, value in document.get(section, {}).items():
                placed = placed_entry(entry_of_toolhive(key, value, section=section))
                assert (placed.key, placed.section, placed.value) == (key, section, value)


# Edits -----------------------------------------------------------------------------------------------------

Place = tuple[Any, ...]
Edits = dict[Place, Any]
GONE = object()
NEW = object()
"""Behind the end of a list."""

IMAGE = "ghcr.io/example/files:1.2.0"
ENV: Place = ("server", "packages", 1, "environmentVariables")
BLOCK: Place = ("server", "_meta", PUBLISHER_META, TOOLHIVE_PUBLISHER)

OFFICIALS: dict[str, JsonObject] = {
    "container": {
        "server": {
            "$schema": "https://static.modelcontextprotocol.io/schemas/2025-10-17/server.schema.json",
            "name": "io.example/files",
            "description": "Keeps files",
            "version": "1.2.0",
            "icons": [{"src": "https://example.com/a.png"}],
            "websiteUrl": "https://example.com",
            "repository": {"url": "https://github.com/example/files", "source": "github", "id": "7", "subfolder": "src"},
            "packages": [
                {"registryType": "npm", "identifier": "files", "version": "1.2.0", "transport": {"type": "stdio"}},
                {
                    "registryType": "oci",
                    "identifier": IMAGE,
                    "runtimeHint": "docker",
                    "transport": {"type": "streamable-http", "url": "http://localhost:8080/mcp"},
                    "runtimeArguments": [
                        {"type": "named", "name": "-v", "value": "/srv:/srv"},
                        {"type": "named", "name": "-e", "value": "MODE={mode}", "variables": {"mode": {"default": "ro", "choices": ["ro", "rw"]}}},
                    ],
                    "environmentVariables": [
                        {"name": "TOKEN", "description": "A token", "isRequired": True, "isSecret": True, "format": "string", "placeholder": "t_..."},
                        {"name": "LEVEL", "default": "info", "choices": ["info", "debug"], "format": "string"},
                    ],
                    "unknown": 1,
                },
                {"registryType": "pypi", "identifier": "files", "transport": {"type": "stdio"}},
            ],
            "_meta": {
                PUBLISHER_META: {
                    "tool": "publisher-cli",
                    TOOLHIVE_PUBLISHER: {IMAGE: {"status": "active", "tier": "Community", "tags": ["files"], "tools": ["find"], "metadata": {"stars": 1}}},
                },
                "com.example/own": {"kept": True},
            },
            "unknown": {"kept": True},
        },
        "_meta": {"com.example/scan": {"findings": 0}},
    },
    "npm": {
        "server": {
            "$schema": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
            "name": "io.example/notes",
            "title": "Notes",
            "description": "Takes notes",
            "version": "2.0.1",
            "packages": [
                {
                    "registryType": "npm",
                    "registryBaseUrl": "https://npm.example.com",
                    "identifier": "@example/notes",
                    "version": "2.0.1",
                    "runtimeHint": "npx",
                    "transport": {"type": "stdio"},
                    "packageArguments": [
                        {"type": "positional", "value": "start", "description": "What to do"},
                        {"type": "positional", "valueHint": "path", "isRequired": True, "description": "Where"},
                    ],
                    "environmentVariables": [{"name": "TOKEN", "placeholder": "t_..."}],
                }
            ],
            "_meta": {PUBLISHER_META: {"tool": "publisher-cli", "keywords": ["notes"]}},
        },
        "_meta": {OFFICIAL_META: {"status": "deprecated", "statusMessage": "use another"}},
    },
    "remote": {
        "server": {
            "$schema": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
            "name": "io.example/search",
            "description": "Searches",
            "version": "3.1.0",
            "packages": [{"registryType": "oci", "identifier": "example/search:3", "transport": {"type": "stdio"}}],
            "remotes": [
                {
                    "type": "streamable-http",
                    "url": "https://{region}.example.com/mcp",
                    "headers": [{"name": "Authorization", "value": "Bearer {token}", "isSecret": True, "variables": {"token": {}}}],
                    "variables": {"region": {"default": "eu"}},
                },
                {"type": "sse", "url": "https://example.com/sse"},
            ],
        },
    },
    "bundle": {
        "server": {
            "name": "io.example/bundle",
            "description": "A bundle",
            "version": "1.0.0",
            "packages": [{"registryType": "mcpb", "identifier": "https://example.com/x.mcpb", "fileSha256": "0" * 64, "transport": {"type": "stdio"}}],
        },
    },
}  # fmt: skip

NPM: Place = ("server", "packages", 0)
A_BLOCK = {"npx://@example/notes@2.0.1": {"status": "Deprecated"}}
AN_OCI = {"registryType": "oci", "identifier": "a/b:1.0.0", "transport": {"type": "stdio"}}

# What an edit of the ToolHive form of an entry makes of the entry; all that it does not name stays.
OF_TOOLHIVE: list[tuple[str, Edits, Edits]] = [
    ("container", {}, {}),
    ("container", {("description",): "New"}, {("server", "description"): "New"}),
    ("container", {("title",): "New"}, {("server", "title"): "New"}),
    ("npm", {("title",): GONE}, {("server", "title"): GONE}),
    ("container", {("repository_url",): "https://github.com/a/b"}, {("server", "repository", "url"): "https://github.com/a/b"}),
    ("container", {("repository_url",): "https://gitlab.com/a/b"}, {("server", "repository", "url"): "https://gitlab.com/a/b", ("server", "repository", "source"): "gitlab"}),
    ("container", {("repository_url",): GONE}, {("server", "repository"): GONE}),
    ("npm", {("repository_url",): "https://github.com/a/b"}, {("server", "repository"): {"url": "https://github.com/a/b", "source": "github"}}),
    ("container", {("custom_metadata", "homepage"): "https://new.example"}, {("server", "websiteUrl"): "https://new.example"}),
    ("container", {("custom_metadata", "homepage"): GONE}, {("server", "websiteUrl"): GONE}),
    ("npm", {("custom_metadata", "homepage"): "https://new.example"}, {("server", "websiteUrl"): "https://new.example"}),
    ("container", {("transport",): "sse"}, {("server", "packages", 1, "transport", "type"): "sse"}),
    ("container", {("transport",): "stdio", ("target_port",): GONE}, {("server", "packages", 1, "transport", "type"): "stdio"}),
    ("container", {("target_port",): 9090}, {("server", "packages", 1, "transport", "url"): "http://localhost:9090"}),
    ("npm", {("transport",): "sse", ("target_port",): 9090}, {(*NPM, "transport"): {"type": "sse", "url": "http://localhost:9090"}}),
    ("container", {("env_vars", 0, "description"): "New"}, {(*ENV, 0, "description"): "New"}),
    ("container", {("env_vars", 0, "required"): False}, {(*ENV, 0, "isRequired"): GONE}),
    ("container", {("env_vars", 0, "secret"): GONE}, {(*ENV, 0, "isSecret"): GONE}),
    ("container", {("env_vars", 1, "default"): "debug"}, {(*ENV, 1, "default"): "debug"}),
    ("container", {("env_vars", 1): GONE}, {(*ENV, 1): GONE}),
    ("container", {("env_vars", 2): GONE}, {("server", "packages", 1, "runtimeArguments", 1): GONE}),
    ("container", {("env_vars", 2): {"name": "NEW", "required": True}}, {("server", "packages", 1, "runtimeArguments", 1): GONE, (*ENV, NEW): {"name": "NEW", "isRequired": True}}),
    ("npm", {("env_vars", NEW): {"name": "NEW", "required": True}}, {(*NPM, "environmentVariables", NEW): {"name": "NEW", "isRequired": True, "format": "string"}}),
    ("container", {("tier",): "Official"}, {(*BLOCK, IMAGE, "tier"): "Official"}),
    ("container", {("tags",): ["a", "b"]}, {(*BLOCK, IMAGE, "tags"): ["a", "b"]}),
    ("container", {("tools",): ["a"]}, {(*BLOCK, IMAGE, "tools"): ["a"]}),
    ("container", {("args",): ["serve"]}, {(*BLOCK, IMAGE, "args"): ["serve"]}),
    ("container", {("permissions",): {"read": ["/srv"]}}, {(*BLOCK, IMAGE, "permissions"): {"read": ["/srv"]}}),
    ("container", {("custom_metadata", "team"): "blue"}, {(*BLOCK, IMAGE, "custom_metadata"): {"team": "blue"}}),
    ("npm", {("tier",): "Official"}, {BLOCK: {"npx://@example/notes@2.0.1": {"status": "Deprecated", "tier": "Official"}}}),
    ("container", {("status",): "Deprecated"}, {(*BLOCK, IMAGE, "status"): "Deprecated"}),
    ("npm", {("status",): "Active"}, {("_meta",): GONE}),
    ("npm", {("args", 0): "stop"}, {(*NPM, "packageArguments", 0, "value"): "stop"}),
    ("npm", {("args", 1): "/srv"}, {(*NPM, "packageArguments", 1, "value"): "/srv"}),
    ("npm", {("args", NEW): "--fast"}, {(*NPM, "packageArguments", NEW): {"type": "positional", "value": "--fast"}}),
    ("npm", {("image",): "npx://@example/notes@3.0.0"}, {(*NPM, "version"): "3.0.0"}),
    ("bundle", {("image",): "a/b:1.0.0", ("transport",): "stdio"}, {("server", "packages", NEW): AN_OCI}),
    ("remote", {("url",): "https://new.example.com/mcp"}, {("server", "remotes", 0, "url"): "https://new.example.com/mcp"}),
    ("remote", {("transport",): "sse"}, {("server", "remotes", 0, "type"): "sse"}),
    ("remote", {("headers", 0, "description"): "New"}, {("server", "remotes", 0, "headers", 0, "description"): "New"}),
    ("remote", {("headers", 0, "required"): True}, {("server", "remotes", 0, "headers", 0, "isRequired"): True}),
    ("remote", {("headers", NEW): {"name": "X-Key", "required": False, "choices": ["a"]}}, {("server", "remotes", 0, "headers", NEW): {"name": "X-Key", "choices": ["a"]}}),
    ("remote", {("headers",): GONE}, {("server", "remotes", 0, "headers"): GONE}),
    ("remote", {("tools",): ["search"]}, {("server", "_meta"): {PUBLISHER_META: {TOOLHIVE_PUBLISHER: {"https://{region}.example.com/mcp": {"status": "Active", "tools": ["search"]}}}}}),
    ("container", {("description",): "New", ("tier",): "Official", ("env_vars", 0, "default"): "x"}, {("server", "description"): "New", (*BLOCK, IMAGE, "tier"): "Official", (*ENV, 0, "default"): "x"}),
]  # fmt: skip

TOOLHIVES: dict[str, JsonObject] = {
    "container": {
        "name": "files",
        "description": "Keeps files",
        "image": "ghcr.io/example/files:latest",
        "transport": "stdio",
        "target_port": 8080,
        "tier": "Official",
        "tags": ["files"],
        "tools": ["find"],
        "args": ["serve", "--fast"],
        "env_vars": [{"name": "TOKEN", "description": "A token", "secret": False}, {"name": "LEVEL", "required": False, "choices": ["a"]}],
        "permissions": {"network": {"outbound": {"allow_port": [443]}}},
        "metadata": {"stars": 1, "pulls": 2, "last_updated": "2025-11-01T00:00:00Z"},
        "custom_metadata": {"team": "blue"},
        "headers": [{"name": "odd"}],
        "unknown": None,
    },
    "remote": {
        "description": "Searches",
        "url": "https://example.com/mcp",
        "transport": "streamable-http",
        "status": "Active",
        "tier": "Community",
        "tools": ["search"],
        "headers": [{"name": "X-Key", "description": "A key", "required": True, "unknown": 1}],
        "env_vars": [{"name": "A"}],
        "oauth_config": {"issuer": "https://login.example.com"},
    },
}  # fmt: skip

HERE = "ghcr.io/example/files:latest"
PACKAGE: Place = ("packages", 0)
OWN_BLOCK: Place = ("_meta", PUBLISHER_META, TOOLHIVE_PUBLISHER)

# What an edit of the server.json of a ToolHive entry makes of that entry.
OF_SERVER: list[tuple[str, Edits, Edits]] = [
    ("container", {}, {}),
    ("container", {("description",): "New"}, {("description",): "New"}),
    ("container", {("title",): "New"}, {("title",): "New"}),
    ("container", {("repository",): {"url": "https://github.com/a/b", "source": "github"}}, {("repository_url",): "https://github.com/a/b"}),
    ("container", {("websiteUrl",): "https://new.example"}, {("custom_metadata", "homepage"): "https://new.example"}),
    ("container", {("version",): "2.0.0"}, {}),
    ("container", {("icons",): [{"src": "https://example.com/a.png"}]}, {}),
    ("container", {(*PACKAGE, "transport"): {"type": "sse", "url": "http://localhost:9090"}}, {("transport",): "sse", ("target_port",): 9090}),
    ("container", {(*PACKAGE, "environmentVariables", 0, "description"): "New"}, {("env_vars", 0, "description"): "New"}),
    ("container", {(*PACKAGE, "environmentVariables", 0, "isSecret"): True}, {("env_vars", 0, "secret"): True}),
    ("container", {(*PACKAGE, "environmentVariables", 1, "default"): "a"}, {("env_vars", 1, "default"): "a"}),
    ("container", {(*PACKAGE, "environmentVariables", 0): GONE}, {("env_vars", 0): GONE}),
    ("container", {(*PACKAGE, "environmentVariables", NEW): {"name": "NEW", "isRequired": True}}, {("env_vars", NEW): {"name": "NEW", "required": True}}),
    ("container", {(*PACKAGE, "packageArguments"): [{"type": "named", "name": "--port", "value": "80"}]}, {("args",): ["--port", "80"]}),
    ("container", {("packages", NEW): {"registryType": "npm", "identifier": "x", "transport": {"type": "stdio"}}}, {}),
    ("container", {(*OWN_BLOCK, HERE, "tier"): "Community"}, {("tier",): "Community"}),
    ("container", {(*OWN_BLOCK, HERE, "tags"): ["a"]}, {("tags",): ["a"]}),
    ("container", {(*OWN_BLOCK, HERE, "tools"): ["a", "b"]}, {("tools",): ["a", "b"]}),
    ("container", {(*OWN_BLOCK, HERE, "args"): ["stop"]}, {("args",): ["stop"]}),
    ("container", {(*OWN_BLOCK, HERE, "status"): "deprecated"}, {("status",): "Deprecated"}),
    ("container", {(*OWN_BLOCK, HERE, "permissions"): GONE}, {("permissions",): GONE}),
    ("container", {(*OWN_BLOCK, HERE, "custom_metadata", "team"): "red"}, {("custom_metadata", "team"): "red"}),
    ("remote", {("remotes", 0, "url"): "https://new.example.com/mcp"}, {("url",): "https://new.example.com/mcp"}),
    ("remote", {("remotes", 0, "type"): "sse"}, {("transport",): "sse"}),
    ("remote", {("remotes", 0, "headers", 0, "description"): "New"}, {("headers", 0, "description"): "New"}),
    ("remote", {("remotes", 0, "headers", 0, "isRequired"): GONE}, {("headers", 0, "required"): False}),
    ("remote", {("remotes", 0, "headers", NEW): {"name": "X-New"}}, {("headers", NEW): {"name": "X-New", "required": False}}),
    ("remote", {("remotes", NEW): {"type": "sse", "url": "https://example.com/sse"}}, {}),
]  # fmt: skip


def edited(value: JsonObject, edits: Edits) -> Any:
    """The value with other values at these places; the last places first, so that no other moves."""
    new = copy.deepcopy(value)
    for place, item in sorted(edits.items(), key=str, reverse=True):
        inner: Any = new
        for part in place[:-1]:
            inner = inner.setdefault(part, {}) if isinstance(inner, dict) else inner[part]
        last: Any = place[-1]
        if item is GONE:
            del inner[last]
        elif last is NEW:
            inner.append(item)
        else:
            inner[last] = item
    return new


def titled(cases: list[tuple[str, Edits, Edits]]) -> list[Any]:
    def title(edits: Edits) -> str:
        return " ".join(".".join("new" if p is NEW else str(p) for p in place) for place in edits)

    return [pytest.param(*case, id=f"{case[0]}: {title(case[1])}") for case in cases]


@pytest.mark.parametrize(("name", "edits", "outcome"), titled(OF_TOOLHIVE))
def test_an_edit_of_the_toolhive_form_is_what_comes_back(
    name: str, edits: Edits, outcome: Edits
) -> None:
    placed = placed_entry(entry_of(OFFICIALS[name]))
    value = edited(placed.value, edits)
    back = entry_of_toolhive(placed.key, as_json(value), section=placed.section)
    assert back.content == edited(OFFICIALS[name], outcome)
    assert without_parked(placed_entry(back).value) == without_parked(value)


@pytest.mark.parametrize(("name", "edits", "outcome"), titled(OF_SERVER))
def test_an_edit_of_the_server_json_is_what_comes_back(
    name: str, edits: Edits, outcome: Edits
) -> None:
    section = REMOTE_SERVERS if name == "remote" else SERVERS
    entry = entry_of_toolhive(name, TOOLHIVES[name], section=section)
    changed = entry_of(as_json(edited(entry.server, edits)))
    placed = placed_entry(changed)
    assert (placed.key, placed.section) == (name, section)
    assert without_parked(placed.value) == edited(TOOLHIVES[name], outcome)


@pytest.mark.parametrize(
    ("image", "package"),
    [
        (IMAGE, {"registryType": "oci", "identifier": IMAGE}),
        ("npx://files@1.2.0", {"registryType": "npm", "identifier": "files", "version": "1.2.0"}),
        ("uvx://files", {"registryType": "pypi", "identifier": "files"}),
    ],
)
@pytest.mark.parametrize("fields", [{}, {"$schema": "draft"}, {"title": "Files"}])
def test_another_image_is_no_other_version_of_an_official_server(
    image: str, package: JsonObject, fields: JsonObject
) -> None:
    version = "1.2.0" if image.endswith("1.2.0") else "1.0.0"
    package = {**package, "transport": {"type": "stdio"}}
    schema = {"$schema": NEWEST_SCHEMA}
    item = {**schema, "name": "a/b", "version": version, "packages": [package], **fields}
    placed = placed_entry(entry_of(item))
    assert placed.value["image"] == image
    newer = {**placed.value, "image": f"{image.removesuffix('1.2.0').rstrip(':@')}:2.0.0"}
    if "://" in image:
        newer["image"] = newer["image"].replace(":2.0.0", "@2.0.0")
    back = entry_of_toolhive(placed.key, newer, section=placed.section)
    assert back.version == version
    assert difference(item, back.server).keys() == {"packages"}
    assert placed_entry(back).value["image"] == newer["image"]


@pytest.mark.parametrize("fields", [{}, {"tier": "Official"}, {"status": "Deprecated"}])
def test_the_version_of_an_entry_of_toolhive_is_that_of_its_image(fields: JsonObject) -> None:
    value: JsonObject = {"image": IMAGE, "transport": "stdio", "status": "Active", **fields}
    entry = entry_of_toolhive("files", value, section=SERVERS)
    there = placed_entry(entry_of(as_json(entry.server))).value
    assert there == value
    newer = {**there, "image": IMAGE.replace("1.2.0", "2.0.0")}
    assert entry_of_toolhive("files", newer, section=SERVERS).version == "2.0.0"


def test_an_edit_of_a_word_among_named_arguments_makes_plain_words_of_all() -> None:
    """The limit: a word of a command line does not say to which argument it belongs."""
    argument = {"type": "named", "name": "--port", "value": "80", "description": "A port"}
    server = edited(OFFICIALS["npm"], {(*NPM, "packageArguments"): [argument]})
    value = placed_entry(entry_of(server)).value
    assert value["args"] == ["--port", "80"]
    back = entry_of_toolhive(
        "io.example/notes", {**value, "args": ["--port", "90"]}, section=SERVERS
    )
    words = [{"type": "positional", "value": word} for word in ("--port", "90")]
    assert back.content == edited(server, {(*NPM, "packageArguments"): words})


GENERIC: dict[str, st.SearchStrategy[Any]] = {
    "description": texts,
    "title": texts,
    "repository_url": urls,
    "image": images.filter(bool),
    "url": urls.filter(bool),
    "transport": st.sampled_from(["sse", "streamable-http"]),
    "target_port": st.integers(1, 65535),
    "tier": texts,
    "status": st.sampled_from(["Active", "Deprecated"]),
    "tags": st.lists(texts, max_size=2),
    "tools": st.lists(texts, max_size=2),
    "args": st.lists(texts, min_size=1, max_size=3),
    "permissions": objects,
    "env_vars": st.lists(
        st.fixed_dictionaries({"name": texts, "required": st.booleans()}), max_size=2
    ),
    "headers": st.lists(
        st.fixed_dictionaries({"name": texts, "required": st.booleans()}), max_size=2
    ),
}
edits = st.sampled_from(sorted(GENERIC)).flatmap(
    lambda field: st.tuples(st.just(field), GENERIC[field])
) | st.sampled_from(sorted(GENERIC.keys() - {"transport", "url", "image"})).map(
    lambda field: (field, GONE)
)


@many
@given(official_items, st.lists(edits, min_size=1, max_size=2))
def test_any_edit_of_any_converted_entry_is_what_comes_back(
    item: JsonObject, changes: list[tuple[str, Any]]
) -> None:
    try:
        placed = placed_entry(entry_of(as_json(item)))
    except RejectedError:
        return
    value = {key: field for key, field in placed.value.items() if (key, GONE) not in changes}
    value = as_json({**value, **{key: field for key, field in changes if field is not GONE}})
    try:
        back = entry_of_toolhive(placed.key, value, section=placed.section)
    except RejectedError:
        return
    again = placed_entry(back)
    assert (again.key, again.section) == (placed.key, placed.section)
    assert difference(without_parked(value), without_parked(again.value)) == {}


# What is parked --------------------------------------------------------------------------------------------


def parked_of(entry: Entry) -> Any:
    return placed_entry(entry).value.get("custom_metadata", {}).get(PARKED)


SCHEMA = "https://static.modelcontextprotocol.io/schemas/2025-10-17/server.schema.json"
PLAIN: JsonObject = {
    "$schema": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
    "name": "io.example/files",
    "version": "1.2.0",
    "packages": [{"registryType": "oci", "identifier": IMAGE, "transport": {"type": "stdio"}}],
}

PARKED_VALUES: list[tuple[JsonObject, Any]] = [
    ({}, {"version": "1.2.0"}),
    ({"$schema": SCHEMA}, "1.2.0 2025-10-17"),
    ({"$schema": SCHEMA, "version": "3"}, "3 2025-10-17"),
    ({"version": "3"}, {"version": "3"}),
    ({"$schema": SCHEMA, "version": "3 4"}, "3 4 2025-10-17"),
    ({"$schema": SCHEMA, "version": ""}, {"$schema": "2025-10-17", "version": ""}),
    (
        {"$schema": SCHEMA, "x": None},
        {"$schema": "1.2.0 2025-10-17", "x": {"=": None}},
    ),
    ({"$schema": "draft"}, {"$schema": "draft", "version": "1.2.0"}),
    ({"$schema": "2025-10-17"}, {"$schema": {"=": "2025-10-17"}, "version": "1.2.0"}),
    ({"$schema": "9 2025-10-17"}, {"$schema": {"=": "9 2025-10-17"}, "version": "1.2.0"}),
    ({"icons": [1]}, {"icons": [1], "version": "1.2.0"}),
]


@pytest.mark.parametrize(("fields", "parked"), PARKED_VALUES)
def test_what_toolhive_cannot_say_is_parked_in_few_words(fields: JsonObject, parked: Any) -> None:
    entry = entry_of({**PLAIN, **fields})
    assert parked_of(entry) == parked
    assert there_and_back(entry) == entry


@pytest.mark.parametrize("own", ["https://example.com/server.json", "two words", "", 7, None, []])
def test_what_is_no_parked_value_means_nothing(own: Any) -> None:
    value = {"image": IMAGE, "custom_metadata": {PARKED: own}}
    assert entry_of_toolhive("a", value, section=SERVERS) == entry_of_toolhive(
        "a", {"image": IMAGE}, section=SERVERS
    )


def test_what_the_registry_said_is_parked_too() -> None:
    entry = entry_of({"server": PLAIN, "_meta": {OFFICIAL_META: {"status": "deleted"}, "a": 1}})
    parked = parked_of(entry)
    assert parked["@_meta"] == {"=": {OFFICIAL_META: {"status": "deleted"}, "a": 1}}
    assert there_and_back(entry).content == entry.content


def test_what_the_official_format_cannot_say_is_parked_under_a_key_of_ours() -> None:
    entry = entry_of_toolhive("files", TOOLHIVES["container"], section=SERVERS)
    assert set(entry.server["_meta"]) == {PUBLISHER_META, PARKED_THERE}
    variables = {"=TOKEN": {"required": None, "secret": False}, "=LEVEL": {"choices": ["a"]}}
    parked = {"status": None, "target_port": 8080, "env_vars": variables}
    assert entry.server["_meta"][PARKED_THERE] == parked


@pytest.mark.flows
def test_little_is_parked_of_real_entries() -> None:
    dump = real_data("upstream-official-dumps/2025-12-18.wrapped.json").read_bytes()
    shares = [
        len(msgspec.json.encode(parked_of(entry))) / len(msgspec.json.encode(entry.server))
        for entry in entries(dump)
    ]
    assert statistics.median(shares) <= 0.15


@pytest.mark.flows
def test_nearly_all_real_entries_can_be_run_and_the_others_say_why_not() -> None:
    dump = real_data("upstream-official-dumps/2025-12-18.wrapped.json").read_bytes()
    targets = [target_of(entry.server) for entry in entries(dump) if entry.marked_latest]
    others = [target for target in targets if target.kind == "none"]
    assert len(targets) == 1108
    assert len(others) / len(targets) <= 0.07
    assert all(getattr(target, "reason", "") for target in others)


# Reading ---------------------------------------------------------------------------------------------------

REFUSED: list[tuple[str, Any, str]] = [
    ("a", None, "expected an object"),
    ("a", "text", "expected an object"),
    ("a", {}, "this is no ToolHive entry: it has neither an image, a url nor a description"),
    ("a", {"type": "http", "url": "https://a"}, "this is no ToolHive entry"),
    ("a", {"command": "npx", "args": ["x"], "description": "x"}, "this is no ToolHive entry"),
    ("a", {"image": "a", "@key": 1}, "a field cannot be called"),
    ("a", {"image": "a", "@section": 1}, "a field cannot be called"),
    ("", {"image": "a"}, "its key is empty"),
    ("x" * 201, {"image": "a"}, "key has 201 characters"),
    ("a\n", {"image": "a"}, "key contains a control character"),
    ("x" * 190, {"image": "a"}, "name has 209 characters"),
    ("a", {"image": "a", "name": "io.example/\x00"}, "name contains a control character"),
]


@pytest.mark.parametrize(("key", "value", "reason"), REFUSED)
def test_what_is_no_toolhive_entry_is_rejected_with_a_reason(
    key: str, value: Any, reason: str
) -> None:
    with pytest.raises(RejectedError) as caught:
        entry_of_toolhive(key, value, section=SERVERS)
    assert str(caught.value).startswith(reason)


def test_a_remote_entry_stands_among_the_remote_servers() -> None:
    assert placed_entry(entry_of(OFFICIALS["remote"])).section == REMOTE_SERVERS
    assert placed_entry(entry_of(OFFICIALS["container"])).section == SERVERS


# Parked values of strangers --------------------------------------------------------------------------------

HOSTILE: list[Any] = [
    None,
    7,
    "no date",
    "https://example.com/not-parked",
    [],
    {"=": 1},
    {"name": None},
    {"name": 7, "version": None},
    {"packages": {"0": None}},
    {"packages": {"9" * 5000: 1}},
    {"packages": "x", "remotes": {"=": {}}, "_meta": 7},
    {"@_meta": {OFFICIAL_META: {"=": {"status": "junk"}}}},
    {"@_meta": {OFFICIAL_META: ["deleted"]}},
    {"@_meta": "x"},
    {"_meta": {PUBLISHER_META: {TOOLHIVE_PUBLISHER: 1}}},
    {f"field{n}": n for n in range(3_000)} | {"description": "contradicts"},
]


@pytest.mark.parametrize("parked", HOSTILE, ids=lambda parked: str(parked)[:40])
@pytest.mark.parametrize("name", TOOLHIVES)
def test_parked_values_of_a_stranger_never_win_over_the_entry(name: str, parked: Any) -> None:
    section = REMOTE_SERVERS if name == "remote" else SERVERS
    custom = {**TOOLHIVES[name].get("custom_metadata", {}), PARKED: parked}
    value = {**TOOLHIVES[name], "custom_metadata": custom}
    entry = entry_of_toolhive("files", as_json(value), section=section)
    assert entry.name == "io.github.stacklok/files"
    assert entry.server["description"] == value["description"]
    assert without_parked(placed_entry(entry).value) == TOOLHIVES[name]
    assert facts_of(entry).key == "files"
    assert entry.digest


@pytest.mark.parametrize("parked", HOSTILE, ids=lambda parked: str(parked)[:40])
@pytest.mark.parametrize("name", OFFICIALS)
def test_what_a_stranger_parked_in_a_server_json_changes_nothing_in_it(
    name: str, parked: Any
) -> None:
    meta = {**OFFICIALS[name]["server"].get("_meta", {}), PARKED_THERE: parked}
    item = {**OFFICIALS[name], "server": {**OFFICIALS[name]["server"], "_meta": meta}}
    back = there_and_back(entry_of(as_json(item)))
    server = copy.deepcopy(back.server)
    server.get("_meta", {}).pop(PARKED_THERE, None)
    if not server.get("_meta"):
        server.pop("_meta", None)
    assert server == OFFICIALS[name]["server"]


@few
@given(keys, containers | endpoints, sections, values)
def test_no_parked_value_of_a_toolhive_entry_fails(
    key: str, value: JsonObject, section: str, parked: Any
) -> None:
    value = as_json({**value, "custom_metadata": {PARKED: parked}})
    try:
        entry = entry_of_toolhive(key, value, section=section)
    except RejectedError:
        return
    facts_of(entry)
    assert there_and_back(entry).name == entry.name
    assert entry.digest


@few
@given(official_items, values | objects)
def test_no_parked_value_of_a_server_json_fails(item: JsonObject, parked: Any) -> None:
    item = as_json(item)
    if isinstance(item["server"], dict):
        meta = item["server"].get("_meta")
        parts = meta if isinstance(meta, dict) else {}
        item["server"]["_meta"] = {**parts, PARKED_THERE: as_json(parked)}
    try:
        entry = entry_of(item)
    except RejectedError:
        return
    facts_of(entry)
    placed_entry(entry)
    assert entry.digest


def test_an_entry_of_thousands_of_inputs_costs_no_more_than_its_length() -> None:
    inputs = [{"name": f"V{n}", "value": "x", "choices": ["a"]} for n in range(5_000)]
    package = {**PLAIN["packages"][0], "environmentVariables": inputs}
    entry = entry_of({**PLAIN, "packages": [package]})
    value = placed_entry(entry).value
    assert there_and_back(entry) == entry
    value["env_vars"][7]["description"] = "edited"
    back = entry_of_toolhive(entry.name, value, section=SERVERS)
    assert back.server["packages"][0]["environmentVariables"][7]["description"] == "edited"

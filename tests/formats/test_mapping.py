from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.formats.real import real_data
from thv.domain.canonical import JsonObject
from thv.domain.entry import OFFICIAL_META, PUBLISHER_META, TOOLHIVE_PUBLISHER
from thv.formats.generations import NEWEST_SCHEMA
from thv.formats.mapping import KEY, REMOTE_SERVERS, SECTION, SERVERS, to_official, to_toolhive

pytestmark = pytest.mark.requirement("FMT-03")

IMAGE = "ghcr.io/example/files:1.2.0"
URL = "https://search.example.com/mcp"
PLACE = {KEY: "io.example/files", SECTION: SERVERS}
REMOTE_PLACE = {KEY: "io.example/files", SECTION: REMOTE_SERVERS}
LOCAL = {**PLACE, "status": "Active"}


def official(block: Any = None, reference: str = IMAGE, **fields: Any) -> JsonObject:
    server: JsonObject = {"name": "io.example/files", "version": "1.2.0", **fields}
    if block is not None:
        server["_meta"] = {PUBLISHER_META: {TOOLHIVE_PUBLISHER: {reference: block}}}
    return {"server": server}


def image(**fields: Any) -> JsonObject:
    package = {"registryType": "oci", "identifier": IMAGE, "transport": {"type": "stdio"}}
    return {"packages": [{**package, **fields}]}


def npm(**fields: Any) -> JsonObject:
    package = {"registryType": "npm", "identifier": "pkg", "transport": {"type": "stdio"}}
    return {"packages": [{**package, **fields}]}


def remote(**fields: Any) -> JsonObject:
    return {"remotes": [{"type": "sse", "url": URL, **fields}]}


def http(url: str) -> JsonObject:
    return {"type": "streamable-http", "url": url}


# Both ways: the fields of server.json, the ToolHive block, and the ToolHive fields that say the same.
BOTH: dict[str, tuple[JsonObject, Any, JsonObject]] = {
    "description": ({"description": "Keeps files", **image()}, None, {"description": "Keeps files"}),
    "title": ({"title": "Files", **image()}, None, {"title": "Files"}),
    "repository": (
        {"repository": {"url": "https://github.com/example/files", "source": "github"}, **image()},
        None,
        {"repository_url": "https://github.com/example/files"},
    ),
    "no repository": ({"repository": {}, **image()}, None, {"repository_url": ""}),
    "web site": (
        {"websiteUrl": "https://example.com", **image()},
        None,
        {"custom_metadata": {"homepage": "https://example.com"}},
    ),
    "web site beside other metadata": (
        {"websiteUrl": "https://example.com", **image()},
        {"status": "Active", "custom_metadata": {"team": "blue"}},
        {"custom_metadata": {"team": "blue", "homepage": "https://example.com"}},
    ),
    "image": (image(), None, {}),
    "port": (image(transport=http("http://localhost:8080")), None, {"transport": "streamable-http", "target_port": 8080}),
    "no port": (image(transport=http("http://localhost")), None, {"transport": "streamable-http"}),
    "environment": (
        image(
            environmentVariables=[
                {"name": "TOKEN", "description": "A token", "isRequired": True, "isSecret": True},
                {"name": "LEVEL", "default": "info"},
            ]
        ),
        None,
        {
            "env_vars": [
                {"name": "TOKEN", "description": "A token", "required": True, "secret": True},
                {"name": "LEVEL", "required": False, "default": "info"},
            ]
        },
    ),
    "the block": (
        image(),
        {
            "status": "Active",
            "tier": "Official",
            "tags": ["files"],
            "tools": ["find"],
            "args": ["serve"],
            "permissions": {"network": {}},
            "metadata": {"stars": 1, "pulls": 2},
            "provenance": {"cert_issuer": "https://x"},
            "proxy_port": 9,
            "docker_tags": ["1"],
            "overview": "long",
            "tool_definitions": [{"name": "find"}],
            "unknown": {"kept": True},
        },
        {
            "tier": "Official",
            "tags": ["files"],
            "tools": ["find"],
            "args": ["serve"],
            "permissions": {"network": {}},
            "metadata": {"stars": 1, "pulls": 2},
            "provenance": {"cert_issuer": "https://x"},
            "proxy_port": 9,
            "docker_tags": ["1"],
            "overview": "long",
            "tool_definitions": [{"name": "find"}],
            "unknown": {"kept": True},
        },
    ),
}  # fmt: skip

# server.json to ToolHive only: the way back gives another spelling, which is what parking is for.
TO_TOOLHIVE: dict[str, tuple[JsonObject, JsonObject]] = {
    "host and tag apart": (
        official(**image(identifier="example/files", registryBaseUrl="https://ghcr.io", version="1.2.0")),
        {**LOCAL, "image": IMAGE, "transport": "stdio"},
    ),
    "variables on a command line": (
        official(
            **image(
                environmentVariables=[{"name": "A"}],
                runtimeArguments=[
                    {"type": "named", "name": "-e", "value": "A=1"},
                    {"type": "named", "name": "-e", "value": "B=2", "description": "b"},
                    {"type": "named", "name": "--env", "value": "C={c}", "variables": {"c": {"isSecret": True, "default": "d"}}},
                    {"type": "named", "name": "--env", "value": "=x"},
                    {"type": "named", "name": "-v", "value": "D=4"},
                    {"type": "named", "name": "-e", "value": 5},
                ],
            )
        ),
        {
            **LOCAL,
            "image": IMAGE,
            "transport": "stdio",
            "env_vars": [
                {"name": "A", "required": False},
                {"name": "B", "description": "b", "required": False, "default": "2"},
                {"name": "C", "required": False, "secret": True, "default": "d"},
            ],
        },
    ),
    "a command line with what somebody must give": (
        official(
            **image(
                packageArguments=[
                    {"type": "positional", "value": "serve"},
                    {"type": "named", "name": "--port", "default": "80"},
                    {"type": "named", "name": "--fast"},
                    {"type": "positional", "valueHint": "path", "isRequired": True},
                    {"type": "positional", "valueHint": "optional"},
                    {"type": "named", "name": ""},
                    "no argument",
                ]
            )
        ),
        {
            **LOCAL,
            "image": IMAGE,
            "transport": "stdio",
            "args": ["serve", "--port", "80", "--fast", "{path}"],
        },
    ),
    "a deprecated entry": (
        {**official(**image()), "_meta": {OFFICIAL_META: {"status": "deprecated"}}},
        {**LOCAL, "image": IMAGE, "transport": "stdio", "status": "Deprecated"},
    ),
    "a deleted entry": (
        {**official({"status": "active"}, **image()), "_meta": {OFFICIAL_META: {"status": "deleted"}}},
        {**LOCAL, "image": IMAGE, "transport": "stdio", "status": "Deprecated"},
    ),
    "deprecated by its publisher": (
        official({"status": "deprecated"}, **image()),
        {**LOCAL, "image": IMAGE, "transport": "stdio", "status": "Deprecated"},
    ),
    "nothing that runs": (
        official(packages=[{"registryType": "mcpb", "identifier": "https://x"}]),
        LOCAL,
    ),
    "the first of several blocks": (
        official({"tier": "Community"}, reference="elsewhere", **image()),
        {**LOCAL, "image": IMAGE, "transport": "stdio", "tier": "Community"},
    ),
    "what the other format says itself is not taken from the block": (
        official({"image": "fake", "description": "fake", "env_vars": [{}], KEY: "fake"}, **image()),
        {**LOCAL, "image": IMAGE, "transport": "stdio"},
    ),
    "custom metadata that is none": (
        official({"custom_metadata": "x"}, **image()),
        {**LOCAL, "image": IMAGE, "transport": "stdio"},
    ),
    "what looks like something parked": (
        official({"custom_metadata": {"server.json": "fake", "a": 1}}, **image()),
        {**LOCAL, "image": IMAGE, "transport": "stdio", "custom_metadata": {"a": 1}},
    ),
}  # fmt: skip

# ToolHive to server.json: fields of a container entry, fields of the server that come of them.
TO_OFFICIAL: dict[str, tuple[JsonObject, JsonObject]] = {
    "a tag is a version": ({"image": "a/b:v2.3.4"}, {"version": "2.3.4"}),
    "a tag that is none": ({"image": "a/b:latest"}, {"version": "1.0.0"}),
    "no image": ({"description": "x"}, {"version": "1.0.0", "description": "x"}),
    "an explicit name": ({"image": "a/b:1.0.0", "name": "io.example/own"}, {"name": "io.example/own"}),
    "a name without slash": ({"image": "a/b:1.0.0", "name": "own"}, {"name": "io.example/files"}),
    "no transport": (
        {"image": "a/b:1.0.0"},
        {"packages": [{"registryType": "oci", "identifier": "a/b:1.0.0", "transport": {"type": "stdio"}}]},
    ),
    "a port of another type": (
        {"image": "a/b:1.0.0", "transport": "sse", "target_port": "8080"},
        {"packages": [{"registryType": "oci", "identifier": "a/b:1.0.0", "transport": {"type": "sse", "url": "http://localhost"}}]},
    ),
    "npx": (
        {"image": "npx://@a/b@1.0.0", "args": ["start"], "env_vars": [{"name": "A", "required": True}, 7]},
        {
            "version": "1.0.0",
            "packages": [
                {
                    "registryType": "npm",
                    "identifier": "@a/b",
                    "version": "1.0.0",
                    "transport": {"type": "stdio"},
                    "environmentVariables": [{"name": "A", "isRequired": True, "format": "string"}, 7],
                    "packageArguments": [{"type": "positional", "value": "start"}],
                }
            ],
        },
    ),
    "uvx without version": (
        {"image": "uvx://tool"},
        {"version": "1.0.0", "packages": [{"registryType": "pypi", "identifier": "tool", "transport": {"type": "stdio"}}]},
    ),
    "another runner": (
        {"image": "go://example.com/tool@v1"},
        {"packages": [{"registryType": "oci", "identifier": "go://example.com/tool@v1", "transport": {"type": "stdio"}}]},
    ),
    "a host of code": (
        {"image": "a/b:1", "repository_url": "https://gitlab.com/a/b"},
        {"repository": {"url": "https://gitlab.com/a/b", "source": "gitlab"}},
    ),
    "another host of code": (
        {"image": "a/b:1", "repository_url": "https://git.example.com/a/b"},
        {"repository": {"url": "https://git.example.com/a/b", "source": "git"}},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("fields", "block", "there"), BOTH.values(), ids=BOTH.keys())
def test_what_both_formats_say_goes_both_ways(
    fields: JsonObject, block: Any, there: JsonObject
) -> None:
    content = official(block, **fields)
    toolhive = {**LOCAL, "image": IMAGE, "transport": "stdio", **there}
    assert to_toolhive(content) == toolhive
    content["server"]["$schema"] = NEWEST_SCHEMA
    assert to_official(toolhive) == content


@pytest.mark.parametrize(("content", "there"), TO_TOOLHIVE.values(), ids=TO_TOOLHIVE.keys())
def test_what_a_server_is_in_the_words_of_toolhive(content: JsonObject, there: JsonObject) -> None:
    before = msgspec.json.encode(content)
    assert to_toolhive(content) == there
    assert msgspec.json.encode(content) == before


@pytest.mark.parametrize(("there", "fields"), TO_OFFICIAL.values(), ids=TO_OFFICIAL.keys())
def test_what_a_toolhive_entry_is_as_a_server(there: JsonObject, fields: JsonObject) -> None:
    server = to_official({**PLACE, **there})["server"]
    assert {key: server.get(key) for key in fields} == fields


def test_a_remote_server_goes_both_ways() -> None:
    headers = [{"name": "Authorization", "isRequired": True, "isSecret": True, "choices": ["a"]}]
    block = {
        "status": "Active",
        "tier": "Official",
        "env_vars": [{"name": "A"}],
        "oauth_config": {"issuer": "x"},
    }
    content = official(block, URL, **remote(headers=headers))
    content["server"] |= {"$schema": NEWEST_SCHEMA, "version": "1.0.0"}
    toolhive = {
        **REMOTE_PLACE,
        "url": URL,
        "transport": "sse",
        "headers": [{"name": "Authorization", "required": True, "secret": True, "choices": ["a"]}],
        **block,
    }
    assert to_toolhive(content) == toolhive
    assert to_official(toolhive) == content


def test_a_remote_entry_without_url_is_a_server_without_remotes() -> None:
    assert "remotes" not in to_official({**REMOTE_PLACE, "description": "x"})["server"]


@pytest.mark.parametrize(
    ("key", "name"),
    [("files", "io.github.stacklok/files"), ("io.example/files", "io.example/files")],
)
def test_a_key_is_a_name_without_the_prefix_of_toolhive(key: str, name: str) -> None:
    server = to_official({**PLACE, KEY: key, "image": IMAGE})["server"]
    assert server["name"] == name
    assert to_toolhive({"server": server})[KEY] == key


# Dirt ------------------------------------------------------------------------------------------------------

DIRTY_SERVERS: list[JsonObject] = [
    {
        **image(
            environmentVariables=[{"name": ["A"]}, None],
            runtimeArguments=[{"name": "-e", "value": "B=1"}],
        )
    },
    {**image(environmentVariables="A", packageArguments={"a": 1}, runtimeArguments=[[]])},
    {"repository": {"url": 7}, **npm()},
    {"repository": "https://github.com/a/b", "websiteUrl": 7, "title": None, "description": []},
    {"packages": [None, [], {"registryType": ["oci"]}], "remotes": [None, {"url": [], "type": []}]},
    {"_meta": {PUBLISHER_META: {TOOLHIVE_PUBLISHER: []}}},
    {"_meta": [PUBLISHER_META]},
]


@pytest.mark.parametrize("fields", DIRTY_SERVERS, ids=str)
def test_fields_of_another_type_are_passed_over(fields: JsonObject) -> None:
    there = to_toolhive(official(**fields))
    assert there["status"] == "Active"
    msgspec.json.encode(to_official(there))


@pytest.mark.parametrize("word", [["deleted"], {"x": "deleted"}, None, "junk"])
def test_a_status_of_another_type_is_none(word: Any) -> None:
    for meta in (word, {OFFICIAL_META: word}, {OFFICIAL_META: {"status": word}}):
        assert to_toolhive({**official(**image()), "_meta": meta})["status"] == "Active"


# The rules of ToolHive's own converter ----------------------------------------------------------------------


def test_the_gold_pair_says_the_same_in_both_formats() -> None:
    gold = real_data("toolhive-gold-pair")
    toolhive = msgspec.json.decode((gold / "toolhive-registry.2025-11-26T00-18Z.json").read_bytes())
    upstream = msgspec.json.decode((gold / "upstream-registry.2025-11-26T00-27Z.json").read_bytes())
    servers = upstream["data"]["servers"]
    assert len(servers) == 12
    same = (
        "description",
        "image",
        "url",
        "transport",
        "tools",
        "tags",
        "tier",
        "permissions",
        "args",
    )
    for server in servers:
        there = to_toolhive({"server": server})
        twin = {**toolhive["servers"], **toolhive["remote_servers"]}[there[KEY]]
        assert {key: there.get(key) for key in same} == {key: twin.get(key) for key in same}


@pytest.mark.parametrize("case", ["image_to_server/{}_github", "remote_to_server/{}_example"])
def test_the_fixtures_of_toolhives_converter_are_converted_alike(case: str) -> None:
    folder = real_data("toolhive-gold-pair/converter-fixtures")
    given, expected = (
        msgspec.json.decode((folder / f"{case.format(kind)}.json").read_bytes())
        for kind in ("input", "expected")
    )
    section = SERVERS if "image" in given else REMOTE_SERVERS
    server = to_official({KEY: expected["name"], SECTION: section, **given})["server"]
    for key in ("description", "title", "repository", "remotes"):
        assert server.get(key) == expected.get(key)
    for ours, theirs in zip(server.get("packages", []), expected.get("packages", []), strict=True):
        assert ours["identifier"] == theirs["identifier"]
        assert ours["transport"] == theirs["transport"]
        assert ours.get("environmentVariables") == theirs.get("environmentVariables")

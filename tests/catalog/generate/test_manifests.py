"""What a request comes to: manifests that say what was chosen, and the same ones each time."""

from __future__ import annotations

import base64
import gzip
import random
from typing import Any

import msgspec
import pytest

from tests.catalog.generate.requests import (
    DIGEST,
    generated,
    osv,
    read_back,
    remote,
    request,
    wanted,
)
from thv.catalog.generate.manifests import DATA_LIMIT
from thv.catalog.generate.refusals import RefusedError
from thv.domain.canonical import JsonObject
from thv.domain.entry import Entry
from thv.domain.errors import Code, InvalidError
from thv.domain.facts import facts_of
from thv.formats.toolhive import placed_entry


def document(config_map: JsonObject) -> bytes:
    if "data" in config_map:
        return str(config_map["data"]["registry.json"]).encode()
    return gzip.decompress(base64.b64decode(config_map["binaryData"]["registry.json.gz"]))


def served(body: JsonObject, *entries: Entry) -> Entry:
    """The first server as a sync reads it."""
    return read_back(document(generated(body, *entries).config_map))[0]


def culprits(body: JsonObject, *entries: Entry) -> list[str]:
    with pytest.raises(InvalidError) as caught:
        generated(body, *entries)
    return [error.path for error in caught.value.errors]


@pytest.mark.requirement("CAT-07")
def test_the_manifests_of_a_selection() -> None:
    body = request(
        wanted(
            "osv",
            custom_image="internal.example/osv:v1",
            custom_image_digest=DIGEST,
            tools_filter=["scan", "list"],
            tool_overrides={"scan": {"name": "corp-scan", "description": "Scan it"}},
            env_overrides={"LOG_LEVEL": "warn"},
            resources={"cpu": "200m", "memory_limit": "1Gi"},
        ),
        configuration={"enforce_servers": True, "enforce_tools": True, "auto_sync": True},
        filters={"global_tags": {"include": ["Security"], "exclude": ["deprecated"]}},
        metadata={"registry_name": "mine", "display_name": "Mine"},
    )
    made = generated(body, osv())
    labels = {
        "app.kubernetes.io/managed-by": "toolhive-catalog",
        "toolhive.stacklok.io/registry-name": "mine",
    }
    origin = {"toolhive.stacklok.io/generated-from": f"tools/main@sha256:{'5' * 64}"}
    config_map, tool_config, registry = made.manifests
    text = config_map["data"].pop("registry.json")
    assert config_map == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "mine-data",
            "namespace": "production",
            "labels": labels,
            "annotations": origin,
        },
        "data": {},
    }
    named = {"toolhive.stacklok.io/server-name": "osv"}
    assert tool_config == {
        "apiVersion": "toolhive.stacklok.io/v1alpha1",
        "kind": "MCPToolConfig",
        "metadata": {
            "name": "mine-osv",
            "namespace": "production",
            "labels": {**labels, **named},
            "annotations": {**origin, **named, "toolhive.stacklok.io/server-version": "0.0.7"},
        },
        "spec": {
            "toolsFilter": ["corp-scan", "list"],
            "toolsOverride": {"scan": {"name": "corp-scan", "description": "Scan it"}},
        },
    }
    requested = registry["metadata"]["annotations"].pop("toolhive.stacklok.io/sync-requested-at")
    assert requested.startswith("sha256:")
    assert registry == {
        "apiVersion": "toolhive.stacklok.io/v1alpha1",
        "kind": "MCPRegistry",
        "metadata": {
            "name": "mine",
            "namespace": "production",
            "labels": labels,
            "annotations": origin,
        },
        "spec": {
            "displayName": "Mine",
            "format": "toolhive",
            "source": {
                "type": "configmap",
                "configMap": {"name": "mine-data", "key": "registry.json"},
            },
            "syncPolicy": {"enabled": True},
            "enforceServers": True,
            "enforceTools": True,
            "filter": {"include": {"tags": ["Security"]}, "exclude": {"tags": ["deprecated"]}},
        },
    }
    assert made.images == ({"server": "osv", "image": "internal.example/osv:v1", "digest": DIGEST},)
    assert made.warnings == ()
    assert text.startswith('{\n  "version": "1.0.0",\n  "last_updated": "2026-11-20T10:30:00Z",')
    value = msgspec.json.decode(text)["servers"]["osv"]
    assert value["image"] == "internal.example/osv:v1"
    assert value["tools"] == ["corp-scan", "list"]
    assert value["tool_definitions"] == [
        {"name": "corp-scan", "description": "Scan it", "inputSchema": {"type": "object"}}
    ]
    assert [each.get("default") for each in value["env_vars"]] == ["warn", None]
    assert value["custom_metadata"]["toolhive.stacklok.io"] == {
        "image_digest": DIGEST,
        "resources": {"cpu": "200m", "memory_limit": "1Gi"},
    }


def test_a_sync_reads_what_was_chosen_and_the_same_version() -> None:
    body = request(wanted("osv", custom_image="x.io/osv:v9", tools_filter=["query"]))
    entry = served(body, osv())
    assert (entry.name, entry.version) == (osv().name, osv().version)
    facts = facts_of(entry)
    assert (facts.reference, facts.tools) == ("x.io/osv:v9", ("query",))


def test_a_server_that_nothing_is_asked_of_stays_as_it_is() -> None:
    for entry in (osv(), remote()):
        name = facts_of(entry).key
        back = served(request(wanted(name)), entry)
        assert placed_entry(back) == placed_entry(entry)
        assert generated(request(wanted(name)), entry).tool_configs == ()


@pytest.mark.parametrize("said", ["scan", "corp-scan"])
def test_a_renamed_tool_is_chosen_by_either_name(said: str) -> None:
    overrides = {"scan": {"name": "corp-scan"}}
    made = generated(request(wanted("osv", tools_filter=[said], tool_overrides=overrides)), osv())
    assert made.tool_configs[0]["spec"]["toolsFilter"] == ["corp-scan"]


def test_a_description_for_a_tool_that_has_none_is_served() -> None:
    body = request(wanted("osv", tool_overrides={"list": {"description": "List all"}}))
    value = placed_entry(served(body, osv())).value
    assert {"name": "list", "description": "List all"} in value["tool_definitions"]
    assert value["tools"] == ["scan", "query", "list"]


@pytest.mark.requirement("CAT-10")
def test_images_are_named_where_a_mirror_has_them() -> None:
    other = osv(image=f"docker.io/library/b:2@{DIGEST}", tags=["b"])
    other = msgspec.structs.replace(other, server={**other.server, "name": "io.example/b"})
    body = request(wanted("osv"), wanted("io.example/b", custom_image="own.example/b:3"))
    made = generated(body, osv(), other, image_registry="mirror.corp:5000/mcp")
    assert [image["image"] for image in made.images] == [
        "mirror.corp:5000/mcp/stackloklabs/osv-mcp/server:0.0.7",
        "own.example/b:3",
    ]
    assert [warning.path for warning in made.warnings] == [
        "servers[0].configuration.custom_image",
        "servers[1].configuration.custom_image",
    ]
    kept = generated(request(wanted("io.example/b")), other, image_registry="docker.io")
    assert kept.images == (
        {"server": "io.example/b", "image": "docker.io/library/b:2", "digest": DIGEST},
    )


_AT = "servers[0].configuration."
UNFIT: list[tuple[str, JsonObject, list[str]]] = [
    ("an unknown tool", {"tools_filter": ["nope"]}, [_AT + "tools_filter[0]"]),
    ("an override of an unknown tool", {"tool_overrides": {"x": {"name": "y"}}}, [_AT + "tool_overrides.x"]),
    (
        "two tools of one name",
        {"tool_overrides": {"scan": {"name": "a"}, "query": {"name": "a"}}},
        [_AT + "tool_overrides.query.name"],
    ),
    ("the name of another tool", {"tool_overrides": {"scan": {"name": "list"}}}, [_AT + "tool_overrides.scan.name"]),
    (
        "a tool by both names",
        {"tool_overrides": {"scan": {"name": "a"}}, "tools_filter": ["a", "scan"]},
        [_AT + "tools_filter"],
    ),
    (
        "a name of two tools",
        {"tool_overrides": {"scan": {"name": "query"}, "query": {"name": "scan"}}, "tools_filter": ["scan"]},
        [_AT + "tools_filter[0]"],
    ),
    ("a secret", {"env_overrides": {"TOKEN": "hunter2"}}, [_AT + "env_overrides.TOKEN"]),
    ("an undeclared variable", {"env_overrides": {"DEBUG": "1"}}, [_AT + "env_overrides.DEBUG"]),
    (
        "several things",
        {"env_overrides": {"DEBUG": "1"}, "tools_filter": ["nope"]},
        [_AT + "env_overrides.DEBUG", _AT + "tools_filter[0]"],
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("configuration", "fields"), [row[1:] for row in UNFIT], ids=[row[0] for row in UNFIT]
)
def test_what_does_not_fit_the_server_is_refused(
    configuration: JsonObject, fields: list[str]
) -> None:
    assert culprits(request(wanted("osv", **configuration)), osv()) == fields


def test_images_are_for_what_runs_an_image() -> None:
    body = request(wanted("far", custom_image="x.io/far:1", custom_image_digest=DIGEST))
    assert culprits(body, remote()) == [_AT + "custom_image", _AT + "custom_image_digest"]


def test_tools_of_a_server_that_names_none_cannot_be_chosen() -> None:
    assert culprits(request(wanted("far", tools_filter=["t"])), remote()) == [
        _AT + "tools_filter[0]"
    ]
    body = request(wanted("far"), configuration={"enforce_tools": True})
    assert culprits(body, remote()) == [_AT + "tools_filter"]


def test_a_tool_that_no_tool_config_can_name_needs_another_name() -> None:
    entry = osv(tools=["read file", "list"])
    assert culprits(request(wanted("osv", tools_filter=["read file"])), entry) == [
        _AT + "tools_filter"
    ]
    overrides = {"read file": {"name": "read"}}
    body = request(wanted("osv", tool_overrides=overrides, tools_filter=["read file"]))
    assert generated(body, entry).tool_configs[0]["spec"] == {
        "toolsFilter": ["read"],
        "toolsOverride": overrides,
    }


def test_a_server_that_the_filter_drops_is_refused() -> None:
    for side, tags in (("include", ["web"]), ("exclude", ["OSV"])):
        body = request(wanted("osv"), filters={"global_tags": {side: tags}})
        assert culprits(body, osv()) == ["servers[0].name"]


def test_one_server_by_two_names_is_refused() -> None:
    body = request(wanted("osv"), wanted("io.github.stacklok/osv"))
    assert culprits(body, osv(), osv()) == ["servers"]


# ---------------------------------------------------------------- size


def _large(kibibytes: int) -> Entry:
    noise = random.Random(1)
    words = "".join(noise.choice("abcdefghijklmnop ") for _ in range(kibibytes << 10))
    return osv(overview=words)


def test_what_kubectl_could_not_apply_is_packed() -> None:
    made = generated(request(wanted("osv")), _large(210))
    assert set(made.config_map) == {"apiVersion", "kind", "metadata", "binaryData"}
    source = made.registry["spec"]["source"]["configMap"]
    assert source == {"name": "mine-data", "key": "registry.json.gz"}
    (entry,) = read_back(document(made.config_map))
    assert len(placed_entry(entry).value["overview"]) == 210 << 10
    assert made.warnings[0].path == "servers[0].configuration.custom_image"
    larger = generated(request(wanted("osv")), _large(900))
    assert "--server-side" in larger.warnings[0].message


def test_what_no_config_map_holds_is_refused_by_policy() -> None:
    with pytest.raises(RefusedError, match="OCI") as caught:
        generated(request(wanted("osv")), _large(2 * DATA_LIMIT >> 10))
    assert (caught.value.code, caught.value.error.path) == (Code.POLICY_REFUSED, "servers")


# ---------------------------------------------------------------- what is said beside


def test_warnings_name_what_may_surprise() -> None:
    nothing = osv()
    server = {key: value for key, value in nothing.server.items() if key != "packages"}
    bare = Entry(server={**server, "name": "io.example/none"})
    body = request(wanted("io.example/none"), wanted("osv"))
    made = generated(body, bare, osv(status="Deprecated"))
    said = [(warning.path, warning.message) for warning in made.warnings]
    assert said == [
        ("servers[0].name", "cannot be run: neither packages nor remotes"),
        ("servers[1].configuration.custom_image", "no digest: the image can change behind the tag"),
        ("servers[1].name", "is deprecated by its publisher"),
    ]


def test_long_names_of_servers_make_names_that_objects_may_have() -> None:
    name = "com.Example.Deep/" + "x" * 100
    entry = osv()
    entry = msgspec.structs.replace(entry, server={**entry.server, "name": name})
    made = generated(request(wanted(name, tools_filter=["scan"])), entry)
    metadata: dict[str, Any] = made.tool_configs[0]["metadata"]
    assert len(metadata["name"]) <= 253
    assert metadata["name"] == metadata["name"].lower()
    assert metadata["annotations"]["toolhive.stacklok.io/server-name"] == name


@pytest.mark.parametrize(
    "said",
    ["latest", "sha256:aa evil.example/x\nevil.example/y:1 registry.corp/base:1", 7, {"a": 1}],
)
def test_a_publisher_pins_an_image_by_a_digest_or_not_at_all(said: Any) -> None:
    own = {"toolhive.stacklok.io": {"image_digest": said}}
    made = generated(request(wanted("osv")), osv(custom_metadata=own))
    assert made.images == ({"server": "osv", "image": "ghcr.io/stackloklabs/osv-mcp/server:0.0.7"},)


def test_an_image_that_is_no_reference_needs_another_one() -> None:
    entry = osv(image="ghcr.io/a/c:1\nevil.example/two:1")
    assert culprits(request(wanted("osv")), entry) == [_AT + "custom_image"]
    made = generated(request(wanted("osv", custom_image="own.example/c:1")), entry)
    assert [image["image"] for image in made.images] == ["own.example/c:1"]


def test_tools_and_variables_without_a_name_are_passed_over() -> None:
    odd: list[Any] = [{"name": {"a": 1}}, "scan", 3]
    entry = osv(tool_definitions=odd, env_vars=[*odd, {"name": "LOG_LEVEL", "default": "info"}])
    body = request(wanted("osv", tools_filter=["scan"], env_overrides={"LOG_LEVEL": "warn"}))
    value = placed_entry(served(body, entry)).value
    assert value["tools"] == ["scan"]
    assert {"name": "LOG_LEVEL", "default": "warn"} in value["env_vars"]

"""What an entry becomes when somebody installs it, without any place to write it to."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.builders import server, toolhive_entry
from thv.catalog.choices import Choice, ChoiceError, Choices, FromSecret
from thv.catalog.install import (
    NAME_LIMIT,
    Ground,
    Installation,
    Origin,
    default_name,
    installation,
)
from thv.domain.canonical import JsonObject
from thv.domain.entry import Entry
from thv.domain.errors import ThvError
from thv.domain.facts import facts_of
from thv.domain.mcpserver import SERVER_RULES, PermissionProfile
from thv.domain.resources import MCP_SERVER, SERVER_KINDS, TOOL_CONFIG, TOOL_CONFIG_KINDS
from thv.domain.rules import check_rules
from thv.formats.official import entry_of
from thv.formats.toolhive import entry_of_toolhive
from thv.stores.resources.definitions import definition_of
from thv.stores.resources.schema import unknown_fields, validate

pytestmark = pytest.mark.requirement("CLI-05")

HERE = Ground(server=MCP_SERVER, tool_config=TOOL_CONFIG, packages=True)
CLUSTER = msgspec.structs.replace(HERE, packages=False)
THEIRS = Ground(server=SERVER_KINDS[0], tool_config=TOOL_CONFIG_KINDS[0], packages=False)
CATALOG = Origin("toolhive-system", "upstream-community")
DIGEST = f"sha256:{'a' * 64}"


def container(**fields: Any) -> Entry:
    return entry_of_toolhive("filesystem-server", toolhive_entry(**fields), section="servers")


def made(entry: Entry, ground: Ground = CLUSTER, **choices: Any) -> Installation:
    chosen = Choices(**{"namespace": "production", **choices})
    return installation(entry, facts_of(entry), CATALOG, chosen, ground)


def spec(entry: Entry, ground: Ground = CLUSTER, **choices: Any) -> JsonObject:
    found: JsonObject = made(entry, ground, **choices).server["spec"]
    return found


def variable(name: str, **more: Any) -> JsonObject:
    return {"name": name, "description": f"the {name.lower()}", "required": False, **more}


def refused(entry: Entry, ground: Ground = CLUSTER, **choices: Any) -> ChoiceError:
    with pytest.raises(ChoiceError) as caught:
        made(entry, ground, **choices)
    return caught.value


# the whole -------------------------------------------------------------------------------------------------


def test_an_entry_becomes_a_server_that_says_where_it_came_from() -> None:
    entry = container(
        image="mcpproject/filesystem-server:1.2.0",
        tier="Official",
        args=["/data"],
        target_port=8000,
        transport="sse",
        permissions={"network": {"outbound": {"allow_host": ["example.com"]}}},
        custom_metadata={"category": "filesystem"},
    )
    done = made(entry, name="my-filesystem", env={"FILESYSTEM_ROOT": "/data/shared"})
    assert done.objects == (done.server,)
    assert done.server == {
        "apiVersion": "toolhive.stacklok.io/v1alpha1",
        "kind": "MCPServer",
        "metadata": {
            "name": "my-filesystem",
            "namespace": "production",
            "labels": {
                "toolhive.stacklok.io/registry-name": "upstream-community",
                "toolhive.stacklok.io/registry-namespace": "toolhive-system",
                "toolhive.stacklok.io/server-name": "filesystem-server",
                "toolhive.stacklok.io/tier": "Official",
                "toolhive.stacklok.io/category": "filesystem",
            },
            "annotations": {
                "registry.toolhive.io/source": "upstream-community",
                "toolhive.stacklok.io/server-name": "filesystem-server",
                "toolhive.stacklok.io/server-version": "1.2.0",
                "toolhive.stacklok.io/revision": entry.digest,
            },
        },
        "spec": {
            "image": "mcpproject/filesystem-server:1.2.0",
            "transport": "sse",
            "targetPort": 8000,
            "args": ["/data"],
            "env": [{"name": "FILESYSTEM_ROOT", "value": "/data/shared"}],
            "permissionProfile": {"type": "builtin", "name": "network"},
        },
    }


def test_it_is_what_the_schema_and_the_rules_of_the_kind_accept() -> None:
    entry = container(
        env_vars=[variable("TOKEN", secret=True), variable("LEVEL", default="warn")],
        target_port=8000,
        proxy_port=8081,
        permissions={"network": {}},
        custom_metadata={OWN: {"resources": {"cpu": "100m", "memory_limit": "1Gi"}}},
    )
    done = made(entry, secrets=(FromSecret("login"),), tools=("do",), args=("--verbose",))
    for obj, kind in zip(done.objects, (TOOL_CONFIG, MCP_SERVER), strict=True):
        schema = definition_of(kind).schema
        assert not unknown_fields(schema, obj)
        assert not validate(schema, obj)
    assert not check_rules(done.server, SERVER_RULES)
    assert done.server["spec"]["resources"] == {
        "requests": {"cpu": "100m"},
        "limits": {"memory": "1Gi"},
    }


OWN = "toolhive.stacklok.io"


def test_a_name_that_no_label_holds_is_exact_in_an_annotation() -> None:
    entry = entry_of({"server": server("io.github.Acme/Database_Browser", packages=IMAGE)})
    metadata = made(entry).server["metadata"]
    label = metadata["labels"]["toolhive.stacklok.io/server-name"]
    assert label.startswith("io-github-acme-database-browser-")
    exact = metadata["annotations"]["toolhive.stacklok.io/server-name"]
    assert exact == "io.github.Acme/Database_Browser"
    assert metadata["name"].startswith("database-browser-")


IMAGE = [
    {
        "registryType": "oci",
        "identifier": "docker.io/acme/browser:2.0.0",
        "transport": {"type": "streamable-http", "url": "http://localhost:9000/mcp"},
    }
]


@pytest.mark.parametrize(
    ("ground", "proxy", "port"),
    [(CLUSTER, "port", "targetPort"), (THEIRS, "proxyPort", "mcpPort")],
)
def test_ports_are_called_as_the_version_of_the_kind_calls_them(
    ground: Ground, proxy: str, port: str
) -> None:
    found = made(container(target_port=8000, proxy_port=8081), ground).server
    assert found["apiVersion"] == ground.server.api_version
    assert (found["spec"][proxy], found["spec"][port]) == (8081, 8000)
    chosen = spec(container(target_port=8000), ground, port=9001, target_port=9000)
    assert (chosen[proxy], chosen[port]) == (9001, 9000)


# what is run -----------------------------------------------------------------------------------------------


def test_a_known_digest_pins_the_image() -> None:
    image = "ghcr.io/example/server:1.0.0"
    assert spec(container())["image"] == image
    assert spec(container(), image_digest=DIGEST)["image"] == f"{image}@{DIGEST}"
    known = container(custom_metadata={OWN: {"image_digest": DIGEST}})
    assert spec(known)["image"] == f"{image}@{DIGEST}"
    assert refused(container(), image_digest="sha256:1").choice is Choice.DIGEST


def test_an_image_without_a_version_is_remarked() -> None:
    assert any("not pinned" in note for note in made(container(image="acme/one")).notes)
    assert not made(container()).notes


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"remotes": [{"type": "sse", "url": "https://a.example/sse"}]}, "https://a.example/sse"),
        ({"packages": []}, "neither packages nor remotes"),
        ({}, "npx"),
        ({"packages": [{**IMAGE[0], "identifier": "no reference"}]}, "no reference"),
    ],
)
def test_what_no_cluster_runs_is_refused_with_the_reason(fields: JsonObject, said: str) -> None:
    with pytest.raises(ThvError, match=said) as caught:
        made(entry_of({"server": server("io.example/a", **{"packages": PACKAGE, **fields})}))
    assert caught.value.hint


PACKAGE = [
    {"registryType": "npm", "identifier": "a", "version": "1.0.0", "transport": {"type": "stdio"}}
]


def test_one_machine_takes_packages_too() -> None:
    entry = entry_of({"server": server("io.example/a", packages=PACKAGE)})
    assert spec(entry, HERE)["image"] == "npx://a@1.0.0"


@pytest.mark.parametrize(
    ("permissions", "profile"),
    [
        ({}, None),
        ({"network": {"outbound": {}}}, "none"),
        ({"read": ["/data"]}, "none"),
        ({"network": {"outbound": {"allow_port": [443]}}}, "network"),
        ({"network": {"outbound": {"insecure_allow_all": True}}}, "network"),
    ],
)
def test_the_profile_is_what_the_entry_declares(permissions: JsonObject, profile: str) -> None:
    found = spec(container(permissions=permissions)).get("permissionProfile")
    assert found == ({"type": "builtin", "name": profile} if profile else None)


def test_a_chosen_profile_wins() -> None:
    entry = container(permissions={"network": {"outbound": {"allow_port": [443]}}})
    chosen = PermissionProfile(type="configmap", name="strict", key="a.json")
    assert spec(entry, profile=PermissionProfile(name="none"))["permissionProfile"] == {
        "type": "builtin",
        "name": "none",
    }
    assert spec(entry, profile=chosen)["permissionProfile"] == {
        "type": "configmap",
        "name": "strict",
        "key": "a.json",
    }


def test_arguments_that_only_a_person_knows_are_asked_for() -> None:
    entry = container(args=["--root", "{folder}"])
    error = refused(entry)
    assert (error.choice, error.names) == (Choice.ARGS, ("--root", "{folder}"))
    assert spec(entry, args=("--root", "/srv"))["args"] == ["--root", "/srv"]


# environment -----------------------------------------------------------------------------------------------

VARIABLES = [
    variable("HOST", required=True),
    variable("PORT", required=True, default="5432"),
    variable("LEVEL", default="warn"),
    variable("COLOUR"),
    variable("PASSWORD", required=True, secret=True),
    variable("TOKEN", secret=True, default="never used"),
]


def test_every_variable_has_the_value_that_was_chosen_or_the_default() -> None:
    found = spec(
        container(env_vars=VARIABLES),
        env={"HOST": "db", "LEVEL": "", "EXTRA": "1"},
        secrets=(FromSecret("login", "pw", "PASSWORD"),),
    )
    assert {each["name"]: each["value"] for each in found["env"]} == {
        "HOST": "db",
        "PORT": "5432",
        "LEVEL": "",
        "EXTRA": "1",
    }
    assert found["secrets"] == [{"name": "login", "key": "pw", "targetEnvName": "PASSWORD"}]


def test_a_secret_without_a_variable_holds_every_secret_one() -> None:
    chosen = (FromSecret("login"), FromSecret("other", "token", "TOKEN"))
    found = spec(container(env_vars=VARIABLES), env={"HOST": "db"}, secrets=chosen)
    assert {each["targetEnvName"]: (each["name"], each["key"]) for each in found["secrets"]} == {
        "PASSWORD": ("login", "PASSWORD"),
        "TOKEN": ("other", "token"),
    }


def test_missing_values_are_all_named_and_secret_ones_apart() -> None:
    error = refused(container(env_vars=VARIABLES))
    assert (error.choice, error.names, error.secrets) == (Choice.ENV, ("HOST",), ("PASSWORD",))
    assert error.message == (
        '"filesystem-server" needs a value of HOST, the host; PASSWORD (secret), the password'
    )


def test_a_misspelled_variable_is_recognized() -> None:
    assert refused(container(env_vars=VARIABLES), env={"HOTS": "db"}).meant == ("HOST",)
    known = container(env_vars=[variable("LEVEL")])
    assert made(known, env={"LEVLE": "x"}).notes == (
        '"filesystem-server" declares no variable LEVLE, which is set all the same; did you mean LEVEL?',
    )


def test_a_bare_secret_is_refused_and_not_repeated() -> None:
    error = refused(container(env_vars=VARIABLES), env={"HOST": "db", "PASSWORD": "canary"})
    assert (error.choice, error.secrets) == (Choice.SECRET, ("PASSWORD",))
    assert "canary" not in f"{error.message}{error.details}"


def test_one_variable_has_one_value() -> None:
    error = refused(container(), env={"LEVEL": "x"}, secrets=(FromSecret("login", "LEVEL"),))
    assert (error.choice, error.message) == (Choice.TWICE, "LEVEL has a value and a Secret")
    nothing = refused(container(), secrets=(FromSecret("login"),))
    assert (nothing.choice, nothing.names) == (Choice.SECRET, ("login",))


@pytest.mark.parametrize("broken", [7, "x", {"a": 1}, [7, {"name": 3}, {"required": True}]])
def test_broken_variables_of_strangers_are_absent_ones(broken: Any) -> None:
    assert "env" not in spec(container(env_vars=broken))


# tools and names -------------------------------------------------------------------------------------------


def test_chosen_tools_come_as_a_tool_config_before_the_server() -> None:
    done = made(container(tools=["read", "write", "list"]), name="docs", tools=("read", "list"))
    config, found = done.objects
    assert config["spec"] == {"toolsFilter": ["read", "list"]}
    assert (config["kind"], config["metadata"]["name"]) == ("MCPToolConfig", "docs-tools")
    assert found["spec"]["toolConfigRef"] == {"name": "docs-tools"}


def test_a_tool_that_is_not_there_is_refused() -> None:
    error = refused(container(tools=["read_file"]), tools=("read_fil",))
    assert (error.choice, error.names, error.meant) == (
        Choice.TOOLS,
        ("read_fil",),
        ("read_file",),
    )


@pytest.mark.parametrize("name", ["Upper", "a.b", "-a", "a" * (NAME_LIMIT + 1)])
def test_a_name_that_no_service_can_have_is_refused(name: str) -> None:
    assert refused(container(), name=name).choice is Choice.NAME


@pytest.mark.parametrize(
    "key", ["a", "io.example/Some_Thing", "x" * 200, "io.example/" + "y." * 60]
)
def test_every_server_has_a_name_that_it_may_have(key: str) -> None:
    name = default_name(key)
    assert made(container(), name=name).server["metadata"]["name"] == name

"""What is offered to somebody who wants a server and has chosen nothing yet."""

from __future__ import annotations

import shlex
from typing import Any

import msgspec
import pytest

from tests.builders import server, toolhive_entry
from thv.catalog.install import Ground, Origin
from thv.catalog.offer import Offer, offer_of
from thv.catalog.told import VsCode
from thv.domain.canonical import JsonObject
from thv.domain.entry import Entry
from thv.domain.facts import facts_of
from thv.domain.resources import MCP_SERVER, TOOL_CONFIG
from thv.domain.rules import check_rules
from thv.formats.official import entry_of
from thv.formats.toolhive import entry_of_toolhive

pytestmark = pytest.mark.requirement("CLI-05", "GOV-14")

CLUSTER = Ground(server=MCP_SERVER, tool_config=TOOL_CONFIG, packages=False)
CATALOG = Origin("toolhive-system", "catalog")
SECRET = {"name": "TOKEN", "description": "who", "required": True, "secret": True}
HOST = {"name": "HOST", "description": "where", "required": True}
LEVEL = {"name": "LEVEL", "description": "how much", "required": True, "default": "info"}


def container(**fields: Any) -> Entry:
    return entry_of_toolhive("files", toolhive_entry(**fields), section="servers")


def offered(entry: Entry) -> Offer:
    return offer_of(entry, facts_of(entry), CATALOG, "production", CLUSTER)


def for_client(offer: Offer) -> JsonObject | None:
    """What stands under `mcpServers`."""
    return offer.told.client if offer.told else None


def for_vscode(entry: Entry) -> VsCode:
    """What VS Code is told; the command says what the file says."""
    told = offered(entry).told
    assert told is not None
    ((name, started),) = told.vscode.file["servers"].items()
    program, option, added = shlex.split(told.vscode.command)
    assert (program, option) == ("code", "--add-mcp")
    inputs = {key: value for key, value in told.vscode.file.items() if key == "inputs"}
    assert msgspec.json.decode(added) == {"name": name, **inputs, **started}
    return told.vscode


def lines(offer: Offer) -> list[list[str]]:
    return [shlex.split(each.command) for each in offer.commands]


def test_a_container_without_wishes() -> None:
    made = offered(container())
    install = ["thv", "install", "files@1.0.0", "--registry", "toolhive-system/catalog"]
    assert lines(made)[0] == [*install, "-n", "production"]
    assert lines(made)[1][:4] == ["thv", "run", "files@1.0.0", "my-files"]
    (obj,) = made.objects
    assert check_rules(obj) == []
    assert obj["metadata"]["namespace"] == "production"
    assert made.obstacle is None


def test_what_only_a_user_knows_is_left_open() -> None:
    entry = container(env_vars=[SECRET, HOST, LEVEL], args=["--verbose", "{path}"])
    made = offered(entry)
    secret, install, _ = lines(made)
    assert secret[:6] == ["thv", "secret", "create", "files", "--from-file", "TOKEN=FILE"]
    assert install[-7:] == ["--env", "HOST=VALUE", "--secret", "files", "--", "--verbose", "{path}"]
    spec = made.objects[0]["spec"]
    assert {"name": "HOST", "value": "VALUE"} in spec["env"]
    assert {"name": "LEVEL", "value": "info"} in spec["env"]
    assert spec["secrets"] == [{"name": "files", "key": "TOKEN", "targetEnvName": "TOKEN"}]


def test_secrets_that_need_not_be_set_are_not_asked_for() -> None:
    optional = {"name": "OTHER", "description": "", "required": False, "secret": True}
    made = offered(container(env_vars=[SECRET, optional]))
    assert lines(made)[1][-2:] == ["--secret", "files/TOKEN,target=TOKEN"]


def test_a_client_starts_what_runs_on_its_machine() -> None:
    made = offered(container(transport="stdio", env_vars=[SECRET]))
    assert for_client(made) == {
        "files": {
            "command": "docker",
            "args": ["run", "--rm", "-i", "-e", "TOKEN", "ghcr.io/example/server:1.0.0"],
            "env": {"TOKEN": "VALUE"},
        }
    }


@pytest.mark.parametrize(
    ("kind", "words"), [("npm", ["npx", "-y", "x@1.0.0"]), ("pypi", ["uvx", "x@1.0.0"])]
)
def test_a_package_is_for_clients_and_not_for_clusters(kind: str, words: list[str]) -> None:
    package = {"registryType": kind, "identifier": "x", "version": "1.0.0"}
    entry = entry_of(
        server("com.example/x", packages=[{**package, "transport": {"type": "stdio"}}])
    )
    made = offered(entry)
    assert made.obstacle is not None
    assert "a cluster runs container images" in made.obstacle.message
    assert (made.commands, made.objects) == ((), ())
    assert for_client(made) == {"x": {"command": words[0], "args": words[1:]}}


def test_a_remote_server_is_called() -> None:
    remote = {"type": "streamable-http", "url": "https://mcp.example.com/mcp"}
    made = offered(entry_of(server("com.example/far", packages=[], remotes=[remote])))
    assert made.obstacle is not None
    assert for_client(made) == {"far": {"type": "http", "url": "https://mcp.example.com/mcp"}}


# What VS Code is told ----------------------------------------------------------------------------------------


def test_vscode_asks_for_what_only_a_user_knows() -> None:
    token = {**SECRET, "default": "s3cret"}
    entry = container(transport="stdio", env_vars=[token, HOST, LEVEL], args=["--root", "{folder}"])
    told = for_vscode(entry)
    assert told.file == {
        "inputs": [
            {
                "type": "promptString",
                "id": "files-token",
                "description": "TOKEN: who",
                "password": True,
            },
            {"type": "promptString", "id": "files-host", "description": "HOST: where"},
            {"type": "promptString", "id": "files-folder", "description": "folder of files"},
        ],
        "servers": {
            "files": {
                "type": "stdio",
                "command": "docker",
                "args": [
                    *("run", "--rm", "-i", "-e", "TOKEN", "-e", "HOST", "-e", "LEVEL"),
                    *("ghcr.io/example/server:1.0.0", "--root", "${input:files-folder}"),
                ],
                "env": {
                    "TOKEN": "${input:files-token}",
                    "HOST": "${input:files-host}",
                    "LEVEL": "info",
                },
            }
        },
    }
    assert "s3cret" not in str(offered(entry))


def test_vscode_asks_for_nothing_where_nothing_is_open() -> None:
    package = {"registryType": "npm", "identifier": "x", "version": "1.0.0"}
    packages = [{**package, "transport": {"type": "stdio"}}]
    told = for_vscode(entry_of(server("com.example/x", packages=packages)))
    started = {"type": "stdio", "command": "npx", "args": ["-y", "x@1.0.0"]}
    assert told.file == {"servers": {"x": started}}


def test_vscode_asks_for_the_headers_of_a_remote_server() -> None:
    remote = {
        "type": "sse",
        "url": "https://mcp.example.com/sse",
        "headers": [{"name": "X-Api-Key", "isRequired": True, "isSecret": True, "value": "k"}],
    }
    told = for_vscode(entry_of(server("com.example/far", packages=[], remotes=[remote])))
    assert told.file["servers"]["far"] == {
        "type": "sse",
        "url": "https://mcp.example.com/sse",
        "headers": {"X-Api-Key": "${input:far-x-api-key}"},
    }
    assert [each["password"] for each in told.file["inputs"]] == [True]


def test_what_a_client_would_replace_is_remarked() -> None:
    remote = {"type": "sse", "url": "https://evil.example/${env:HOME}"}
    made = offered(entry_of(server("com.example/far", packages=[], remotes=[remote])))
    assert "look before you copy" in made.notes[-1]


@pytest.mark.parametrize(
    ("transport", "kind", "path"), [("streamable-http", "http", "mcp"), ("sse", "sse", "sse")]
)
def test_what_is_called_over_http_has_a_port_that_is_told_once_it_runs(
    transport: str, kind: str, path: str
) -> None:
    told = offered(container(transport=transport, target_port=8080)).told
    assert told is not None
    (called,) = told.vscode.file["servers"].values()
    assert called == {"type": kind, "url": f"http://127.0.0.1:PORT/{path}"}
    assert list(told.client.values()) == [called]


@pytest.mark.parametrize(
    ("outbound", "remarked"),
    [
        ({"allow_host": ["a.example"]}, True),
        ({"allow_host": ["a.example"], "insecure_allow_all": True}, False),
        ({"allow_port": [443]}, False),
    ],
)
def test_a_profile_that_opens_more_is_remarked(outbound: JsonObject, remarked: bool) -> None:
    made = offered(container(permissions={"network": {"outbound": outbound}}))
    assert ("it asks for a.example and no other host" in " ".join(made.notes)) is remarked

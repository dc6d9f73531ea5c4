"""What is offered to somebody who wants a server and has chosen nothing yet."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from tests.builders import server, toolhive_entry
from thv.catalog.install import Ground, Origin
from thv.catalog.offer import Offer, offer_of
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


def lines(offer: Offer) -> list[list[str]]:
    return [shlex.split(each.command) for each in offer.commands]


def test_a_container_without_wishes() -> None:
    made = offered(container())
    install = ["thv", "install", "files@1.0.0", "--registry", "toolhive-system/catalog"]
    assert lines(made)[0] == [*install, "-n", "production"]
    assert lines(made)[1][:4] == ["thv", "run", "files@1.0.0", "files"]
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
    assert made.client == {
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
    assert made.client == {"x": {"command": words[0], "args": words[1:]}}


def test_a_remote_server_is_called() -> None:
    remote = {"type": "streamable-http", "url": "https://mcp.example.com/mcp"}
    made = offered(entry_of(server("com.example/far", packages=[], remotes=[remote])))
    assert made.obstacle is not None
    assert made.client == {"far": {"type": "http", "url": "https://mcp.example.com/mcp"}}

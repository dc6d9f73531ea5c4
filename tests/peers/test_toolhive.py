"""ToolHive's own command line with `thv serve` as its registry, and nothing but its documented setting."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.apps.standalone.process import Process
from tests.peers.toolhive import ToolHive

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.xdist_group("toolhive"),
    pytest.mark.requirement("API-06"),
]

MANY = 3_000
"""Entries; ToolHive walks them one by one within 10 seconds each time it starts."""


def image(name: str, **more: Any) -> dict[str, Any]:
    return {
        "image": f"ghcr.io/example/{name}:1.2.3",
        "description": f"Does {name}",
        "transport": "stdio",
        "tier": "Community",
        "status": "Active",
        "tools": ["run"],
        "tags": ["example"],
        **more,
    }


def some() -> dict[str, Any]:
    """One of each kind that ToolHive tells apart."""
    servers = {
        "osv": image(
            "osv",
            tier="Official",
            description="Finds vulnerabilities of packages",
            tools=["query", "query_batch"],
            tags=["security", "scanning"],
            metadata={"stars": 45, "last_updated": "2026-11-01T08:00:00Z"},
            permissions={
                "network": {"outbound": {"allow_host": ["api.osv.dev"], "allow_port": [443]}}
            },
            env_vars=[
                {"name": "OSV_KEY", "description": "A key", "required": False, "secret": True}
            ],
            repository_url="https://github.com/example/osv",
        ),
        "com.example/fetch": image("fetch", image="ghcr.io/example/fetch@sha256:" + "a" * 64),
        "old": image("old", status="Deprecated"),
    }
    remote = {
        "url": "https://mcp.example.com/mcp",
        "description": "Answers from afar",
        "transport": "streamable-http",
        "tier": "Official",
        "status": "Active",
        "tools": ["ask"],
        "headers": [{"name": "X-Key", "description": "A key", "required": True, "secret": True}],
    }
    return {"servers": servers, "remote_servers": {"afar": remote}}


def many() -> dict[str, Any]:
    return {"servers": {f"server-{number:04}": image(f"{number}") for number in range(MANY)}}


def document(**content: Any) -> str:
    return json.dumps({"version": "1.0.0", "last_updated": "2026-11-01T08:00:00Z", **content})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """Two registries: a few entries, and as many as an organization may have."""
    folder = tmp_path_factory.mktemp("serve")
    (folder / "some.json").write_text(document(**some()))
    (folder / "many.json").write_text(document(**many()))
    files = ("--registry-file", "some.json", "--registry-file", "many.json")
    with Process(folder, "serve", *files, "--port", "0") as running:
        for name in ("some", "many"):
            running.until_served(f"/r/default/{name}/v0.1/servers")
        yield running


@pytest.fixture
def user(toolhive: ToolHive, server: Process) -> ToolHive:
    """Somebody whose registry is ours."""
    toolhive.use(f"http://127.0.0.1:{server.port}/r/default/some")
    return toolhive


def names(listed: list[dict[str, Any]]) -> list[str]:
    return [each["name"] for each in listed]


def test_a_base_is_taken_for_a_registry_api(toolhive: ToolHive, server: Process) -> None:
    base = f"http://127.0.0.1:{server.port}/r/default/some"
    toolhive.use(base)
    assert toolhive("config", "get-registry").strip() == f"Current registry: {base} (API endpoint)"


def test_it_lists_searches_and_shows(user: ToolHive) -> None:
    assert names(user.json("registry", "list")) == [
        "com.example/fetch",
        "io.github.stacklok/afar",
        "io.github.stacklok/old",
        "io.github.stacklok/osv",
    ]
    table = user("registry", "list")
    assert "**DEPRECATED** Does old" in table
    assert names(user.json("search", "vulnerabilities")) == ["io.github.stacklok/osv"]
    assert names(user.json("search", "scanning")) == ["io.github.stacklok/osv"]
    shown = user.json("registry", "info", "osv")
    given = some()["servers"]["osv"]
    assert {key: shown.get(key) for key in given} == given
    remote = user.json("registry", "info", "afar")
    given = some()["remote_servers"]["afar"]
    assert {key: remote.get(key) for key in given} == given


@pytest.mark.parametrize(
    ("asked", "image"),
    [
        ("osv", "ghcr.io/example/osv:1.2.3"),
        ("io.github.stacklok/osv", "ghcr.io/example/osv:1.2.3"),
        ("com.example/fetch", "ghcr.io/example/fetch@sha256:" + "a" * 64),
        ("fetch", "ghcr.io/example/fetch@sha256:" + "a" * 64),
    ],
)
def test_a_name_becomes_the_image_that_is_run(user: ToolHive, asked: str, image: str) -> None:
    done = user.run("run", asked, "--foreground", "--isolate-network=false")
    assert user.docker.created == [image], (done.stdout, done.stderr, user.docker.asked)


def test_a_registry_of_thousands_is_read_within_its_limits(
    toolhive: ToolHive, server: Process
) -> None:
    toolhive.use(f"http://127.0.0.1:{server.port}/r/default/many")
    assert len(toolhive.json("registry", "list")) == MANY
    assert toolhive.json("registry", "info", "server-2999")["image"] == image("2999")["image"]

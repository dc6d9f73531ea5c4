"""The one process of a machine tells the same figures, where it is asked to."""

from __future__ import annotations

import json
import socket
import urllib.request
from pathlib import Path

import pytest

from tests.apps.standalone.process import Process, run
from tests.metrics.exported import processes
from tests.metrics.reading import value
from tests.ports import free_port

pytestmark = pytest.mark.e2e


def document(*servers: str) -> str:
    fields = {"description": "Does it.", "transport": "stdio", "tier": "Community"}
    more = {"status": "Active", "tools": ["run"]}
    entries = {name: {"image": f"ghcr.io/example/{name}:1", **fields, **more} for name in servers}
    return json.dumps({"version": "1.0.0", "last_updated": "", "servers": entries})


def free_address() -> str:
    return f"127.0.0.1:{free_port()}"


@pytest.mark.requirement("OPS-03")
def test_a_served_file_is_seen_in_the_figures(tmp_path: Path) -> None:
    file, address = tmp_path / "mine.json", free_address()
    file.write_text(document("alpha", "beta"))
    arguments = ("--registry-file", "mine.json", "--port", "0", "--listen-operations", address)

    def figures() -> str:
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=5) as answer:
            return str(answer.read().decode())

    with Process(tmp_path, "serve", *arguments) as server:
        server.until_served("/api/v1/servers/alpha")
        text = figures()
        assert value(text, "thv_registry_servers", registry="mine") == 2
        assert value(text, "thv_sync_total", registry="mine", outcome="changed") == 1
        assert value(text, "thv_http_requests_total", code="200", door="standalone")
        file.write_text(document("alpha", "beta", "gamma"))
        server.until_served("/api/v1/servers/gamma")
        assert value(figures(), "thv_update_visible_seconds_count") == 1
        told = {line.split()[2] for line in figures().splitlines() if line.startswith("# TYPE")}
        assert told == {family.name for family in processes()["thv serve"]}


def test_an_address_that_is_taken_is_named(tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text(document("alpha"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        arguments = ("--registry-file", "mine.json", "--port", "0")
        done = run(tmp_path, "serve", *arguments, THV_LISTEN_OPERATIONS=address)
    assert done.returncode != 0
    assert f"cannot listen on {address}" in done.stderr
    assert "--listen-operations" in done.stderr

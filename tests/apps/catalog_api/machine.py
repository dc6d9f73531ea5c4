"""A catalog of one machine as a process, with registries to choose from and callers with different rights."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.apps.kit.access_files import ADMIN, USER, a_token
from tests.apps.standalone.process import PATIENCE, Process, Reply, run
from tests.builders import toolhive_entry
from thv.domain.canonical import JsonObject
from thv.formats.tokens import AccessFile, render_access

CATALOG_USER = "toolhive-catalog-user"
EDITOR = "toolhive-registry-deployer"
DIGEST = "sha256:" + "ab" * 32


def osv(**fields: Any) -> JsonObject:
    """A container with tools, variables and definitions."""
    return toolhive_entry(
        image="ghcr.io/stackloklabs/osv-mcp/server:0.0.7",
        description="Looks for known vulnerabilities",
        transport="streamable-http",
        tools=["scan", "query", "list"],
        tool_definitions=[
            {"name": "scan", "description": "Scan", "inputSchema": {"type": "object"}}
        ],
        tags=["security", "osv"],
        env_vars=[
            {"name": "LOG_LEVEL", "description": "how much", "required": False, "default": "info"},
            {"name": "TOKEN", "description": "who", "required": True, "secret": True},
        ],
        **fields,
    )


def weather() -> JsonObject:
    return toolhive_entry(image="ghcr.io/example/weather:1.2.0", tools=["now"], tags=["web"])


FAR = {
    "url": "https://mcp.example.com/mcp",
    "transport": "streamable-http",
    "description": "Somebody else's service",
    "tier": "Community",
    "status": "Active",
    "tools": ["ask"],
}


def document(remote: JsonObject | None = None, **servers: JsonObject) -> JsonObject:
    named = {"remote_servers": remote} if remote else {}
    return {"version": "1.0.0", "last_updated": "", "servers": servers, **named}


def request(*servers: Any, **more: Any) -> JsonObject:
    return {"metadata": {"registry_name": "mine"}, "servers": list(servers), **more}


def wanted(name: str, **configuration: Any) -> JsonObject:
    return {"name": name, "configuration": configuration}


class Machine:
    """What is asked of it, and by whom."""

    def __init__(self, server: Process, home: Path) -> None:
        self.server, self.home = server, home

    def ask(
        self, method: str, path: str, body: Any = None, *, by: str = "", **headers: str
    ) -> Reply:
        """`by` is a token; a body that is no bytes is sent as JSON."""
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        sent = {key.replace("_", "-"): value for key, value in headers.items()}
        if content is not None and "content-type" not in sent:
            sent["content-type"] = "application/json"
        if by:
            sent["authorization"] = f"Bearer {by}"
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=PATIENCE)
        try:
            connection.request(method, path, content, sent)
            answer = connection.getresponse()
            return Reply(
                answer.status,
                {key.lower(): value for key, value in answer.getheaders()},
                answer.read(),
            )
        finally:
            connection.close()

    def objects(self, namespace: str, kind: str) -> list[JsonObject]:
        """What the store holds."""
        done = run(self.home, "--data", "data", "get", kind, "-n", namespace, "-o", "json")
        assert done.returncode == 0, done.stderr
        found: list[JsonObject] = json.loads(done.stdout)["items"]
        return found


@contextmanager
def machine_in(home: Path) -> Iterator[Machine]:
    """Three registries: `tools/main` and `tools/second`, which differ in one server, and `hidden/secret`."""
    contents = {
        ("tools", "main"): document({"far": FAR}, osv=osv(), weather=weather()),
        ("tools", "second"): document(weather=weather(), twin=osv()),
        ("tools", "third"): document(twin=osv(overview="another one")),
        ("hidden", "secret"): document(unseen=weather()),
    }
    manifests = []
    for (namespace, name), content in contents.items():
        file = home / f"{namespace}-{name}.json"
        file.write_text(json.dumps(content))
        manifests.append(_registry(namespace, name, file))
    listed = {"apiVersion": "v1", "kind": "List", "items": manifests}
    (home / "registries.json").write_text(json.dumps(listed))
    done = run(home, "--data", "data", "apply", "-f", "registries.json")
    assert done.returncode == 0, done.stderr
    callers = AccessFile(
        tokens=(
            a_token("admin", "ada", f"{ADMIN}@production", f"{USER}@tools"),
            a_token("maker", "mia", f"{CATALOG_USER}@production", f"{USER}@tools"),
            a_token("reader", "rob", f"{USER}@production", f"{USER}@tools"),
            a_token("deployer", "dee", f"{EDITOR}@production", f"{USER}@tools"),
            a_token("everywhere", "eve", USER),
        )
    )
    access = home / "data" / "tokens.yaml"
    access.write_bytes(render_access(callers))
    access.chmod(0o600)
    with Process(home, "serve", "--data", "data", "--port", "0") as server:
        for namespace, name in contents:
            server.until_served(
                f"/r/{namespace}/{name}/api/v1/servers", authorization="Bearer everywhere"
            )
        machine = Machine(server, home)
        server.until(lambda: _knows(machine))
        yield machine


def _knows(machine: Machine) -> bool:
    reply = machine.ask("GET", "/api/v1/mcp_servers", by="everywhere")
    return reply.status == 200 and reply.json["metadata"]["total_count"] == 5


def _registry(namespace: str, name: str, file: Path) -> JsonObject:
    return {
        "apiVersion": "toolhive.stacklok.io/v1alpha1",
        "kind": "MCPRegistry",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"source": {"type": "file", "file": {"path": str(file)}}},
    }

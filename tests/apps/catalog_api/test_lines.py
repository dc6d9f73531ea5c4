"""Request lines of the specification as somebody types them, with curl: the addresses are those of its services."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.apps.kit.access_files import ADMIN, USER, a_token
from tests.apps.standalone.process import PATIENCE, Process, environment, run
from tests.builders import toolhive
from thv.formats.tokens import AccessFile, render_access

pytestmark = pytest.mark.flows

OSV = {
    "image": "ghcr.io/stackloklabs/osv-mcp/server:v1.0.0",
    "title": "OSV Vulnerability Scanner",
    "description": "Open Source Vulnerability scanner for security analysis",
    "tags": ["security", "vulnerability", "scanning", "osv"],
    "tools": ["vulnerability-scan", "security-analysis", "osv-query"],
    "env_vars": [
        {"name": "LOG_LEVEL", "description": "Logging level", "required": False, "default": "info"}
    ],
    "transport": "streamable-http",
}
FILES = {"custom_metadata": {"category": "filesystem"}, "tier": "Official"}
REQUEST = {
    "metadata": {"namespace": "production", "registry_name": "customer-registry", "display_name": "Production MCP Registry"},
    "configuration": {"enforce_servers": True, "enforce_tools": True, "auto_sync": False},
    "servers": [
        {
            "name": "osv-scanner",
            "configuration": {
                "custom_image": "internal-registry.company.com/osv-mcp/server:v1.0.0",
                "custom_image_digest": f"sha256:{'abcd1234' * 8}",
                "tools_filter": ["vulnerability-scan", "security-analysis"],
                "tool_overrides": {
                    "vulnerability-scan": {"name": "enterprise-vuln-scan", "description": "Enterprise vulnerability scanning"}
                },
                "env_overrides": {"LOG_LEVEL": "warn"},
                "resources": {"cpu": "200m", "memory": "256Mi", "cpu_limit": "1000m", "memory_limit": "1Gi"},
            },
        }
    ],
    "filters": {"global_tags": {"include": ["security"], "exclude": ["deprecated"]}},
}  # fmt: skip
"""As the specification has it, with a digest that is one."""

CATALOG, REGISTRY = "http://thv-catalog:8080", "http://upstream-community-api:8080"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Somebody with a catalog and a registry of it, and a token that curl sends by itself."""
    home = tmp_path_factory.mktemp("home")
    (home / "production.json").write_bytes(toolhive(osv_scanner=OSV))
    (home / "community.json").write_bytes(toolhive(filesystem_server=FILES))
    (home / "request.json").write_text(json.dumps(REQUEST))
    add = ("registry", "add", "--data", "data", "--file")
    made = [
        run(home, *add, "production.json", "production-catalog", "-n", "production", "--trust-level", "trusted"),
        run(home, *add, "community.json", "upstream-community"),
    ]  # fmt: skip
    assert [each.returncode for each in made] == [0, 0], made
    callers = AccessFile(tokens=(a_token("token", "ada", f"{ADMIN}@production", USER),))
    (home / "data" / "tokens.yaml").write_bytes(render_access(callers))
    (home / "data" / "tokens.yaml").chmod(0o600)
    return home


@pytest.fixture(scope="module")
def curl(home: Path) -> Iterator[Callable[[str], Any]]:
    """What a line answers."""
    serve = ("serve", "--data", "data", "--port", "0")
    one = (*serve, "--read-only", "--registry", "upstream-community")
    with (
        Process(home, *serve, "--allowed-host", "thv-catalog") as catalog,
        Process(home, *one, "--allowed-host", "upstream-community-api") as registry,
    ):
        headers = {"authorization": "Bearer token"}
        registry.until_served("/api/v1/servers", **headers)
        for path in ("default/upstream-community", "production/production-catalog"):
            catalog.until_served(f"/r/{path}/api/v1/info", **headers)
        catalog.until(lambda: _is_joined(catalog))
        (home / ".curlrc").write_text(
            'header = "Authorization: Bearer token"\n'
            f"connect-to = thv-catalog:8080:127.0.0.1:{catalog.port}\n"
            f"connect-to = upstream-community-api:8080:127.0.0.1:{registry.port}\n"
            "silent\nshow-error\nfail-with-body\n"
        )
        yield lambda line: _answer(home, line)


def _is_joined(catalog: Process) -> bool:
    reply = catalog.get("/api/v1/mcp_servers", authorization="Bearer token")
    return reply.status == 200 and reply.json["metadata"]["total_count"] == 2


def _answer(home: Path, line: str) -> Any:
    line = line.replace('"CT/', f'"{CATALOG}/').replace('"RG/', f'"{REGISTRY}/')
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=home,
        env={**environment(home), "CURL_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout)


def listed(answer: Any) -> list[str]:
    return [each.get("name") or each["server"]["name"] for each in answer["servers"]]


BOTH, OURS = ["filesystem-server", "osv-scanner"], ["osv-scanner"]


@pytest.mark.requirement("CAT-01")
@pytest.mark.parametrize(
    ("line", "names"),
    [
        ('curl "CT/api/v1/mcp_servers"', BOTH),
        ('curl "CT/api/v1/mcp_servers?category=validated"', OURS),
        ('curl "CT/api/v1/mcp_servers?category=community"', ["filesystem-server"]),
        ('curl "CT/api/v1/mcp_servers?tags=security,scanning"', OURS),
        ('curl "CT/api/v1/mcp_servers?tools=vulnerability-scan"', OURS),
        ('curl "CT/api/v1/mcp_servers?search=osv"', OURS),
        (
            'curl "RG/api/v1/servers?registry=upstream-community&category=filesystem&transport=stdio&labelSelector=tier=Official"',
            ["filesystem-server"],
        ),
        (
            "curl -H 'Accept: application/json; format=upstream' \"RG/api/v1/servers\"",
            ["io.github.stacklok/filesystem-server"],
        ),
        (
            'curl "RG/v0.1/servers?limit=100&version=latest"',
            ["io.github.stacklok/filesystem-server"],
        ),
    ],
)
def test_servers_are_listed(curl: Callable[[str], Any], line: str, names: list[str]) -> None:
    assert listed(curl(line)) == names


@pytest.mark.requirement("CAT-02", "CAT-03", "CAT-04", "CAT-05", "CAT-06")
def test_everything_else_is_read(curl: Callable[[str], Any]) -> None:
    assert curl('curl "CT/api/v1/servers/osv-scanner"')["category"] == "validated"
    exported = curl('curl "CT/api/v1/mcp_servers/osv-scanner/export"')
    assert exported["servers"][0]["configuration"]["tools_filter"] == OSV["tools"]
    counts = curl('curl "CT/api/v1/categories"')["categories"]
    assert {name: each["server_count"] for name, each in counts.items()} == {"validated": 1, "community": 1}  # fmt: skip
    tools = curl('curl "CT/api/v1/tools"')["tools"]
    assert "vulnerability-scan" in [each["name"] for each in tools]
    (registry,) = curl('curl "CT/api/v1/registries/production"')["registries"]
    assert registry["name"] == "production-catalog"
    assert curl('curl "CT/api/v1/registries/production/status"')["phase"] == "Ready"
    assert curl('curl "RG/api/v1/servers/filesystem-server"')["tier"] == "Official"
    assert curl('curl "RG/api/v1/groups"')["groups"] == []
    assert curl('curl "RG/api/v1/tools"')["tools"][0]["name"] == "do"
    assert curl('curl "RG/api/v1/health"')
    latest = curl('curl "RG/v0.1/servers/io.github.stacklok%2Ffilesystem-server/versions/latest"')
    assert latest["server"]["name"] == "io.github.stacklok/filesystem-server"


@pytest.mark.requirement("CAT-06", "CAT-07")
def test_a_sync_is_asked_for_and_a_registry_made(curl: Callable[[str], Any]) -> None:
    asked = curl('curl -X POST "CT/api/v1/registries/production/sync"')
    assert asked["registry"] == {"namespace": "production", "name": "production-catalog"}
    made = curl(
        "curl -X POST -H 'Content-Type: application/json' -d @request.json \"CT/api/v1/registries/production\""
    )
    assert sorted(made["created"]) == [
        "ConfigMap/customer-registry-data",
        "MCPRegistry/customer-registry",
        "MCPToolConfig/customer-registry-osv-scanner",
    ]

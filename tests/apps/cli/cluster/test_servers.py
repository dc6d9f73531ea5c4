"""Servers of a registry on a cluster: command lines of the usage examples as they are written, and both groups."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.apps.cli.cluster.clinic import foreign_kind
from tests.apps.cli.cluster.conftest import RealTime
from tests.apps.cli.running import Cli
from tests.builders import toolhive
from tests.control_plane.cluster import Cluster, Place
from thv.domain.canonical import JsonObject

pytestmark = [pytest.mark.e2e, pytest.mark.requirement("CLI-05")]

KINDS = Path(__file__).resolve().parents[4] / "charts" / "toolhive-registry-crds" / "optional"
OURS, THEIRS = "mcpservers.toolhive.stacklok.io", "mcpservers.toolhive.stacklok.dev"
DATABASE = {
    "image": "ghcr.io/example/postgres:1.3.0",
    "custom_metadata": {"category": "database"},
    "target_port": 8000,
    "transport": "sse",
    "env_vars": [
        {"name": "DB_HOST", "description": "Where it is", "required": True},
        {"name": "DB_NAME", "description": "Which one", "required": True},
        {"name": "READONLY", "description": "Refuse writes", "default": "true"},
    ],
}
FILES = {"image": "mcpproject/filesystem-server:1.2.0", "tier": "Official"}
SPECIFIED = """
thv run postgres-mcp-server my-postgres --registry upstream-community --env DB_HOST=prod-db.company.com --env DB_NAME=production --env READONLY=true --namespace production
thv run filesystem-server --name my-filesystem --env FILESYSTEM_ROOT=/data/shared --namespace production
thv install filesystem-server --registry upstream-community -n production
thv list --registry upstream-community -n production
thv show my-postgres --include-registry-info -n production
"""
LABEL = "toolhive.stacklok.io"
SELECTED = {
    f"{LABEL}/registry-name=upstream-community": {"filesystem-server", "my-filesystem", "my-postgres"},
    f"{LABEL}/category=database": {"my-postgres"},
    f"{LABEL}/tier=Official": {"filesystem-server", "my-filesystem"},
    f"{LABEL}/registry-name=upstream-community,{LABEL}/category=database": {"my-postgres"},
}  # fmt: skip


@pytest.fixture(scope="module")
def place(operated: Cluster) -> Iterator[Place]:
    """The namespace that the examples name, which no other test uses."""
    found = Place(operated, "production")
    found.kubectl("create", "namespace", "production")
    yield found
    found.kubectl("delete", "namespace", "production", "--wait=false")


@pytest.fixture(scope="module")
def user(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """The administrator, with a registry in that namespace."""
    kubeconfig = str(place.cluster.plane.kubeconfig)
    environ = {"THV_BACKEND": "kubernetes", "KUBECONFIG": kubeconfig}
    cli = RealTime(tmp_path_factory.mktemp("servers"), environ)
    content = toolhive(postgres_mcp_server=DATABASE, filesystem_server=FILES)
    path = cli.file("registry.json", content)
    cli.ok("registry", "add", "upstream-community", "--file", str(path), "-n", "production")
    cli.ok("registry wait upstream-community --timeout 60s -n production")
    return cli


@pytest.fixture
def kinds(place: Place) -> Iterator[None]:
    """Our own kinds of servers, as they are installed where ToolHive is not; with them all servers go."""
    place.kubectl("apply", "--server-side", "-f", str(KINDS))
    place.cluster.plane.await_kinds("-f", str(KINDS))
    yield
    place.kubectl("delete", "-f", str(KINDS))


@pytest.fixture
def toolhive_kind(place: Place) -> Iterator[None]:
    """A kind of servers that stands in for ToolHive's, which keeps whatever it is given."""
    definition = json.dumps(foreign_kind("v1beta1"))
    place.kubectl("apply", "-f", "-", stdin=definition)
    place.cluster.plane.await_kinds(f"crd/{THEIRS}")
    yield
    place.kubectl("delete", "-f", "-", stdin=definition)


@pytest.mark.requirement("SRV-01", "SRV-03")
def test_command_lines_of_the_usage_examples_run_as_they_are_written(
    user: Cli, place: Place, kinds: None
) -> None:
    for line in SPECIFIED.strip().splitlines():
        user.ok(line)
    for selector, names in SELECTED.items():
        found = place.kubectl(
            "get", OURS, "-A", "-l", selector, "-o", "jsonpath={.items[*].metadata.name}"
        )
        assert set(found.split()) == names, selector  # fmt: skip
    ran = user.ok("list -n production -o json").json["items"]
    assert {(each["name"], each["version"], each["drift"]) for each in ran} == {
        ("filesystem-server", "1.2.0", "none"),
        ("my-filesystem", "1.2.0", "none"),
        ("my-postgres", "1.3.0", "none"),
    }
    deployed = user.ok("list --registry upstream-community -n production -o json").json["items"]
    assert deployed[0]["deployed"] == ["production/filesystem-server", "production/my-filesystem"]
    labels = [f"{LABEL}/registry-name=upstream-community", f"{LABEL}/server-name=filesystem-server"]
    place.kubectl("apply", "-n", "production", "-f", "-", stdin=json.dumps(a_server()))
    place.kubectl("label", "-n", "production", OURS, "my-existing-server", *labels)
    ran = user.ok("list -n production -o json").json["items"]
    assert {each["name"]: each["drift"] for each in ran}["my-existing-server"] == "none"
    again = user("install filesystem-server --registry upstream-community -n production")
    assert (again.code, "--replace" in again.err) == (6, True)
    user.ok("install filesystem-server --tools do --replace -n production")
    assert place.kubectl("get", "mcptoolconfigs", "-n", "production", "-o", "name")
    user.ok("uninstall filesystem-server -n production --yes")
    assert not place.kubectl("get", "mcptoolconfigs", "-n", "production", "-o", "name")


def a_server() -> JsonObject:
    return {
        "apiVersion": "toolhive.stacklok.io/v1alpha1",
        "kind": "MCPServer",
        "metadata": {"name": "my-existing-server"},
        "spec": {"image": FILES["image"]},
    }


def test_servers_go_to_toolhive_where_it_is(
    user: Cli, place: Place, kinds: None, toolhive_kind: None
) -> None:
    line = "run postgres-mcp-server -n production -e DB_HOST=a -e DB_NAME=b"
    ran = user.ok(f"{line} --proxy-port 9000")
    assert ran.out == "mcpserver.toolhive.stacklok.dev/postgres-mcp-server created\n"
    assert "the operator of ToolHive runs it" in ran.err
    user.ok(f"{line} --name again")
    assert_waits(user, place, f"{line} --wait")
    spec = json.loads(place.kubectl("get", "-n", "production", THEIRS, "postgres-mcp-server", "-o", "json"))["spec"]  # fmt: skip
    assert (spec["proxyPort"], spec["mcpPort"]) == (9000, 8000)
    place.kubectl("apply", "-n", "production", "-f", "-", stdin=json.dumps(a_server()))
    ran = user.ok("list -n production -o name")
    assert ran.out.splitlines() == [
        "mcpserver.toolhive.stacklok.dev/again",
        "mcpserver.toolhive.stacklok.io/my-existing-server",
        "mcpserver.toolhive.stacklok.dev/postgres-mcp-server",
    ]
    taken = user("install filesystem-server my-existing-server -n production")
    assert taken.code == 6, taken.err
    user.ok("uninstall again my-existing-server -n production --yes")


def assert_waits(user: Cli, place: Place, line: str) -> None:
    """Whoever runs servers says so in their status."""
    ran = user(f"{line} --name late --timeout 100ms")
    assert (ran.code, "did not start within" in ran.err) == (8, True)
    status = {"phase": "Ready", "url": "http://mcp-soon-proxy:9000"}
    patch = json.dumps({"status": status})
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(user, f"{line} --name soon --timeout 60s")
        place.wait("create", f"{THEIRS}/soon")
        place.kubectl("patch", THEIRS, "soon", "--type=merge", "-p", patch)
        ran = waiting.result()
    assert (ran.code, "it runs at http://mcp-soon-proxy:9000" in ran.err) == (0, True)
    user.ok("uninstall soon late -n production --yes")


def test_a_cluster_without_the_kind_is_told_how_to_get_it(user: Cli, place: Place) -> None:
    line = "install filesystem-server --registry upstream-community -n production"
    ran = user(line)
    assert (ran.code, "charts/toolhive-registry-crds/optional" in ran.err) == (5, True)
    printed = user.ok(f"{line} --dry-run=client -o json").json
    assert printed["apiVersion"] == "toolhive.stacklok.io/v1alpha1"
    assert "filesystem-server" in user.ok("list --registry upstream-community -n production").out
    for line in ("list", "get mcpservers"):
        ran = user(f"{line} -n production")
        assert (ran.code, "knows no kind MCPServer" in ran.err) == (5, True)


def test_who_lacks_the_right_is_told_which_role_gives_it(
    user: Cli, place: Place, kinds: None
) -> None:
    line = "install filesystem-server --registry upstream-community -n production"
    view = ("create", "rolebinding", "-n", "production", "view", "--clusterrole=view")
    place.kubectl(*view, "--user=dev")
    ran = user(f"{line} --as dev")
    assert (ran.code, "--clusterrole=toolhive-registry-deployer" in ran.err) == (4, True)
    role = next(each for each in ran.err.splitlines() if "kubectl create rolebinding" in each)
    place.kubectl(*role.partition("kubectl ")[2].split())
    user.ok(f"{line} --as dev")

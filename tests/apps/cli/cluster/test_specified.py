"""Command lines of the specification and of the command reference that are about registries, as they are written."""

from __future__ import annotations

import json
import shlex
import time
from pathlib import Path

import pytest
import yaml

from tests.apps.cli.library import OFFICIAL, TOOLHIVE
from tests.apps.cli.running import Cli
from tests.control_plane.cluster import Place

pytestmark = pytest.mark.e2e

SPECIFIED = """
thv registry migrate registry.json --output k8s-registry.yaml
kubectl apply -f k8s-registry.yaml
thv registry import --file registry.json --registry local-servers
thv registry wait upstream-community --for=condition=Ready
thv registry export upstream-community --format toolhive --output exported.json
thv registry list
thv registry list -A
thv registry list -l team=search
thv registry list --trust raw
thv registry add added --configmap upstream/servers.json --format upstream --interval 1h --include-name '*' --exclude-name 'x*' --trust-level raw --on-update update --max-retries 3 --display-name Added --no-sync
thv registry add dry --url https://registry.example.com/servers.json --format upstream --dry-run
thv registry add dry --git-repo https://git.example.com/mcp.git --git-branch main --git-path registry.json --dry-run
thv registry add dry --registry-url https://registry.example.com/api/v1/servers --auth-secret token --dry-run
thv registry sync added --wait --timeout 60s
thv registry sync added upstream-community
thv registry sync --all --no-wait
thv registry sync added --force
thv registry show added
thv registry status added
thv registry events added
thv registry history added
thv registry logs added
thv registry tree added
thv registry diff added -f registry.json
thv registry suspend added
thv registry resume added
thv registry validate registry.json
thv registry convert --in registry.json --out converted.json --to upstream
thv registry info osv
thv search osv
thv search --category security
thv search --tier Official --transport stdio --registry upstream-community --limit 50
thv show osv
thv show osv --registry upstream-community --include-registry-info
thv show osv@1.0.0 --registry upstream-community -o upstream
thv show osv --versions
kubectl get mcpregistry upstream-community -o jsonpath={.status.serverCount}
kubectl get mcpreg -o name
thv registry remove added --keep-servers -y
thv registry rm local-servers -y
"""
DIFFERS = ("thv registry diff",)
"""Their status is 1 where something differs."""


@pytest.mark.requirement("CLI-01", "CLI-02", "CLI-03", "CLI-04")
def test_every_command_line_about_registries_runs_as_it_is_written(
    there: Cli, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    there.home.mkdir(parents=True)
    monkeypatch.chdir(there.home)
    osv = {**TOOLHIVE["servers"]["notes"], "image": "ghcr.io/example/osv:1.0.0"}
    there.file("registry.json", json.dumps({**TOOLHIVE, "servers": {"osv": osv}}))
    there.file("servers.json", json.dumps({**OFFICIAL}))
    place.kubectl(
        "create", "configmap", "upstream", "--from-file", str(there.home / "servers.json")
    )
    there.ok(
        "registry", "add", "upstream-community", "--file", "registry.json", "--label", "team=search"
    )
    there.ok("registry wait upstream-community --timeout 60s")
    for line in SPECIFIED.strip().splitlines():
        words = shlex.split(line)
        if words[0] == "kubectl":
            assert place.kubectl(*words[1:])
            continue
        ran = there(line)
        assert ran.code == 0 or (ran.code == 1 and line.startswith(DIFFERS)), f"{line}\n{ran.err}"
    assert json.loads((there.home / "exported.json").read_text())["servers"]["osv"]


@pytest.mark.requirement("REG-05", "REG-06")
def test_git_and_url_sources_are_added_on_a_cluster(there: Cli, place: Place) -> None:
    """Their hosts exist for nobody, so that what the operator says of them is what is looked at."""
    for name, words in (
        ("by-url", ["--url", "https://nowhere.invalid/servers.json"]),
        ("by-git", ["--git-repo", "https://nowhere.invalid/mcp.git", "--git-path", "a.json"]),
    ):
        there.ok("registry", "add", name, *words, "--no-sync", "--max-retries", "0")
        source = place.get("mcpreg", name)["spec"]["source"]
        assert source["type"] == name.removeprefix("by-")
        ran = there("registry", "sync", name, "--timeout", "60s")
        assert ran.code == 10, ran.err
        assert "nowhere.invalid" in there.ok("registry", "status", name).out


@pytest.mark.requirement("CLI-07", "REG-03")
def test_registries_of_a_machine_and_of_a_cluster_read_each_other(
    here: Cli, there: Cli, place: Place
) -> None:
    """One command line chooses between them; each reads the other through its API."""
    path = there.file("tools.json", json.dumps(TOOLHIVE))
    there.ok("registry", "add", "tools", "--file", str(path))
    there.ok("registry wait tools --timeout 60s")
    place.kubectl(
        "patch", "mcpreg", "tools", "--type=merge", "-p", '{"spec":{"api":{"anonymousRead":true}}}'
    )
    url = place.url("tools-api")
    opened = ("--allow-private-ip", "--allow-http")
    await_open(here, url)
    here.ok("registry", "add", "below", "--registry-url", url, *opened)
    assert here.ok("search -o name").out == "notes\nweather\n"
    both = here
    both.environ["KUBECONFIG"] = there.environ["KUBECONFIG"]
    assert both.ok("registry list -o name").out == "mcpregistry/below\n"
    assert both.ok("registry list -o name --backend kubernetes").out == "mcpregistry/tools\n"
    assert both.ok(f"registry list -o name --server {url}").out == "mcpregistry/tools\n"
    exported = both.ok("registry export below --format upstream").out
    both.file("below.json", exported)
    again = ("--file", str(both.home / "below.json"), "--backend", "kubernetes")
    both.ok("registry", "add", "above", *again)
    both.ok("registry wait above --timeout 60s --backend kubernetes")
    assert both.ok("search --registry above -o name --backend kubernetes").out == "notes\nweather\n"


def await_open(cli: Cli, url: str) -> None:
    """Until the API lets everybody read, which it learns of a moment later."""
    deadline = time.monotonic() + 60
    while cli(f"registry list --server {url}").code:
        assert time.monotonic() < deadline


@pytest.mark.requirement("CLI-02")
def test_a_manifest_with_a_namespace_is_applied_and_warnings_of_the_cluster_are_shown(
    there: Cli, place: Place, tmp_path: Path
) -> None:
    name = f"{place.namespace}-more"
    labels = {"team": "more"}
    config = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "data", "namespace": name},
    }
    documents = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}},
        {**config, "data": {"registry.json": json.dumps(TOOLHIVE), f"warn-{name}": "x"}},
        registry("more", name),
    ]
    path = there.file("manifest.yaml", yaml.safe_dump_all(documents))
    place.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(warning_policy(name)))
    try:
        deadline = time.monotonic() + 60
        while "is old" not in (ran := there.ok("apply", "-f", str(path))).err:
            assert time.monotonic() < deadline
        assert ran.out.startswith(f"namespace/{name} ")
        assert ran.err.count("Warning: ") == 1
        there.ok("registry", "wait", "more", "-n", name, "--timeout", "60s")
        assert there.ok("apply", "-f", str(path)).out.count("unchanged") >= 2
    finally:
        place.kubectl("delete", "namespace", name, "--wait=false")
        place.kubectl("delete", "-f", "-", stdin=yaml.safe_dump_all(warning_policy(name)))
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}
    ran = there("apply", "-f", str(there.file("web.yaml", json.dumps(deployment))))
    assert (ran.code, "kubectl apply -f FILE" in ran.err) == (2, True)


def registry(name: str, namespace: str) -> dict[str, object]:
    return {
        "apiVersion": "toolhive.stacklok.io/v1alpha1",
        "kind": "MCPRegistry",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"source": {"type": "configmap", "configMap": {"name": "data"}}},
    }


def warning_policy(name: str) -> list[dict[str, object]]:
    """Warns of one key of ConfigMaps, which no other test uses."""
    group = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": name}}
    rule = {
        "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["configmaps"],
    }  # fmt: skip
    check = {"expression": f"!('warn-{name}' in object.data)", "message": 'this "key" is old'}
    policy = {"matchConstraints": {"resourceRules": [rule]}, "validations": [check]}
    binding = {"policyName": name, "validationActions": ["Warn"]}
    return [
        {**group, "kind": "ValidatingAdmissionPolicy", "spec": policy},
        {**group, "kind": "ValidatingAdmissionPolicyBinding", "spec": binding},
    ]

"""What belongs to a registry of a cluster, and what its pods write."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from tests.apps.cli.library import TOOLHIVE
from tests.apps.cli.running import Cli
from tests.control_plane.cluster import Place
from thv.apps.cli.podlogs import About

pytestmark = pytest.mark.e2e


@pytest.fixture
def tools(there: Cli) -> Cli:
    """A user with a registry that is served."""
    path = there.file("tools.json", json.dumps(TOOLHIVE))
    there.ok("registry", "add", "tools", "--file", str(path))
    there.ok("registry wait tools --timeout 60s")
    return there


def kinds_of(node: dict[str, Any]) -> list[str]:
    return [node["kind"], *(kind for child in node.get("children", ()) for kind in kinds_of(child))]


@pytest.mark.requirement("CLI-07", "OPS-04")
def test_the_tree_holds_what_reads_what_serves_and_what_came_of_it(
    tools: Cli, place: Place
) -> None:
    root = tools.ok("registry tree tools -o json").json["registry"]
    assert kinds_of(root) == [
        "mcpregistry", "configmap", "configmap", "serviceaccount", "role", "rolebinding", "networkpolicy", "service",
        "deployment", "replicaset", "pod",
    ]  # fmt: skip
    assert (root["ready"], root["status"]) == ("True", "Succeeded, 2 servers")
    shown = tools.ok("registry tree tools").out
    assert "└─ deployment/tools-api" in shown
    assert "      └─ pod/tools-api-" in shown
    names = tools.ok("registry tree tools -o name").out.split()
    for name in names:
        place.kubectl("get", name)


def test_a_tree_of_what_one_may_see_is_shown_with_what_is_left_out(
    tools: Cli, place: Place
) -> None:
    jane = replace(
        tools, environ={**tools.environ, "KUBECONFIG": str(place.cluster.plane.user("jane"))}
    )
    place.kubectl(
        "create", "rolebinding", "j", "--clusterrole=toolhive-registry-user", "--user=jane"
    )
    ran = jane.ok("registry tree tools")
    assert "mcpregistry/tools" in ran.out
    assert "you may not list configmaps, deployments" in ran.err
    assert "deployments" in jane.ok("registry tree tools -o json").json["notListed"]


def test_what_is_missing_is_in_the_tree(tools: Cli, place: Place) -> None:
    place.kubectl("delete", "configmap", "tools-servers")
    assert "configmap/tools-servers" in tools.ok("registry tree tools").out
    source = tools.ok("registry tree tools -o json").json["registry"]["children"][0]
    assert (source["ready"], source["status"]) == ("False", "missing")


@pytest.mark.requirement("CLI-07")
def test_the_lines_of_the_pods_are_printed(tools: Cli) -> None:
    lines = tools.ok("registry logs tools").out.splitlines()
    assert any("serving tools of the namespace" in line for line in lines)
    assert tools.ok("registry logs tools --tail 1").out.splitlines() == lines[-1:]


def test_a_log_is_followed_until_its_pod_is_gone(tools: Cli, place: Place) -> None:
    with ThreadPoolExecutor(1) as pool:
        followed = pool.submit(tools.ok, "registry logs tools --follow")
        while not followed.done():
            place.kubectl("delete", "pod", "-l", "app.kubernetes.io/instance=tools")
    assert "serving tools of the namespace" in followed.result().out


def test_the_operator_is_asked_for_its_lines_about_the_registry(there: Cli) -> None:
    ran = there("registry", "add", "lost", "--url", "https://nowhere.invalid/servers.json")
    assert ran.code != 0
    there.ok("registry logs lost --operator --since 10m")
    ran = there("registry logs lost --operator --operator-namespace nowhere")
    assert (ran.code, 'no operator runs in the namespace "nowhere"' in ran.err) == (5, True)
    ran = there("registry logs lost --operator --tail 3 -f")
    assert (ran.code, "--since" in ran.err) == (2, True)


def test_records_about_a_registry_are_told_from_those_about_others() -> None:
    log = (
        "2026-01-01T00:00:00.000Z WARNING loop: team/corp: no answer",
        "2026-01-01T00:00:00.000Z ERROR loop: team/corp: unexpected failure",
        "Traceback (most recent call last):",
        '  File "x.py", line 1',
        "2026-01-01T00:00:00.000Z WARNING loop: team/corp-two: no answer",
        "Traceback (most recent call last):",
        "2026-01-01T00:00:00.000Z WARNING loop: a-team/corp: no answer",
        '{"time": "2026-01-01T00:00:00Z", "message": "team/corp: no answer"}',
    )
    about = About("team", "corp")
    assert [about.keeps(line) for line in log] == [True] * 4 + [False] * 3 + [True]

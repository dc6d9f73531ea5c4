"""What the command line does on a cluster alone: rights, events, tokens, files that move there."""

from __future__ import annotations

import json
import urllib.error
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.apps.cli.library import TOOLHIVE
from tests.apps.cli.running import Cli
from tests.control_plane.cluster import Place
from tests.control_plane.fixtures import control_plane_binaries
from tests.control_plane.plane import control_plane_in

pytestmark = pytest.mark.e2e


def acting(cli: Cli, place: Place, user: str) -> Cli:
    """Another user of the cluster, with a certificate of their own and no rights."""
    kubeconfig = place.cluster.plane.user(user)
    return replace(cli, environ={**cli.environ, "KUBECONFIG": str(kubeconfig)})


def added(cli: Cli) -> None:
    path = cli.file("tools.json", json.dumps(TOOLHIVE))
    cli.ok("registry", "add", "tools", "--file", str(path))


@pytest.mark.requirement("CLI-01", "CLI-04")
def test_a_user_without_rights_is_told_which_one_is_missing_and_how_it_is_given(
    there: Cli, place: Place
) -> None:
    added(there)
    jane = acting(there, place, "jane")
    assert jane.ok("auth whoami -o name").out == "jane\n"
    assert (jane("auth can-i list mcpreg").code, jane("auth can-i list mcpreg").out) == (1, "no\n")
    for line, right in (
        ("registry list", "list mcpregistries.toolhive.stacklok.io"),
        ("get secrets", "list secrets"),
    ):
        ran = jane(line)
        assert ran.code == 4
        assert f'lacks a right in the namespace "{place.namespace}": {right}' in ran.err
    command = jane("registry list").err.partition("Try:   kubectl ")[2].splitlines()[0]
    place.kubectl(*command.split())
    assert "tools" in jane.ok("registry list").out
    assert jane.ok("auth can-i list mcpreg").out == "yes\n"
    ran = jane("search notes")
    assert (ran.code, "get configmaps" in ran.err) == (4, True)
    ran = jane("registry suspend tools")
    assert (ran.code, "patch mcpregistries" in ran.err) == (4, True)


def test_an_administrator_may_act_as_somebody_else(there: Cli, place: Place) -> None:
    ran = there.ok("auth whoami --as jane --as-group readers -o json")
    assert ran.json["username"] == "jane"
    assert "readers" in ran.json["groups"]
    ran = there("registry list --as jane")
    assert (ran.code, 'the user "jane" lacks a right' in ran.err) == (4, True)
    assert "--as jane" in ran.err


@pytest.mark.requirement("API-05")
def test_a_token_opens_one_registry_to_an_account_that_may_get_it(there: Cli, place: Place) -> None:
    added(there)
    there.ok("registry wait tools --timeout 60s")
    place.kubectl("create", "serviceaccount", "agent")
    subject = f"--serviceaccount={place.namespace}:agent"
    place.kubectl("create", "rolebinding", "r", "--clusterrole=toolhive-registry-user", subject)
    token = there.ok("auth token tools --service-account agent --duration 10m").out.strip()
    answer = json.loads(place.ask("tools-api", "/api/v1/servers", Authorization=f"Bearer {token}"))
    assert len(answer["servers"]) == 2
    with pytest.raises(urllib.error.HTTPError):
        place.ask("tools-api", "/api/v1/servers", Authorization="Bearer nothing")


def test_the_events_of_a_registry_are_listed(there: Cli) -> None:
    added(there)
    assert "Synced" in there.ok("registry events tools").out
    assert there.ok("registry events tools -o json").json["items"]
    ran = there("registry events tools --backend local")
    assert ran.code == 5


@pytest.mark.requirement("CLI-07")
def test_files_stay_beside_the_registries_of_a_cluster(there: Cli) -> None:
    there.environ["THV_REGISTRY_DIR"] = str(there.home / "shelf")
    there.file("shelf/mine.json", json.dumps(TOOLHIVE))
    added(there)
    assert there.ok("registry list -o name").out == "mcpregistry/tools\nmcpregistry/mine\n"
    assert there.ok("search notes --registry mine -o name").out == "notes\n"
    there.file("shelf/tools.json", json.dumps(TOOLHIVE))
    assert "is hidden by mcpregistry/tools" in there.ok("registry list -v").err


def test_the_operator_decides_which_private_hosts_it_reaches(there: Cli) -> None:
    ran = there("registry add lab --url http://127.0.0.1:1/x.json --allow-private-ip --allow-http")
    assert (ran.code, "THV_ALLOW" in ran.err) == (2, True)
    ran = there("registry add lab --url http://127.0.0.1:1/x.json")
    assert ran.code == 2
    assert "its first sync did not succeed" in ran.err


@pytest.mark.parametrize(
    "line", ["registry list", "search notes", "registry add a --url https://a.example --no-sync"]
)
def test_a_cluster_without_the_product_is_told_from_one_without_registries(
    empty: Path, tmp_path: Path, line: str
) -> None:
    ran = Cli(tmp_path, {"KUBECONFIG": str(empty)})(f"{line} --backend kubernetes")
    assert ran.code == 5
    assert "the product is not installed on this cluster: it knows no kind MCPRegistry" in ran.err
    assert "operator install" in ran.err


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The kubeconfig of a cluster that has just been made."""
    binaries = control_plane_binaries()
    with control_plane_in(tmp_path_factory.mktemp("empty"), binaries) as plane:
        yield plane.kubeconfig


@pytest.mark.requirement("CLI-03")
def test_every_file_of_toolhive_moves_to_a_cluster_and_is_served_as_it_was(
    here: Cli, there: Cli, place: Place, real_data: Path
) -> None:
    files = sorted((real_data / "toolhive-registry-history").rglob("*registry*.json"))
    assert files
    for number, file in enumerate(files):
        name = f"r{number}"
        manifest = here.home / f"{name}.yaml"
        manifest.parent.mkdir(parents=True, exist_ok=True)
        here.ok("registry", "migrate", str(file), "--name", name, "--output", str(manifest))
        place.kubectl("apply", "-f", str(manifest))
        here.ok("registry", "add", name, "--file", str(file))
        there.ok("registry", "wait", name, "--timeout", "90s")
        moved = there.ok("registry", "export", name, "--format", "upstream").out
        kept = here.ok("registry", "export", name, "--format", "upstream").out
        assert json.loads(moved)["data"] == json.loads(kept)["data"], file
        there.ok("registry", "remove", name, "--yes")

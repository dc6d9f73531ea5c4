"""`thv operator` where no cluster is asked: manifests, images, and which command is meant."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.apps.cli.running import Cli
from thv import __version__

pytestmark = pytest.mark.requirement("OPS-04")

ROOT = Path(__file__).resolve().parents[3]
Json = dict[str, Any]


def pod(objects: list[Json]) -> Json:
    (found,) = [obj for obj in objects if obj["kind"] == "Deployment"]
    spec: Json = found["spec"]["template"]["spec"]
    return spec


def test_what_is_printed_without_options_is_the_file_of_the_repository(cli: Cli) -> None:
    _, text = (ROOT / "deploy" / "install.yaml").read_text().split("\n", 1)
    assert cli.ok("operator manifests").out == text


def test_what_is_printed_is_what_was_chosen(cli: Cli) -> None:
    file = cli.home / "install.yaml"
    cli.home.mkdir(exist_ok=True)
    line = "operator manifests -n mcp --image-registry r.corp:5000/mcp --image-pull-secret pull --replicas 2"
    more = f" --scope namespace --watch-namespace team --set-env THV_WORKERS=8 --output {file}"
    ran = cli.ok(line + more)
    assert (ran.out, "wrote " in ran.err) == ("", True)
    objects = list(yaml.load_all(file.read_text(), Loader=yaml.CSafeLoader))
    (container,) = pod(objects)["containers"]
    environment = {each["name"]: each.get("value") for each in container["env"]}
    assert container["image"] == f"r.corp:5000/mcp/toolhive-registry:{__version__}"
    assert pod(objects)["imagePullSecrets"] == [{"name": "pull"}]
    assert (
        environment.items()
        >= {
            "THV_IMAGE": container["image"],
            "THV_IMAGE_PULL_SECRETS": "pull",
            "THV_NAMESPACES": "team",
            "THV_WORKERS": "8",
        }.items()
    )
    assert {o["metadata"].get("namespace") for o in objects} == {None, "mcp", "team", "default"}


def test_no_manifest_has_an_image_that_is_not_listed(cli: Cli) -> None:
    chosen = "--image-registry r.corp:5000/mcp"
    listed = cli.ok(f"operator images {chosen}").out.split()
    objects = cli.ok(f"operator manifests {chosen} -o json").json["items"]
    (container,) = pod(objects)["containers"]
    made = [each["value"] for each in container["env"] if each["name"] == "THV_IMAGE"]
    assert listed == [container["image"]] == made
    assert cli.ok(f"operator images {chosen} -o json").json["items"] == [
        {"image": listed[0], "runs": ["operator", "registry-api"]}
    ]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--image 'not an image'", "no node can pull"),
        ("--image-registry https://r.corp", "no node can pull"),
        ("--set-env THV_IMAGE=x", "--image decides it"),
        ("--set-env thv=x", "no NAME=VALUE"),
        ("--replicas 0", "--replicas"),
    ],
)
def test_what_cannot_be_is_refused(cli: Cli, options: str, said: str) -> None:
    ran = cli(f"operator manifests {options}")
    assert (ran.code, said in ran.err, ran.out) == (2, True, "")


def test_no_registry_of_this_machine_is_taken_for_a_cluster(cli: Cli) -> None:
    ran = cli("operator status --backend local")
    assert (ran.code, "is about a cluster" in ran.err) == (2, True)
    ran = cli("operator status")
    assert (ran.code, "no cluster can be used" in ran.err) == (10, True)


@pytest.mark.parametrize("words", [["operator", "run"], ["operator"]])
def test_pods_of_every_release_start_the_operator(words: list[str]) -> None:
    """Images of 0.1.0 are started without the word `run`."""
    command = [str(Path(sys.executable).with_name("thv")), *words, "--listen-operations", "x:1"]
    done = subprocess.run(command, env={}, capture_output=True, text=True, check=False)
    assert (done.returncode, "THV_IMAGE is not set" in done.stderr) == (2, True)


def test_without_options_the_commands_are_listed(cli: Cli) -> None:
    assert "Commands:\n  install " in cli.ok("operator").out
    ran = cli("operator instal")
    assert (ran.code, "install" in ran.err) == (2, True)

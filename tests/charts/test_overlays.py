"""The overlays for kubectl, as kustomize builds them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.control_plane.binaries import Binaries
from tests.control_plane.fixtures import control_plane_binaries
from thv.formats.crd import registry_crd
from thv.formats.install import render

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
OVERLAYS = sorted(path.parent for path in DEPLOY.glob("overlays/*/kustomization.yaml"))
OPERATOR = "toolhive-registry-operator"

pytestmark = [pytest.mark.flows, pytest.mark.requirement("OPS-04")]

Json = dict[str, Any]


@pytest.fixture(scope="module")
def binaries() -> Binaries:
    return control_plane_binaries()


def build(binaries: Binaries, folder: Path) -> list[Json]:
    command = [binaries.path("kubectl"), "kustomize", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def key(obj: Json) -> tuple[str, str]:
    return obj["kind"], obj["metadata"]["name"]


def pod(objects: list[Json]) -> Json:
    (found,) = [obj for obj in objects if key(obj) == ("Deployment", OPERATOR)]
    spec: Json = found["spec"]["template"]["spec"]
    return spec


def environment(objects: list[Json]) -> dict[str, str]:
    return {each["name"]: each.get("value", "") for each in pod(objects)["containers"][0]["env"]}


def test_the_base_is_the_manifests_and_the_kinds(binaries: Binaries) -> None:
    built = {key(obj): obj for obj in build(binaries, DEPLOY / "base")}
    assert built == {key(obj): obj for obj in [*render(), registry_crd()]}


@pytest.mark.parametrize("folder", OVERLAYS, ids=lambda folder: folder.name)
def test_an_overlay_takes_nothing_away(binaries: Binaries, folder: Path) -> None:
    built = {key(obj) for obj in build(binaries, folder)}
    assert built >= {key(obj) for obj in [*render(), registry_crd()]}


def test_one_overlay_tells_more(binaries: Binaries) -> None:
    assert environment(build(binaries, DEPLOY / "overlays/dev"))["THV_LOG_LEVEL"] == "DEBUG"


def test_one_overlay_spreads_two_operators(binaries: Binaries) -> None:
    objects = build(binaries, DEPLOY / "overlays/ha")
    (deployment,) = [obj for obj in objects if obj["kind"] == "Deployment"]
    (budget,) = [obj for obj in objects if obj["kind"] == "PodDisruptionBudget"]
    labels = deployment["spec"]["template"]["metadata"]["labels"].items()
    assert deployment["spec"]["replicas"] == 2
    for constraint in pod(objects)["topologySpreadConstraints"]:
        assert constraint["labelSelector"]["matchLabels"].items() <= labels
    assert budget["spec"]["selector"]["matchLabels"].items() <= labels


def test_one_overlay_takes_every_image_from_elsewhere(binaries: Binaries) -> None:
    objects = build(binaries, DEPLOY / "overlays/airgap")
    image = pod(objects)["containers"][0]["image"]
    assert image.startswith("registry.corp.example/mcp/toolhive-registry:")
    assert environment(objects)["THV_IMAGE"] == image
    (secret,) = pod(objects)["imagePullSecrets"]
    assert environment(objects)["THV_IMAGE_PULL_SECRETS"] == secret["name"]


def test_the_quickstart_needs_nothing_else(binaries: Binaries) -> None:
    objects = build(binaries, DEPLOY.parent / "examples" / "quickstart")
    kinds = [obj["kind"] for obj in objects]
    assert sorted(kinds) == ["ConfigMap", "MCPRegistry", "MCPRegistry", "MCPRegistry"]

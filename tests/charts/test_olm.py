"""The bundle for the Operator Lifecycle Manager: what its own validator asks for, and that nothing is left out."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.charts.olm import BY_OLM, OUTPUTS
from thv import __version__
from thv.domain.registry import load_registry
from thv.formats.install import render

pytestmark = pytest.mark.requirement("OPS-04")

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "olm"
KNOWN = {
    "ClusterServiceVersion",
    "CustomResourceDefinition",
    *("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "ServiceAccount"),
    *("ConfigMap", "Secret", "Service", "PodDisruptionBudget", "PriorityClass"),
    *("PrometheusRule", "ServiceMonitor", "VerticalPodAutoscaler", "ConsoleYAMLSample"),
}
"""Kinds that a bundle may have."""

Json = dict[str, Any]


def read(path: Path) -> list[Json]:
    return list(yaml.safe_load_all(path.read_text()))


def manifests() -> list[Json]:
    files = sorted((FOLDER / "manifests").iterdir())
    contents = [read(file) for file in files]
    assert all(len(each) == 1 for each in contents), "one object a file"
    return [each[0] for each in contents]


def service_version() -> Json:
    (found,) = [obj for obj in manifests() if obj["kind"] == "ClusterServiceVersion"]
    return found


def key(obj: Json) -> tuple[str, str]:
    return obj["kind"], obj["metadata"]["name"]


def test_the_bundle_has_only_kinds_that_may_be_in_one() -> None:
    assert {obj["kind"] for obj in manifests()} <= KNOWN


def test_the_folder_has_what_is_generated_and_nothing_else() -> None:
    root = FOLDER.parents[1]
    there = {str(file.relative_to(root)) for file in FOLDER.rglob("*") if file.is_file()}
    assert there == {path for path, _ in OUTPUTS}


def test_the_package_and_its_channels_are_said_twice_alike() -> None:
    (page,) = read(FOLDER / "metadata" / "annotations.yaml")
    prefix = "operators.operatorframework.io.bundle."
    said = page["annotations"]
    assert said[f"{prefix}mediatype.v1"] == "registry+v1"
    assert said[f"{prefix}channel.default.v1"] in said[f"{prefix}channels.v1"].split(",")
    for part in ("manifests", "metadata"):
        assert (FOLDER / said[f"{prefix}{part}.v1"]).is_dir()
    labels = re.findall(
        r"^LABEL (\S+)=(\S+)$", (FOLDER / "bundle.Dockerfile").read_text(), re.MULTILINE
    )
    assert dict(labels) == said


def test_the_version_has_a_name_and_what_the_validator_wants() -> None:
    csv = service_version()
    spec, about = csv["spec"], csv["metadata"]["annotations"]
    assert csv["metadata"]["name"] == f"toolhive-registry.v{__version__}"
    assert spec["version"] == __version__
    assert {"displayName", "description", "keywords", "maturity", "provider"} <= spec.keys()
    assert {mode["type"] for mode in spec["installModes"]} == {
        "OwnNamespace",
        "SingleNamespace",
        "MultiNamespace",
        "AllNamespaces",
    }
    assert any(mode["supported"] for mode in spec["installModes"])
    assert about["containerImage"] == spec["relatedImages"][0]["image"]


def test_every_kind_that_is_owned_is_in_the_bundle_with_an_example() -> None:
    csv = service_version()
    defined = {
        (obj["metadata"]["name"], version["name"], obj["spec"]["names"]["kind"])
        for obj in manifests()
        if obj["kind"] == "CustomResourceDefinition"
        for version in obj["spec"]["versions"]
    }
    owned = csv["spec"]["customresourcedefinitions"]["owned"]
    assert {(each["name"], each["version"], each["kind"]) for each in owned} == defined
    examples = json.loads(csv["metadata"]["annotations"]["alm-examples"])
    assert {each["kind"] for each in examples} == {each["kind"] for each in owned}
    for example in examples:
        load_registry(example)


def test_the_operator_has_the_pods_and_the_rights_that_it_has_everywhere() -> None:
    wanted = {key(obj): obj for obj in render()}
    install = service_version()["spec"]["install"]["spec"]
    (deployment,), (anywhere,), (here,) = (
        install[part] for part in ("deployments", "clusterPermissions", "permissions")
    )
    name = "toolhive-registry-operator"
    assert deployment["spec"] == wanted["Deployment", name]["spec"]
    assert anywhere == {
        "serviceAccountName": name,
        "rules": wanted["ClusterRole", name]["rules"],
    }
    assert here == {
        "serviceAccountName": name,
        "rules": wanted["Role", "toolhive-registry-leader"]["rules"],
    }
    account = deployment["spec"]["template"]["spec"]["serviceAccountName"]
    assert account == anywhere["serviceAccountName"]


def test_what_is_neither_made_nor_known_by_it_lies_beside_the_bundle() -> None:
    there = {key(obj): obj for obj in [*manifests(), *read(FOLDER / "beside.yaml")]}
    rest = {key(obj): obj for obj in render() if key(obj) not in there}
    made = {(kind, name) for kind, name in rest if kind in BY_OLM}
    assert rest.keys() - made == {
        ("ClusterRole", "toolhive-registry-operator"),
        ("ClusterRoleBinding", "toolhive-registry-operator"),
        ("Role", "toolhive-registry-leader"),
        ("RoleBinding", "toolhive-registry-leader"),
    }
    assert all(there[found] == obj for obj in render() if (found := key(obj)) in there)

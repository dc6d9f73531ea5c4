"""Installations: what is rendered of a choice, and how the choice is read back from what runs."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from thv import __version__
from thv.domain.canonical import JsonObject
from thv.formats.images import in_registry, is_reference, repository_of, tag_of, with_tag
from thv.formats.install import Installation, kinds, read_installation, render

pytestmark = pytest.mark.requirement("OPS-04")

CHOICES: list[dict[str, Any]] = [
    {},
    {"namespace": "mcp", "replicas": 3},
    {"image": "r.corp:5000/mcp/toolhive-registry:1.2.3", "pull_secrets": ("pull", "other")},
    {"scope": "namespace"},
    {"scope": "namespace", "namespaces": ("one", "two"), "pull_policy": "Always"},
    {"namespaces": ("one",), "settings": (("THV_ALLOW", "git.corp:443"), ("THV_WORKERS", "8"))},
]


def deployment(objects: list[JsonObject]) -> JsonObject:
    (found,) = [obj for obj in objects if obj["kind"] == "Deployment"]
    return found


def environment(objects: list[JsonObject]) -> dict[str, str]:
    (container,) = deployment(objects)["spec"]["template"]["spec"]["containers"]
    return {each["name"]: each["value"] for each in container["env"] if "value" in each}


def bound_everywhere(objects: list[JsonObject]) -> set[str]:
    roles = {
        obj["roleRef"]["name"]
        for obj in objects
        if obj["kind"] == "ClusterRoleBinding" and "subjects" in obj
    }
    return {
        resource
        for obj in objects
        if obj["kind"] == "ClusterRole" and obj["metadata"]["name"] in roles
        for rule in obj["rules"]
        for resource in rule["resources"]
    }


@pytest.mark.parametrize("choice", CHOICES)
def test_what_runs_tells_what_was_chosen(choice: dict[str, Any]) -> None:
    rendered = render(Installation(**choice))
    assert render(read_installation(deployment(rendered))) == rendered


def test_what_others_add_to_the_deployment_is_no_choice() -> None:
    obj = deployment(render())
    (container,) = obj["spec"]["template"]["spec"]["containers"]
    container["env"].append({"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "x"}}})
    assert read_installation(obj) == Installation()


def test_limited_to_namespaces_it_has_rights_there_alone() -> None:
    objects = render(Installation(scope="namespace", namespaces=("one", "two")))
    places = [o["metadata"]["namespace"] for o in objects if o["kind"] == "RoleBinding"]
    assert places == ["default", "toolhive-system", "one", "two"]
    assert bound_everywhere(objects) == {
        "clusterrolebindings",
        "tokenreviews",
        "subjectaccessreviews",
    }
    assert environment(objects)["THV_NAMESPACES"] == "one,two"


def test_limited_to_no_namespace_it_looks_after_its_own() -> None:
    objects = render(Installation(scope="namespace", namespace="mcp"))
    assert environment(objects)["THV_NAMESPACES"] == "mcp"


def test_several_operators_are_spread_and_drained_one_by_one() -> None:
    objects = render(Installation(replicas=2))
    pod = deployment(objects)["spec"]["template"]
    (budget,) = [obj["spec"] for obj in objects if obj["kind"] == "PodDisruptionBudget"]
    labels = pod["metadata"]["labels"].items()
    for each in [*pod["spec"]["topologySpreadConstraints"], {"labelSelector": budget["selector"]}]:
        assert each["labelSelector"]["matchLabels"].items() <= labels


def test_everything_carries_the_label_of_the_installation_and_names_no_other_namespace() -> None:
    chosen = Installation(namespace="mcp", replicas=2)
    for obj in [*kinds(), *render(chosen)]:
        assert obj["metadata"]["labels"]["app.kubernetes.io/part-of"] == "toolhive-registry"
    assert b"toolhive-system" not in msgspec.json.encode(render(chosen))
    assert deployment(render(chosen))["metadata"]["labels"]["app.kubernetes.io/version"] == (
        __version__
    )


DIGEST = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("image", "moved"),
    [
        ("toolhive-registry:1.0.0", "r.corp/toolhive-registry:1.0.0"),
        ("ghcr.io/acme/toolhive-registry:1.0.0", "r.corp/acme/toolhive-registry:1.0.0"),
        ("localhost/x", "r.corp/x"),
        ("acme/x", "r.corp/acme/x"),
        (f"r.io:5000/x@{DIGEST}", f"r.corp/x@{DIGEST}"),
    ],
)
def test_an_image_is_moved_with_its_path(image: str, moved: str) -> None:
    assert in_registry(image, "r.corp/") == moved
    assert is_reference(image)
    assert is_reference(moved)


def test_an_image_under_another_tag_stays_where_it_is() -> None:
    assert with_tag("r.io:5000/x:1", "2") == "r.io:5000/x:2"
    assert with_tag("r.io:5000/x", "2") == "r.io:5000/x:2"
    assert (tag_of("r.io:5000/x"), tag_of("r.io/x:1.2"), tag_of(f"x@{DIGEST}")) == ("", "1.2", "")


@pytest.mark.parametrize("text", ["", "UPPER/Case", "a b", "x:", "x@sha256:12", "https://r.io/x"])
def test_what_no_runtime_can_pull_is_no_reference(text: str) -> None:
    assert not is_reference(text)


@pytest.mark.parametrize(
    ("image", "repository"),
    [
        ("r.io:5000/acme/x:1", "r.io:5000/acme/x"),
        (f"ghcr.io/acme/x:1@{DIGEST}", "ghcr.io/acme/x"),
        ("docker.io/acme/x", "docker.io/acme/x"),
        ("acme/x:1", "docker.io/acme/x"),
        ("x", "docker.io/library/x"),
    ],
)
def test_an_image_is_kept_in_one_place_whatever_its_tag(image: str, repository: str) -> None:
    assert repository_of(image) == repository

"""The oracle sees what differs between two namespaces, and nothing else."""

from __future__ import annotations

import base64
import gzip
import json
from collections import Counter
from pathlib import Path

import pytest

from tests.control_plane.plane import ControlPlane
from tests.faults.kubernetes.asking import config_map
from tests.faults.kubernetes.journal import Target, Write
from tests.faults.kubernetes.picture import Picture, differences, picture, strays
from thv.domain.canonical import JsonObject

CRDS = Path(__file__).parents[3] / "charts" / "toolhive-registry-crds" / "crds"
REGISTRIES = "/apis/toolhive.stacklok.io/v1alpha1/namespaces/{}/mcpregistries"


@pytest.fixture
def crds(control_plane: ControlPlane) -> None:
    control_plane.kubectl("apply", "--server-side", "-f", str(CRDS))
    control_plane.await_kinds("crd", "--all")


def made(plane: ControlPlane, namespace: str, *, time: str, port: int = 8080) -> None:
    """A registry with one chunk and a Service, as an operator would leave them."""
    spec = {"source": {"type": "configmap", "configMap": {"name": "servers"}}}
    registry = plane.request(
        "POST",
        REGISTRIES.format(namespace),
        {
            "apiVersion": "toolhive.stacklok.io/v1alpha1",
            "kind": "MCPRegistry",
            "metadata": {"name": "corp"},
            "spec": spec,
        },
    )
    chunk = chunk_of(registry, time)
    plane.request("POST", f"/api/v1/namespaces/{namespace}/configmaps", chunk)
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "corp-api", "ownerReferences": chunk["metadata"]["ownerReferences"]},
        "spec": {"ports": [{"port": port}]},
    }
    plane.request("POST", f"/api/v1/namespaces/{namespace}/services", service)
    pointer = {
        "digest": f"sha256:{'0' * 64}",
        "entries": 1,
        "bytes": 1,
        "createdAt": time,
        "specDigest": f"sha256:{'0' * 64}",
        "store": "configmap",
        "chunks": [
            {
                "name": chunk["metadata"]["name"],
                "digest": chunk["metadata"]["annotations"]["toolhive.stacklok.io/digest"],
                "entries": 1,
                "bytes": 1,
            }
        ],
    }
    path = f"{REGISTRIES.format(namespace)}/corp/status"
    plane.request("PUT", path, {**registry, "status": {"snapshot": pointer}})


def chunk_of(registry: JsonObject, time: str) -> JsonObject:
    line = json.dumps({"name": "a", "publishedAt": time}).encode()
    digits = base64.b16encode(time.encode()).decode().lower()[-16:]
    owner = {
        "apiVersion": registry["apiVersion"],
        "kind": registry["kind"],
        "name": "corp",
        "uid": registry["metadata"]["uid"],
        "controller": True,
    }
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": f"corp-s-{digits}",
            "ownerReferences": [owner],
            "annotations": {"toolhive.stacklok.io/digest": f"sha256:{digits * 4}"},
        },
        "immutable": True,
        "binaryData": {"entries.jsonl.gz": base64.b64encode(gzip.compress(line)).decode()},
    }


@pytest.fixture
def other(control_plane: ControlPlane, namespace: str) -> str:
    name = f"{namespace}-other"
    control_plane.kubectl("create", "namespace", name)
    return name


FIRST, SECOND = "2026-01-01T00:00:01Z", "2026-02-02T00:00:02Z"


def test_two_runs_that_came_to_the_same_have_no_differences(
    control_plane: ControlPlane, namespace: str, other: str, crds: None
) -> None:
    made(control_plane, namespace, time=FIRST)
    made(control_plane, other, time=SECOND)
    left, right = picture(control_plane, namespace, []), picture(control_plane, other, [])
    assert left.objects.keys() >= {"mcpregistries/corp", "services/corp-api"}
    assert differences(left, right) == []


def test_what_differs_is_named_by_object_and_field(
    control_plane: ControlPlane, namespace: str, other: str, crds: None
) -> None:
    made(control_plane, namespace, time=FIRST)
    made(control_plane, other, time=SECOND, port=8081)
    control_plane.request("POST", f"/api/v1/namespaces/{other}/configmaps", config_map("left"))
    left, right = picture(control_plane, namespace, []), picture(control_plane, other, [])
    said = differences(left, right)
    assert "services/corp-api: spec.ports[0].port is 8081, undisturbed 8080" in said
    assert [line for line in said if line.startswith("configmaps/left is {")]
    assert [
        line for line in differences(right, left) if line.startswith("configmaps/left is missing")
    ]


def test_a_chunk_that_no_pointer_names_and_an_owner_that_is_gone_are_seen(
    control_plane: ControlPlane, namespace: str, other: str, crds: None
) -> None:
    made(control_plane, namespace, time=FIRST)
    made(control_plane, other, time=FIRST)
    path = f"{REGISTRIES.format(other)}/corp"
    registry = control_plane.request("GET", path)
    lost = chunk_of(registry, SECOND)
    lost["metadata"]["ownerReferences"] = []
    control_plane.request("POST", f"/api/v1/namespaces/{other}/configmaps", lost)
    name = lost["metadata"]["name"]
    assert strays(control_plane, other) == {name}
    assert strays(control_plane, namespace) == set()
    left, right = picture(control_plane, namespace, []), picture(control_plane, other, [])
    assert f"configmaps/{name} is a chunk that no registry names" in differences(left, right)


def test_what_was_made_or_removed_more_often_is_seen() -> None:
    undisturbed = Picture({}, Counter({"services/a": 1, "configmaps/a-s-*": 1}), Counter())
    again = Picture({}, Counter({"services/a": 2, "configmaps/a-s-*": 2}), Counter({"roles/b": 1}))
    assert differences(undisturbed, again, remade=1) == [
        "services/a was created 2 times, undisturbed 1 times",
        "roles/b was deleted 1 times, undisturbed 0 times",
    ]
    assert "configmaps/a-s-* was created 2 times, undisturbed 1 times" in differences(
        undisturbed, again
    )


def test_chunks_are_counted_for_their_registry(
    control_plane: ControlPlane, namespace: str, crds: None
) -> None:
    writes = [
        Write("POST", Target("configmaps", namespace, f"corp-s-{digit * 16}"), 201, 0.0, 1)
        for digit in "ab"
    ]
    assert picture(control_plane, namespace, writes).created == {"configmaps/corp-s-*": 2}

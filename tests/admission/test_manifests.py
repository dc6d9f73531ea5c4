"""What the real kubectl says: of the examples, of wrong manifests, of a listing and of every field."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.admission.cluster import PATIENCE, a_registry_in, court
from tests.admission.wrong import WRONG, Wrong
from tests.contracts.cluster import CRDS, install_kinds
from tests.control_plane.plane import ControlPlane
from thv.domain.canonical import JsonObject
from thv.formats.crd import registry_crd

pytestmark = pytest.mark.requirement("REG-01", "REG-13")

EXAMPLES = CRDS.parents[2] / "examples"
_SPEC = sorted((EXAMPLES / "spec").rglob("*.yaml"))
_OWN = sorted(EXAMPLES.glob("*.yaml"))
_NAMESPACES = ("toolhive-system", "production")
WIDTH = 80


@pytest.fixture(scope="module")
def cluster(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """With our kinds, the optional ones too, and the namespaces of the examples."""
    install_kinds(control_plane)
    optional = str(CRDS.parent / "optional")
    _done(control_plane, "apply", "--server-side", "-f", optional)
    control_plane.await_kinds("-f", optional)
    for name in _NAMESPACES:
        control_plane.kubectl("create", "namespace", name)
    yield control_plane
    _done(control_plane, "delete", "--wait=false", "-f", optional)


def _done(plane: ControlPlane, *arguments: str, stdin: str = "") -> str:
    done = plane.kubectl(*arguments, stdin=stdin)
    assert done.returncode == 0, done.stderr
    return done.stdout


# ---------------------------------------------------------------- manifests


@pytest.mark.parametrize("file", [*_SPEC, *_OWN], ids=lambda file: file.stem)
def test_an_example_is_accepted_as_it_stands(file: Path, cluster: ControlPlane) -> None:
    done = cluster.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("(server dry run)") == len(list(yaml.safe_load_all(file.read_text())))


def test_a_status_in_a_manifest_is_dropped(cluster: ControlPlane, namespace: str) -> None:
    manifest = yaml.safe_load((EXAMPLES / "spec" / "catalog-enhanced.yaml").read_text())
    manifest["metadata"]["namespace"] = namespace
    _done(cluster, "apply", "-f", "-", stdin=yaml.safe_dump(manifest))
    path = f"/apis/toolhive.stacklok.io/v1alpha1/namespaces/{namespace}/mcpregistries"
    kept = cluster.request("GET", f"{path}/production-catalog")
    assert "status" in manifest
    assert "status" not in kept


def test_a_second_example_replaces_the_first_of_its_name(
    cluster: ControlPlane, namespace: str
) -> None:
    for name in ("catalog-enhanced", "catalog-simple"):
        manifest = yaml.safe_load((EXAMPLES / "spec" / f"{name}.yaml").read_text())
        manifest["metadata"]["namespace"] = namespace
        _done(cluster, "apply", "-f", "-", stdin=yaml.safe_dump(manifest))
    path = f"/apis/toolhive.stacklok.io/v1alpha1/namespaces/{namespace}/mcpregistries"
    kept = cluster.request("GET", f"{path}/production-catalog")
    assert kept["spec"]["source"]["type"] == "url"
    assert "registry" not in kept["spec"]["source"]


@pytest.fixture(scope="module")
def judged(cluster: ControlPlane) -> Iterator[str]:
    """A namespace in which the policies hold."""
    with court(cluster) as place:
        slow = yaml.safe_dump(a_registry_in(place, "file"))
        arguments = ("create", "--dry-run=server", "-f", "-")
        while cluster.kubectl(*arguments, stdin=slow).returncode == 0:
            pass  # the policy has not reached the API server's own caches
        yield place.namespace


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.mistake)
def test_a_mistake_is_told_with_its_field_and_what_to_do(
    wrong: Wrong, cluster: ControlPlane, judged: str
) -> None:
    obj = wrong.registry()
    obj["metadata"]["namespace"] = judged
    done = cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(obj))
    assert done.returncode != 0
    assert wrong.field in done.stderr
    assert wrong.fix in done.stderr


def test_enough_mistakes_are_told() -> None:
    assert len({wrong.mistake for wrong in WRONG}) >= 30


# ---------------------------------------------------------------- reading

_REASONS = ("Succeeded", "ServingLastGood", "SourceNotReady", "SnapshotTooLarge", "Invalid")


def _with_status(name: str, namespace: str, reason: str, servers: int) -> JsonObject:
    ready = reason in {"Succeeded", "ServingLastGood"}
    condition = {
        "type": "Ready",
        "status": "True" if ready else "False",
        "reason": reason,
        "message": "17012 servers of 17012 are served",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    return {
        "apiVersion": "toolhive.stacklok.io/v1alpha1",
        "kind": "MCPRegistry",
        "metadata": {"name": name, "namespace": namespace},
        "status": {
            "phase": "Ready" if ready else "Failed",
            "serverCount": servers,
            "conditions": [condition],
            "syncStatus": {"lastSyncTime": "2026-01-01T00:00:00Z"},
        },
    }


@pytest.fixture
def listed(cluster: ControlPlane, namespace: str) -> str:
    """A namespace with a registry of each state."""
    for reason, level in zip(_REASONS, itertools.cycle(["raw", "tested", "trusted"]), strict=False):
        name = f"{reason.lower()[:7]}-catalog"
        spec = {
            "trustLevel": level,
            "source": {"type": "url", "url": {"url": "https://a.example.com"}},
        }
        status = _with_status(name, namespace, reason, 17012)
        plain = {key: value for key, value in status.items() if key != "status"} | {"spec": spec}
        _done(cluster, "create", "-f", "-", stdin=yaml.safe_dump(plain))
        arguments = ("apply", "--server-side", "--subresource=status", "-f", "-")
        _done(cluster, *arguments, stdin=yaml.safe_dump(status))
    return namespace


def test_a_listing_fits_a_terminal(cluster: ControlPlane, listed: str) -> None:
    lines = _done(cluster, "get", "mcpreg", "-n", listed).splitlines()
    assert lines[0].split() == ["NAME", "READY", "SERVERS", "TRUST", "LAST-SYNC", "REASON", "AGE"]
    assert len(lines) == 1 + len(_REASONS)
    assert max(len(line.rstrip()) for line in lines) <= WIDTH
    wide = _done(cluster, "get", "mcpreg", "-n", listed, "-o", "wide").splitlines()[0].split()
    assert wide[7:] == ["MESSAGE", "SOURCE", "FORMAT", "INTERVAL", "REVISION", "URL"]


def test_registries_are_found_by_every_word_and_selected_by_fields(
    cluster: ControlPlane, listed: str
) -> None:
    for word in ("mcpreg", "mcpregistry", "mcpregistries", "toolhive-registry", "toolhive"):
        found = _done(cluster, "get", word, "-n", listed, "-o", "name").splitlines()
        assert len(found) == len(_REASONS), word
    for selector, count in (
        ("spec.trustLevel=raw", 2),
        ("spec.trustLevel=trusted", 1),
        ("spec.source.type=url", len(_REASONS)),
        ("spec.source.type=git", 0),
        ("status.phase=Failed", 3),
    ):
        arguments = ("get", "mcpreg", "-n", listed, "-o", "name", "--field-selector", selector)
        assert len(_done(cluster, *arguments).splitlines()) == count, selector


def test_somebody_can_wait_for_a_registry(cluster: ControlPlane, listed: str) -> None:
    waiting = ("wait", "--for=condition=Ready", "mcpreg/succeed-catalog", "--timeout=5s")
    assert "condition met" in _done(cluster, *waiting, "-n", listed)


# ---------------------------------------------------------------- explain


def _described(schema: JsonObject, path: str = "") -> Iterator[tuple[str, str]]:
    """Each field that can be asked about, and what it must say."""
    for name, inner in schema.get("properties", {}).items():
        below = f"{path}.{name}".lstrip(".")
        yield below, inner["description"]
        yield from _described(inner, below)
        yield from _described(inner.get("items", {}), below)


def _schema() -> JsonObject:
    (version,) = registry_crd()["spec"]["versions"]
    found: dict[str, Any] = version["schema"]["openAPIV3Schema"]["properties"]
    return {"properties": {key: found[key] for key in ("spec", "status")}}


def test_every_field_is_explained(cluster: ControlPlane) -> None:
    """One question is put to kubectl; the others to the document that kubectl takes its answers from."""
    fields = dict(_described(_schema()))
    assert len(fields) > 200
    assert all(fields.values())
    published = _published(cluster)
    told = dict(
        _described({"properties": {k: published["properties"][k] for k in ("spec", "status")}})
    )
    assert told == fields
    recursive = _done(cluster, "explain", "mcpreg.spec", "--recursive")
    assert "anonymousRead" in recursive
    assert "DESCRIPTION:\n    What a user wants of the registry." in recursive


def _published(plane: ControlPlane) -> JsonObject:
    """What the API server publishes of the kind; it does so a moment after it knows it."""
    until = time.monotonic() + PATIENCE
    while True:
        document = plane.request("GET", "/openapi/v3/apis/toolhive.stacklok.io/v1alpha1")
        schemas: dict[str, JsonObject] = document["components"]["schemas"]
        for name, schema in schemas.items():
            if name.endswith(".MCPRegistry") and "spec" in schema["properties"]:
                return schema
        assert time.monotonic() < until


@pytest.mark.parametrize(
    "field",
    ["spec", "spec.source", "spec.source.git.branch", "spec.syncPolicy.interval", "spec.filter", "status"],
)  # fmt: skip
def test_a_question_about_a_field_is_answered(cluster: ControlPlane, field: str) -> None:
    fields = dict(_described(_schema()))
    said = " ".join(_done(cluster, "explain", f"mcpreg.{field}").split())
    assert " ".join(fields[field].split()) in said
    assert "<empty>" not in said

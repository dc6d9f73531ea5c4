"""The product's part of a control plane, as the two commands of an installation leave it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import yaml

from tests.contracts.cluster import install_kinds
from tests.control_plane.plane import ControlPlane
from thv.domain.canonical import JsonObject

ROOT = Path(__file__).parents[3]
KINDS = ROOT / "charts" / "toolhive-registry-crds"
OURS, OPTIONAL = KINDS / "crds", KINDS / "optional"
INSTALL = ROOT / "deploy" / "install.yaml"
SYSTEM = "toolhive-system"
ACCOUNT = "toolhive-registry-operator"
LEADER = "toolhive-registry-leader"


def install(plane: ControlPlane) -> None:
    """Kinds, those of ToolHive too, roles, policies, and the operator's account."""
    install_kinds(plane, OURS, OPTIONAL)
    _do(plane, "apply", "--server-side", "-f", str(INSTALL))
    # The garbage collector looks for kinds every 30 s only, and when it begins.
    plane.stop_api()
    plane.start_api()


def make_namespace(plane: ControlPlane, name: str) -> None:
    """A namespace with a lease of its own."""
    meta = {"name": name}
    plane.request(
        "POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}
    )
    lease_in(plane, name)


def lease_in(plane: ControlPlane, namespace: str) -> None:
    """The operator may have its lease here as it may in its own namespace, so that several can run."""
    for obj in _of_leader():
        obj["metadata"]["namespace"] = namespace
        _do(plane, "create", "-f", "-", stdin=json.dumps(obj))


def operator_kubeconfig(plane: ControlPlane) -> Path:
    """The operator's account, as its pod has it."""
    return plane.service_account(SYSTEM, ACCOUNT)


def _of_leader() -> Iterator[JsonObject]:
    """What lets the operator have a lease."""
    for text in _shipped():
        obj: JsonObject = yaml.safe_load(text)
        if obj["metadata"]["name"] == LEADER:
            yield obj


@cache
def _shipped() -> list[str]:
    return [part for part in INSTALL.read_text().split("\n---\n") if "\nkind:" in part]


def _do(plane: ControlPlane, *words: str, stdin: str = "") -> None:
    done = plane.kubectl(*words, stdin=stdin)
    assert done.returncode == 0, done.stderr

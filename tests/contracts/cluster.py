"""A place in a real cluster that nobody else uses, for contracts that hold there too."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from tests.control_plane.plane import ControlPlane
from thv.clients.kube.client import KubeClient
from thv.clients.kube.config import from_environment

CRDS = Path(__file__).parents[2] / "charts" / "toolhive-registry-crds" / "crds"

_numbers = itertools.count(1)


@cache
def install_kinds(plane: ControlPlane, *folders: Path) -> None:
    """Our kinds, or those of these folders, once for each control plane."""
    named = [word for folder in folders or (CRDS,) for word in ("-f", str(folder))]
    done = plane.kubectl("apply", "--server-side", "--force-conflicts", *named)
    assert done.returncode == 0, done.stderr
    plane.await_kinds(*named)


@contextmanager
def a_namespace(plane: ControlPlane) -> Iterator[str]:
    """A namespace with all that Kubernetes itself puts into one; nobody waits for its end."""
    name = f"contract-{os.getpid()}-{next(_numbers)}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    plane.request("POST", "/api/v1/namespaces", body)
    plane.await_path(f"/api/v1/namespaces/{name}/configmaps/kube-root-ca.crt")
    yield name
    plane.request("DELETE", f"/api/v1/namespaces/{name}")


def a_client(plane: ControlPlane) -> KubeClient:
    """As cluster admin."""
    return from_environment({}, kubeconfig=str(plane.kubeconfig))

"""The operator as it is shipped, in a cluster whose pods run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.control_plane.cluster import Cluster, Place
from tests.control_plane.fixtures import namespace_in

ROOT = Path(__file__).resolve().parents[3]
SYSTEM = "toolhive-system"


@pytest.fixture(scope="session")
def operated(cluster: Cluster) -> Cluster:
    """The cluster after the two commands that install the product."""
    system = Place(cluster, SYSTEM)
    kinds = ROOT / "charts" / "toolhive-registry-crds" / "crds"
    system.kubectl("apply", "--server-side", "-f", str(kinds))
    system.kubectl("apply", "--server-side", "-f", str(ROOT / "deploy" / "install.yaml"))
    system.wait("condition=Available", "deployment/toolhive-registry-operator", seconds=60)
    return cluster


@pytest.fixture
def place(operated: Cluster) -> Iterator[Place]:
    """A namespace of the test's own, which takes restricted pods only."""
    with namespace_in(operated.plane) as name:
        found = Place(operated, name)
        found.kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
        yield found

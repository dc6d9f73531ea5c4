"""The same user on one machine and on a cluster that the product is installed on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.apps.cli.running import Cli
from tests.apps.operator.conftest import operated
from tests.control_plane.cluster import Cluster, Place
from tests.control_plane.fixtures import namespace_in

__all__ = ["operated"]


@dataclass
class RealTime(Cli):
    """Reads the clock that the operator reads, too."""

    def clock(self) -> datetime:
        return datetime.now(UTC)


@pytest.fixture
def place(operated: Cluster) -> Iterator[Place]:
    """A namespace of the test's own."""
    with namespace_in(operated.plane) as name:
        yield Place(operated, name)


@pytest.fixture
def here(tmp_path: Path, place: Place) -> Cli:
    """The user on one machine, in a namespace of the same name."""
    return RealTime(tmp_path / "here", {"THV_NAMESPACE": place.namespace})


@pytest.fixture
def there(tmp_path: Path, place: Place) -> Cli:
    """The user on the cluster, as its administrator."""
    kubeconfig = str(place.cluster.plane.kubeconfig)
    environ = {
        "THV_NAMESPACE": place.namespace,
        "THV_BACKEND": "kubernetes",
        "KUBECONFIG": kubeconfig,
    }
    return RealTime(tmp_path / "there", environ)

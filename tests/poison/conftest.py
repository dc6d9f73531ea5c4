"""A control plane with the product installed, for whoever writes what nobody should."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.control_plane.fixtures import control_plane_binaries
from tests.control_plane.plane import ControlPlane, control_plane_in
from tests.faults.kubernetes.cluster import install


@pytest.fixture(scope="package")
def poisoned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """One that nobody else uses: its operator looks after all namespaces, as it is shipped."""
    folder = tmp_path_factory.mktemp("poisoned")
    with control_plane_in(folder, control_plane_binaries()) as plane:
        install(plane)
        yield plane

"""A control plane with the product installed; others share the one that has nothing of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.control_plane.fixtures import control_plane_binaries
from tests.control_plane.plane import ControlPlane, control_plane_in
from tests.faults.kubernetes.cluster import install
from tests.faults.kubernetes.plans import Plans


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    folder = tmp_path_factory.mktemp("installed")
    with control_plane_in(folder, control_plane_binaries()) as plane:
        install(plane)
        yield plane


@pytest.fixture
def plans(installed: ControlPlane, tmp_path: Path) -> Iterator[Plans]:
    with Plans(installed, tmp_path) as opened:
        yield opened

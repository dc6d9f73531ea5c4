"""Helm, for tests of the charts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.charts.helm import Helm, find_or_build
from tests.charts.previous import previous_image
from tests.charts.releases import Releases
from tests.control_plane import sandbox
from tests.control_plane.cluster import Cluster, Place
from tests.control_plane.fixtures import control_plane_binaries, namespace_in
from tests.control_plane.images import Image, python_image
from tests.control_plane.kubelet import kubelet_of
from tests.control_plane.plane import control_plane_in
from tests.go_programs import MissingError


@pytest.fixture(scope="session")
def helm_program() -> Path:
    """The program; without it the test is skipped, and says how to get it."""
    try:
        return find_or_build()
    except MissingError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def helm(helm_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Helm without a cluster."""
    return Helm(helm_program, tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="session")
def older(tmp_path_factory: pytest.TempPathFactory, product: Image) -> Image:
    """The image of the previous release."""
    return previous_image(product, tmp_path_factory.mktemp("previous"))


@pytest.fixture(scope="module")
def bare(
    tmp_path_factory: pytest.TempPathFactory, product: Image, older: Image
) -> Iterator[Cluster]:
    """A cluster with nothing in it, whose node has the images of two releases."""
    binaries = control_plane_binaries()
    if not binaries.has_manager or not sandbox.is_possible():
        pytest.skip("no pods: it takes root, Go and `make tools`, and util-linux")
    images = [python_image(), older, product]
    with (
        control_plane_in(tmp_path_factory.mktemp("bare"), binaries) as plane,
        kubelet_of(plane, tmp_path_factory.mktemp("node"), images) as kubelet,
    ):
        yield Cluster(plane, kubelet)


@pytest.fixture(scope="module")
def releases(
    bare: Cluster, helm_program: Path, tmp_path_factory: pytest.TempPathFactory
) -> Releases:
    """Helm as an administrator of that cluster."""
    folder = tmp_path_factory.mktemp("helm")
    return Releases(bare, Helm(helm_program, folder, bare.plane.kubeconfig))


@pytest.fixture
def place(bare: Cluster) -> Iterator[Place]:
    """A namespace of the test's own, which takes restricted pods only."""
    yield from _namespace(bare)


@pytest.fixture
def elsewhere(bare: Cluster) -> Iterator[Place]:
    """Another one."""
    yield from _namespace(bare)


def _namespace(bare: Cluster) -> Iterator[Place]:
    with namespace_in(bare.plane) as name:
        found = Place(bare, name)
        found.kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
        yield found

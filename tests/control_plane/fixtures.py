"""What tests ask for by name: a control plane, and a cluster whose pods run, each one for a whole session."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.control_plane import sandbox
from tests.control_plane.binaries import Binaries, find_or_build
from tests.control_plane.cluster import Cluster, Place
from tests.control_plane.images import Image, product_image, python_image
from tests.control_plane.kubelet import kubelet_of
from tests.control_plane.plane import ControlPlane, control_plane_in
from tests.go_programs import MissingError

_PROGRAMS = {"openssl": "openssl", "util-linux": "setpriv"}
_numbers = itertools.count(1)


def control_plane_binaries() -> Binaries:
    """What a control plane is started from; without it the test is skipped, and says how to get it."""
    missing = [name for name, program in _PROGRAMS.items() if shutil.which(program) is None]
    if missing:
        pytest.skip(f"no control plane without these: apt-get install {' '.join(missing)}")
    try:
        return find_or_build()
    except MissingError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A real API server and its controllers; no pod ever runs."""
    folder = tmp_path_factory.mktemp("control-plane")
    with control_plane_in(folder, control_plane_binaries()) as running:
        yield running


@pytest.fixture
def namespace(control_plane: ControlPlane) -> Iterator[str]:
    """A namespace of the test's own in the control plane."""
    with namespace_in(control_plane) as name:
        yield name


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The product installed from a wheel, as pods run it."""
    return product_image(tmp_path_factory.mktemp("product"))


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory, product: Image) -> Iterator[Cluster]:
    """Another control plane, with a node: what is applied here runs."""
    binaries = control_plane_binaries()
    if not binaries.has_manager:
        pytest.skip("no kube-controller-manager: install Go and run `make tools`")
    if not sandbox.is_possible():
        pytest.skip("pods cannot run: it takes root, and unshare, setpriv and nsenter (util-linux)")
    images = [python_image(), product]
    folder, node = tmp_path_factory.mktemp("cluster"), tmp_path_factory.mktemp("node")
    with (
        control_plane_in(folder, binaries) as plane,
        kubelet_of(plane, node, images) as kubelet,
    ):
        yield Cluster(plane, kubelet)


@pytest.fixture
def place(cluster: Cluster) -> Iterator[Place]:
    """A namespace of the test's own in the cluster."""
    with namespace_in(cluster.plane) as name:
        yield Place(cluster, name)


@contextmanager
def namespace_in(plane: ControlPlane) -> Iterator[str]:
    """Nobody waits until it is really gone."""
    name = f"test-{os.getpid()}-{next(_numbers)}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    plane.request("POST", "/api/v1/namespaces", body)
    plane.await_path(f"/api/v1/namespaces/{name}/serviceaccounts/default")
    yield name
    plane.request("DELETE", f"/api/v1/namespaces/{name}")

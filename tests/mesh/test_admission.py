"""A real API server takes the manifests with Istio's own definitions.

Linkerd's definitions are in no module that Go could fetch: of its manifests the network policies alone are taken here,
and `test_callers` reads the rest.
"""

from __future__ import annotations

import pytest
import yaml

from tests.contracts.cluster import install_kinds
from tests.control_plane.plane import ControlPlane
from tests.go_programs import MissingError
from tests.mesh.definitions import ISTIO, security_kinds
from tests.mesh.rendered import EXAMPLES, HOME, manifests, of_kind

pytestmark = [pytest.mark.flows, pytest.mark.requirement("OPS-08")]

DRY = ("apply", "--dry-run=server", "--validate=strict")


@pytest.fixture(scope="module")
def plane(control_plane: ControlPlane) -> ControlPlane:
    """With the namespace of the operator."""
    control_plane.kubectl("create", "namespace", HOME)  # may be there
    return control_plane


@pytest.fixture(scope="module")
def istio(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> ControlPlane:
    """With the kinds of Istio."""
    try:
        file = ISTIO.find_or_fetch()
    except MissingError as error:
        pytest.skip(str(error))
    cut = tmp_path_factory.mktemp("istio") / "kinds.yaml"
    cut.write_text(security_kinds(file))
    install_kinds(plane, cut)
    return plane


def test_istio_takes_its_manifests(istio: ControlPlane) -> None:
    files = sorted(EXAMPLES.glob("istio*.yaml"))
    done = istio.kubectl(*DRY, *(word for file in files for word in ("-f", str(file))))
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == sum(len(manifests(file.name)) for file in files)


def test_istio_would_say_what_is_wrong(istio: ControlPlane) -> None:
    (peers,) = of_kind(manifests("istio.yaml"), "PeerAuthentication")
    del peers["spec"]["selector"]
    done = istio.kubectl(*DRY, "-f", "-", stdin=yaml.safe_dump(peers))
    assert "portLevelMtls requires selector" in done.stderr


def test_network_policies_for_linkerd_are_taken(plane: ControlPlane) -> None:
    files = sorted(EXAMPLES.glob("linkerd*.yaml"))
    policies = [obj for file in files for obj in of_kind(manifests(file.name), "NetworkPolicy")]
    done = plane.kubectl(*DRY, "-f", "-", stdin=yaml.safe_dump_all(policies))
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(policies) == 2

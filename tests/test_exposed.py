"""Ways to a registry from outside its cluster: an API server takes the manifests, and they lead to what the operator makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.builders import registry
from tests.contracts.cluster import install_kinds
from tests.control_plane.plane import ControlPlane
from thv.sync.serving.network import service
from thv.sync.serving.settings import ApiSettings

pytestmark = pytest.mark.requirement("OPS-02")

EXPOSE = Path(__file__).parent.parent / "examples" / "expose"
FILES = sorted(EXPOSE.glob("*.yaml"))
KINDS = Path(__file__).parent / "data" / "kinds"


def manifests() -> list[Any]:
    return [obj for file in FILES for obj in yaml.safe_load_all(file.read_text())]


@pytest.mark.flows
def test_an_api_server_takes_them(control_plane: ControlPlane) -> None:
    install_kinds(control_plane, KINDS)
    named = [word for file in FILES for word in ("-f", str(file))]
    done = control_plane.kubectl("apply", "--dry-run=server", "--validate=strict", *named)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(manifests())


def test_they_lead_to_the_service_of_a_registry() -> None:
    settings = ApiSettings(image="x", tls_secret="registry-api-tls")
    made = service(registry("quickstart"), settings, None)
    port, name = made["spec"]["ports"][0]["port"], made["metadata"]["name"]
    by_kind = {obj["kind"]: obj["spec"] for obj in manifests()}
    (path,) = by_kind["Ingress"]["rules"][0]["http"]["paths"]
    assert path["backend"]["service"] == {"name": name, "port": {"number": port}}
    (backend,) = by_kind["HTTPRoute"]["rules"][0]["backendRefs"]
    assert backend == {"name": name, "port": port}
    (target,) = by_kind["BackendTLSPolicy"]["targetRefs"]
    assert target["name"] == name
    assert by_kind["BackendTLSPolicy"]["validation"]["hostname"] == f"{name}.default.svc"
    certificate = by_kind["Certificate"]
    assert certificate["secretName"] == settings.tls_secret
    assert "*.default.svc" in certificate["dnsNames"]


def test_every_one_is_listed() -> None:
    listed = (EXPOSE.parent / "README.md").read_text()
    assert [file.name for file in FILES if f"`expose/{file.name}`" not in listed] == []

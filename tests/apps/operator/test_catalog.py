"""From the catalog to a registry of one's own on a cluster whose pods run: its API appears by itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.apps.catalog_api.plane import Catalog, catalog_in
from tests.apps.operator.test_whole import READY, content, registry
from tests.control_plane.cluster import Place

pytestmark = pytest.mark.e2e


@pytest.fixture
def catalog(place: Place, tmp_path: Path) -> Iterator[Catalog]:
    with catalog_in(place.cluster.plane, place.namespace, tmp_path, has_operator=True) as found:
        yield found


def audience(place: Place, name: str, by: str) -> dict[str, str]:
    """A token for the API of a registry."""
    wanted = f"{name}-api.{place.namespace}.svc"
    token = place.kubectl("create", "token", by, "--audience", wanted).strip()
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.requirement("CAT-11", "CAT-07")
def test_the_documented_way_of_a_user(place: Place, catalog: Catalog, tmp_path: Path) -> None:
    place.apply(content("tools-data", "osv", "fetch"), registry("tools"))
    place.wait(READY, "mcpreg/tools")
    reader, made = catalog.own_token("reader"), f"/api/v1/registries/{place.namespace}"

    # Query and export.
    catalog.until(
        "the catalog knows the servers",
        lambda: catalog.ask("GET", "/api/v1/mcp_servers?search=osv", by=reader).json.get("servers"),
    )
    path = f"/api/v1/mcp_servers/osv/export?namespace={place.namespace}&registry_name=mine"
    exported = catalog.ask("GET", path, by=reader).json
    exported["servers"][0]["configuration"]["tool_overrides"] = {"look": {"name": "corp-look"}}
    exported["configuration"]["enforce_servers"] = False

    # ConfigMap, MCPToolConfig and MCPRegistry by kubectl.
    rendered = catalog.ask("POST", f"{made}/render", exported, by=reader, accept="application/yaml")
    (tmp_path / "mine.yaml").write_bytes(rendered.body)
    place.kubectl("apply", "-f", str(tmp_path / "mine.yaml"))
    place.wait(READY, "mcpreg/mine")
    as_reader = audience(place, "mine", "reader")
    servers = json.loads(place.ask("mine-api", "/api/v1/servers", **as_reader))["servers"]
    assert [(server["name"], server["tools"]) for server in servers] == [("osv", ["corp-look"])]
    assert place.get("mcptoolconfig", "mine-osv")["spec"]["toolsFilter"] == ["corp-look"]

    # The same by the catalog, as the caller.
    exported["metadata"]["registry_name"] = "second"
    reply = catalog.ask("POST", f"{made}?wait=30", exported, by=catalog.token("maker"))
    assert reply.status == 201, reply.json
    assert reply.json["registry"]["phase"] == "Ready"
    as_maker = audience(place, "second", "maker")
    listed = json.loads(place.ask("second-api", "/v0.1/servers", **as_maker))["servers"]
    assert [item["server"]["name"] for item in listed] == ["io.github.stacklok/osv"]

"""The catalog of a cluster as one of its users asks it, and what comes over to a cluster."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.apps.cli.cluster.conftest import RealTime
from tests.apps.cli.cluster.test_both import maps
from tests.apps.cli.library import OFFICIAL, TOOLHIVE, steady
from tests.apps.cli.running import Cli
from tests.control_plane.cluster import Place

pytestmark = pytest.mark.e2e

LINES = """
catalog list -o name
catalog servers
catalog servers tools -o wide
catalog servers --search notes --tool read_note -o json
catalog tools --registry tools
catalog show tools -o name
catalog export weather
catalog export notes --registry tools --image-registry registry.corp.example -o yaml
catalog generate --server notes --registry tools --registry-name mine --enforce-tools
catalog generate --server nothing --registry-name mine
catalog servers nothing
"""


@pytest.fixture
def kept(here: Cli, there: Cli) -> None:
    """Both have the same two registries."""
    for cli in (here, there):
        cli.ok("apply", "-f", str(cli.file("data.yaml", maps(tools=TOOLHIVE, official=OFFICIAL))))
        cli.ok("registry add tools --configmap tools/registry.json --trust-level trusted")
        cli.ok("registry add official --configmap official/registry.json")


@pytest.mark.requirement("CAT-01", "CAT-03", "CAT-05", "CLI-07")
@pytest.mark.usefixtures("kept")
def test_the_catalog_is_the_same_on_a_machine_and_on_a_cluster(here: Cli, there: Cli) -> None:
    for line in LINES.split("\n"):
        told = [cli(line) for cli in (here, there)]
        shown = [(ran.code, steady(here, ran.out), steady(here, ran.err)) for ran in told]
        assert shown[0] == shown[1], line


@pytest.mark.requirement("CAT-10", "CAT-11")
@pytest.mark.usefixtures("kept")
def test_a_bundle_and_a_generation_become_registries_of_a_cluster(
    here: Cli, there: Cli, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "bundle"
    here.ok("catalog", "save", "tools", "--output", str(bundle), "--image-registry", "mirror.example/mcp")  # fmt: skip
    (bundle / "manifests" / "tools.yaml").rename(tmp_path / "carried.yaml")
    text = (tmp_path / "carried.yaml").read_text().replace("name: tools", "name: carried")
    place.kubectl("apply", "-f", "-", stdin=text)
    monkeypatch.chdir(tmp_path)
    line = f"catalog generate --server notes --namespace {place.namespace} --registry-name customer-registry --image-registry registry.corp.example --enforce-servers --enforce-tools --output out/"
    there.ok(line)
    place.kubectl("apply", "-f", "out/")
    for name in ("carried", "customer-registry"):
        place.wait("condition=Ready", f"mcpregistry/{name}", seconds=120)
    assert served(there, "carried") == {"notes": "mirror.example/mcp/example/notes:2.1.0", "weather": None}  # fmt: skip
    assert served(there, "customer-registry") == {"notes": "registry.corp.example/example/notes:2.1.0"}  # fmt: skip


@pytest.mark.requirement("CAT-10")
@pytest.mark.usefixtures("kept")
def test_a_bundle_is_loaded_onto_a_cluster(here: Cli, there: Cli, tmp_path: Path) -> None:
    bundle = str(tmp_path / "bundle")
    here.ok("catalog", "save", "tools", "--output", bundle)
    done = there.ok("catalog", "load", bundle, "--name", "loaded")
    assert done.out == "mcpregistry/loaded loaded\n"
    assert served(there, "loaded") == served(there, "tools")
    refused = there("catalog", "load", bundle, "--name", "Bad")
    assert refused.code == 2


def served(cli: Cli, name: str) -> dict[str, str | None]:
    answer = json.loads(cli.ok("catalog", "servers", name, "--all", "-o", "json").out)
    return {each["name"]: each.get("image") for each in answer["items"]}


def test_who_may_not_list_all_registries_sees_those_of_the_namespace(
    there: Cli, place: Place, tmp_path: Path
) -> None:
    binding = ("create", "rolebinding", "--user=reader")
    place.kubectl(*binding, "reader", "--clusterrole=toolhive-registry-user")
    there.ok("apply", "-f", str(there.file("data.yaml", maps(tools=TOOLHIVE))))
    there.ok("registry add tools --configmap tools/registry.json")
    reader = RealTime(tmp_path / "reader", dict(there.environ))
    assert reader.ok("catalog list --as reader -o name").out == "mcpregistry/tools\n"
    # What registries serve lies in ConfigMaps, which that role does not open.
    left_out = reader.ok("catalog servers --as reader")
    assert "tools is left out: configmaps" in left_out.err
    place.kubectl(*binding, "content", "--clusterrole=view")
    names = reader.ok("catalog servers --as reader -o name").out
    assert names == "server/notes\nserver/weather\n"

"""The chart in a cluster whose pods run, by the commands that an administrator gives."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest
import yaml

from tests.charts.helm import CHART
from tests.charts.previous import previous
from tests.charts.reading import reading
from tests.charts.releases import NAME, SYSTEM, Releases
from tests.control_plane.cluster import Place
from tests.control_plane.plane import Json
from thv import __version__
from thv.formats.crd import registry_crd

pytestmark = [pytest.mark.e2e, pytest.mark.requirement("OPS-04")]

ROOT = Path(__file__).resolve().parents[2]
QUICKSTART = str(ROOT / "examples" / "quickstart")
REGISTRIES = ["quickstart", "quickstart-catalog", "quickstart-staging"]
AUTH = "toolhive-registry-api-auth"
KINDS = "customresourcedefinitions"


def start(place: Place) -> None:
    """The commands of the notes."""
    place.kubectl("apply", "-k", QUICKSTART)
    place.wait("condition=Ready", "mcpreg", "--all", seconds=90)


def registry(replicas: int) -> Json:
    """An open registry with several pods."""
    return {
        "apiVersion": "toolhive.stacklok.io/v1alpha1",
        "kind": "MCPRegistry",
        "metadata": {"name": "corp"},
        "spec": {
            "source": {"type": "configmap", "configMap": {"name": "quickstart-servers"}},
            "api": {"anonymousRead": True, "replicas": replicas},
        },
    }


def rolled_out(place: Place, image: str) -> None:
    """Until the pods of the registry run this image and no other."""
    path = "jsonpath={.spec.template.spec.containers[0].image}=" + image
    place.wait(path, "deployment/corp-api", seconds=60)
    place.kubectl("rollout", "status", "deployment/corp-api", "--timeout=90s")


def serving(place: Place) -> str:
    """The version that the API of the registry says it has."""
    return str(json.loads(place.ask("corp-api", "/version"))["version"])


def let_in(place: Place) -> list[str]:
    """Accounts of the namespace that may ask about tokens; those of others come and go."""
    subjects = place.get("clusterrolebinding", AUTH)["subjects"]
    return [each["name"] for each in subjects if each["namespace"] == place.namespace]


def schema_in(releases: Releases) -> Json:
    """Of the kind, as the cluster has it."""
    (kind,) = releases.objects(KINDS)
    return schema_of(kind)


def schema_of(kind: Json) -> Json:
    found: Json = kind["spec"]["versions"][0]["schema"]
    return found


def test_four_commands_give_registries_that_answer_and_outlive_the_release(
    releases: Releases, place: Place
) -> None:
    begin = time.monotonic()
    with releases.installed() as notes:
        assert f"kubectl apply -n default -k {Path(QUICKSTART).relative_to(ROOT)}" in notes
        start(place)
        shown = place.kubectl("get", "mcpreg", "-o", "name").split()
        assert time.monotonic() - begin < 180
        assert [name.partition("/")[2] for name in sorted(shown)] == REGISTRIES
        said = releases.helm("test", NAME, "-n", SYSTEM)
        assert "Succeeded" in said
        assert "catalog.enabled=true brings it" in notes
        opened = releases.notes("catalog.enabled=true")
        assert "  kubectl thv dashboard -n default --service-account NAME\n" in opened
        closed = releases.notes("catalog.enabled=true", "catalog.dashboard.enabled=false")
        assert "kubectl thv dashboard" not in closed
        assert "the Service thv-catalog" in closed
    assert len(place.kubectl("get", "mcpreg", "-o", "name").split()) == len(REGISTRIES)
    assert not releases.system.kubectl("get", "deployments", "-o", "name").split()
    with releases.installed():  # whoever takes over looks after what is there
        place.kubectl(
            "patch", "mcpreg/quickstart", "--type=merge", "-p", '{"spec":{"displayName":"Again"}}'
        )
        place.wait("jsonpath={.status.observedGeneration}=2", "mcpreg/quickstart", seconds=60)


def test_an_upgrade_from_the_previous_release_and_the_way_back_fail_no_read(
    releases: Releases, place: Place
) -> None:
    release = previous()
    with releases.installed("operator.replicas=2", chart=release.chart):
        place.kubectl("apply", "-k", QUICKSTART)
        place.apply(registry(replicas=2))
        place.wait("condition=Ready", "mcpreg", "--all", seconds=60)
        bound = let_in(place)
        assert schema_in(releases) == schema_of(yaml.safe_load(release.kinds.read_text()))
        assert serving(place) == release.version
        with reading(place.url("corp-api"), rate=200) as client:
            releases.upgrade("operator.replicas=2", "settings.workers=2")
            rolled_out(place, f"{NAME}:{__version__}")
            assert schema_in(releases) == schema_of(registry_crd())
            assert serving(place) == __version__
            releases.roll_back()
            rolled_out(place, release.image)
        print(f"{client.reads} reads, {client.rate:.0f} a second, {len(client.failures)} failed")
        assert client.failures == []
        assert client.rate > 100
        assert len(bound) == 4
        assert let_in(place) == bound


def test_limited_to_a_namespace_it_serves_there_and_touches_nothing_elsewhere(
    releases: Releases, place: Place, elsewhere: Place
) -> None:
    begin = time.monotonic()
    with releases.installed("rbac.scope=namespace", f"rbac.namespaces={{{place.namespace}}}"):
        start(place)
        shown = place.kubectl("get", "mcpreg").splitlines()[1:]
        assert time.monotonic() - begin < 180
        assert [line.split()[:2] for line in shown] == [[name, "True"] for name in REGISTRIES]
        elsewhere.kubectl("apply", "-k", QUICKSTART)
        assert names(place, "quickstart-catalog-api") == [
            "github",
            "grafana",
            "notion",
            "playwright",
        ]
        assert "status" not in elsewhere.get("mcpreg", "quickstart")
        as_operator = f"--as=system:serviceaccount:{SYSTEM}:toolhive-registry-operator"
        asked = elsewhere.cluster.plane.kubectl("get", "mcpreg", "-A", as_operator)
        assert "forbidden" in asked.stderr


def test_without_a_right_on_the_cluster_it_says_what_is_missing(
    releases: Releases, place: Place
) -> None:
    limits = ("rbac.scope=namespace", f"rbac.namespaces={{{place.namespace}}}")
    with releases.installed(*limits, "rbac.clusterWide=false") as notes:
        place.kubectl("apply", "-k", QUICKSTART)
        place.wait("condition=APIReady=false", "mcpreg/quickstart")
        conditions = place.get("mcpreg", "quickstart")["status"]["conditions"]
        (said,) = [each["message"] for each in conditions if each["type"] == "APIReady"]
        assert "helm get notes" in said
        place.apply(registry(replicas=1))
        place.wait("condition=Ready", "mcpreg/corp", seconds=60)
        missing = releases.helm("template", *command_of(notes))
        administrator = Place(place.cluster, "")
        administrator.kubectl("apply", "--server-side", "-f", "-", stdin=missing)
        try:
            place.wait("condition=Ready", "mcpreg", "--all", seconds=90)
        finally:
            administrator.kubectl("delete", "-f", "-", stdin=missing)


def command_of(notes: str) -> list[str]:
    """The arguments of `helm template`, with the chart where it is here."""
    (found,) = re.findall(r"helm template ((?:.*\\\n)?.*?) \|", notes)
    words: list[str] = found.replace("\\\n", " ").split()
    return [str(CHART) if word == "./toolhive-registry" else word for word in words]


def names(place: Place, service: str) -> list[str]:
    """What the API of a registry lists for somebody whom the namespace lets read it."""
    place.kubectl("create", "serviceaccount", "reader")
    subject = f"--serviceaccount={place.namespace}:reader"
    place.kubectl("create", "rolebinding", "r", "--clusterrole=toolhive-registry-user", subject)
    audience = f"{service}.{place.namespace}.svc"
    token = place.kubectl("create", "token", "reader", "--audience", audience).strip()
    answer = json.loads(place.ask(service, "/api/v1/servers", Authorization=f"Bearer {token}"))
    return sorted(server["name"].rpartition("/")[2] for server in answer["servers"])


def test_kinds_go_when_they_are_not_kept(releases: Releases, place: Place) -> None:
    with releases.installed("crds.keep=false"):
        place.kubectl("get", "mcpreg")
    assert releases.objects(KINDS) == []

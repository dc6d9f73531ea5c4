"""`thv operator` on clusters without the product: from nothing to an installation, over releases, and back to nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.apps.cli.cluster.conftest import RealTime
from tests.apps.cli.running import Cli
from tests.charts.conftest import bare, helm_program, older, releases
from tests.charts.previous import previous
from tests.charts.releases import SYSTEM, Releases
from tests.control_plane.cluster import Cluster, Place
from thv import __version__
from thv.apps.cli.operating.kinds import REMOVABLE
from thv.formats.crd import registry_crd

__all__ = ["bare", "helm_program", "older", "releases"]

pytestmark = [pytest.mark.e2e, pytest.mark.requirement("OPS-04")]

ROOT = Path(__file__).resolve().parents[4]
QUICKSTART = str(ROOT / "examples" / "quickstart")
DEPLOYMENT = "deployment.apps/toolhive-registry-operator"
BUDGET = "poddisruptionbudget.policy/toolhive-registry-operator"
KIND = "customresourcedefinition.apiextensions.k8s.io/mcpregistries.toolhive.stacklok.io"


NOWHERE = ("--no-wait", "--image", "nothing:1")
"""Of an operator whose pods never start, which costs the least."""


PARTLY = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "metadata": {"name": "partly"},
    "rules": [
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": [""], "resources": ["namespaces", "serviceaccounts"], "verbs": ["*"]},
    ],
}


@pytest.fixture(scope="module")
def system(bare: Cluster) -> Place:
    """Where the operator is to be."""
    return Place(bare, SYSTEM)


@pytest.fixture
def admin(tmp_path: Path, bare: Cluster) -> Cli:
    """The administrator of the cluster, whose kubeconfig names it and nothing else does."""
    return RealTime(tmp_path, {"KUBECONFIG": str(bare.plane.kubeconfig)})


@contextmanager
def installed(admin: Cli, *words: str) -> Iterator[None]:
    """The product while the block runs."""
    try:
        admin.ok("operator", "install", "--timeout", "60s", *words)
        yield
    finally:
        admin.ok("operator uninstall --purge --yes -q --timeout 60s")


def verbs(text: str) -> dict[str, str]:
    """What became of each object."""
    return dict(line.split(" ", 1) for line in text.splitlines())


def objects(place: Place) -> list[str]:
    """Everything of ours in the cluster."""
    kinds = ",".join(each.resource for each in REMOVABLE)
    label = "app.kubernetes.io/part-of=toolhive-registry"
    return place.kubectl("get", f"{kinds},namespaces", "-A", "-l", label, "-o", "name").split()


def test_from_nothing_to_registries_and_back_to_nothing(admin: Cli, system: Place) -> None:
    tried = verbs(admin.ok("operator install --dry-run").out)
    assert set(tried.values()) == {"created (server dry run)"}
    assert objects(system) == []

    ran = admin.ok("operator install --timeout 60s")
    assert verbs(ran.out) == dict.fromkeys(tried, "created")
    following = [line for line in ran.err.splitlines() if line.startswith("  thv ")]
    assert len(following) == 3

    assert set(verbs(admin.ok("operator install").out).values()) == {"unchanged"}
    Place(system.cluster, "default").kubectl("apply", "-k", QUICKSTART)
    Place(system.cluster, "default").wait("condition=Ready", "mcpreg", "--all", seconds=60)
    told = admin.ok("operator status -o json").json
    assert told["healthy"]
    assert (told["version"], told["managedBy"]) == (__version__, "thv-operator")
    assert told["replicas"] == {"wanted": 1, "ready": 1}
    assert told["leader"]["pod"].startswith("toolhive-registry-operator-")
    assert told["kinds"][0]["stored"] == ["v1alpha1"]
    assert told["registries"] == {"Ready": 3}

    ran = admin.ok("operator uninstall")
    assert "3 registries and their kinds stay" in ran.err
    assert objects(system) == [f"namespace/{SYSTEM}"]
    ran = admin("operator status")
    assert (ran.code, "thv --backend kubernetes operator install" in ran.err) == (5, True)
    admin.ok("operator install")
    assert admin.ok("operator status -o json").json["registries"] == {"Ready": 3}

    ran = admin("operator uninstall --purge")
    assert (ran.code, "3 registries in 1 namespace" in ran.err) == (2, True)
    tried = verbs(admin.ok("operator uninstall --purge --dry-run").out)
    assert tried[KIND] == "deleted (server dry run)"
    done = verbs(admin.ok("operator uninstall --purge --yes --timeout 60s").out)
    assert {DEPLOYMENT, KIND, f"namespace/{SYSTEM}"} <= done.keys() & tried.keys()
    assert objects(system) == []
    assert system.kubectl("get", "crd", "-o", "name") == ""
    left = system.kubectl("get", "deployments,services,configmaps", "-A", "-o", "name")
    assert "quickstart-api" not in left
    assert "registry-api-shared" not in left


def test_what_was_chosen_stays_until_another_choice_and_what_is_not_wanted_goes(
    admin: Cli, system: Place
) -> None:
    with installed(
        admin, "--replicas", "2", "--scope", "namespace", "--watch-namespace", "default"
    ):
        told = admin.ok("operator status -o json").json
        assert (told["replicas"]["ready"], told["namespaces"]) == (2, ["default"])
        assert set(verbs(admin.ok("operator upgrade").out).values()) == {"unchanged"}
        done = verbs(admin.ok("operator upgrade --replicas 1 --scope cluster").out)
        assert done[BUDGET] == "pruned"
        assert done["role.rbac.authorization.k8s.io/toolhive-registry-api-server"] == "pruned"
        assert BUDGET.partition(".")[0] not in " ".join(objects(system))
        assert admin.ok("operator status -o json").json["namespaces"] == ["default"]


def test_fields_that_somebody_else_set_are_named_and_the_rest_is_applied(
    admin: Cli, system: Place
) -> None:
    with installed(admin):
        system.kubectl("scale", DEPLOYMENT, "--replicas=2")
        ran = admin("operator install --set-env THV_WORKERS=2")
        assert ran.code == 6
        assert f"{DEPLOYMENT}: conflict with" in ran.err
        assert ".spec.replicas" in ran.err
        assert "1 of " in ran.err
        assert "--force-conflicts" in ran.err
        assert set(verbs(ran.out).values()) == {"unchanged"}
        admin.ok("operator install --force-conflicts")
        assert system.get("deployment", DEPLOYMENT.partition("/")[2])["spec"]["replicas"] == 1


def test_whoever_may_do_a_part_is_told_of_each_object_of_the_rest(
    admin: Cli, system: Place
) -> None:
    system.kubectl("create", "-f", "-", stdin=json.dumps(PARTLY))
    system.kubectl("create", "clusterrolebinding", "jane", "--clusterrole=partly", "--user=jane")
    jane = replace(admin, environ={"KUBECONFIG": str(system.cluster.plane.user("jane"))})
    try:
        ran = jane("operator install -o json -q")
        assert ran.code == 4
        failed = {each["object"] for each in ran.error["details"]["failed"]}
        done = [obj["kind"] for obj in ran.json["items"]]
        assert done == ["Namespace", "ServiceAccount"]
        assert {KIND, DEPLOYMENT} <= failed
        assert f"{len(failed)} of {len(failed) + 2} objects" in ran.error["message"]
    finally:
        system.kubectl("delete", "clusterrole/partly", "clusterrolebinding/jane")
        admin.ok("operator uninstall --purge --yes -q --timeout 60s")


def test_an_operator_that_does_not_start_is_not_waited_for_in_vain(admin: Cli) -> None:
    with installed(admin, *NOWHERE):
        ran = admin("operator install --image nothing:1 --timeout 2s")
        assert ran.code == 8
        assert 'image "nothing:1" cannot be pulled' in ran.err
        ran = admin("operator status -o json")
        assert (ran.code, ran.json["healthy"]) == (1, False)
        assert any("nothing:1" in each["message"] for each in ran.json["problems"])


def test_what_kubectl_installed_of_the_release_before_is_taken_over_when_asked(
    admin: Cli, system: Place
) -> None:
    release = previous()
    for file in (release.kinds, release.manifests):
        system.kubectl("apply", "--server-side", "-f", str(file))
    with installed_by_hand(admin, system):
        ran = admin("operator install")
        assert (ran.code, "operator upgrade" in ran.err) == (6, True)
        ran = admin("operator upgrade")
        assert (ran.code, 'conflict with "kubectl"' in ran.err) == (6, True)
        ran = admin.ok("operator upgrade --force-conflicts --timeout 60s")
        assert f"from {release.version} to {__version__}" in ran.err
        told = admin.ok("operator status -o json").json
        assert (told["version"], told["image"]) == (__version__, f"toolhive-registry:{__version__}")


@contextmanager
def installed_by_hand(admin: Cli, system: Place) -> Iterator[None]:
    try:
        system.wait("condition=Available", DEPLOYMENT, seconds=60)
        yield
    finally:
        admin.ok("operator uninstall --purge --yes -q --timeout 60s")


def test_a_way_back_that_would_lose_stored_objects_is_refused(admin: Cli, system: Place) -> None:
    with installed(admin, *NOWHERE):
        kind = json.loads(json.dumps(registry_crd()))
        (older,) = kind["spec"]["versions"]
        newer = {**older, "name": "v1beta1", "storage": True}
        kind["spec"]["versions"] = [{**older, "storage": False}, newer]
        forced = ("apply", "--server-side", "--force-conflicts", "-f", "-")
        system.kubectl(*forced, stdin=json.dumps(kind))
        ran = admin("operator upgrade --force-conflicts --image nothing:1")
        assert (ran.code, "stored as v1beta1" in ran.err) == (6, True)
        assert ran.out == ""


def test_what_helm_installed_is_left_to_helm(admin: Cli, releases: Releases) -> None:
    with releases.installed("crds.keep=false"):
        for command, wanted in (
            ("install", "helm upgrade toolhive-registry charts/toolhive-registry"),
            ("upgrade --replicas 2", "helm upgrade toolhive-registry charts/toolhive-registry"),
            ("uninstall --purge --yes", f"helm uninstall toolhive-registry -n {SYSTEM}"),
        ):
            ran = admin(f"operator {command}")
            assert (ran.code, wanted in ran.err) == (6, True)
        told = admin.ok("operator status -o json").json
        assert told["managedBy"] == "Helm (release toolhive-registry)"
        assert told["healthy"]
    releases.system.kubectl("delete", "namespace", SYSTEM)

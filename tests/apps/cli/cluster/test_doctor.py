"""`thv doctor` finds what was made wrong on a real API server, and names the command that mends it."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.apps.cli.cluster import clinic as ill
from tests.apps.cli.cluster.clinic import SYSTEM, Clinic, Report
from tests.apps.cli.cluster.meddling import meddling
from tests.apps.cli.running import Cli
from tests.control_plane.cluster import Place
from tests.control_plane.fixtures import control_plane_binaries
from tests.control_plane.plane import ControlPlane, Json, control_plane_in
from thv.domain.roles import OPERATOR

pytestmark = [pytest.mark.e2e, pytest.mark.requirement("OPS-04")]

REGISTRIES = "mcpregistries.toolhive.stacklok.io"
POLICY = "toolhive-registry-status-writers"


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane of its own: what is broken here would be broken for other tests, too."""
    binaries = control_plane_binaries()
    if not binaries.has_manager:
        pytest.skip("no kube-controller-manager: install Go and run `make tools`")
    with control_plane_in(tmp_path_factory.mktemp("clinic"), binaries) as plane:
        yield plane


@pytest.fixture(scope="module")
def before(bare: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What is said before anything is installed; and then it is."""
    clinic = Clinic(bare, tmp_path_factory.mktemp("home"))
    said = {"pre": clinic.doctor("--pre"), "usual": clinic.doctor()}
    clinic.install()
    return said


@pytest.fixture
def clinic(bare: ControlPlane, before: dict[str, Any], tmp_path: Path) -> Clinic:
    """The product is installed and well."""
    return Clinic(bare, tmp_path)


# ---------------------------------------------------------------- before an installation


def test_an_empty_cluster_is_ready_for_an_installation(before: dict[str, Any]) -> None:
    said = before["pre"]
    assert (said.code, "✗" in said.out) == (0, False), said.out
    assert "you may make everything" in said.line("install-rights")


def test_what_was_never_installed_is_missed(before: dict[str, Any]) -> None:
    said = before["usual"]
    assert said.code == 1
    said.require("kinds", f"knows no {REGISTRIES}", "operator install")
    said.require("operator", "no operator is installed", "operator install")
    assert 'as "operator" failed' in said.line("leader")


def test_what_is_in_the_way_of_an_installation_is_told(clinic: Clinic) -> None:
    owner = {
        "meta.helm.sh/release-name": "other",
        "meta.helm.sh/release-namespace": "elsewhere",
    }
    with (
        clinic.changed("crd", REGISTRIES, lambda crd: _annotate(crd, owner)),
        clinic.having(ill.quota("tight", "default", pods="0")),
    ):
        said = clinic.doctor("--pre", "-n", "default")
    assert said.code == 1
    said.require("foreign-kinds", "elsewhere/other", "crds.enabled=false")
    said.require("room", "tight", """patch resourcequota tight --type=merge""")
    said.require("already", f"in {SYSTEM} already", "operator upgrade")
    jane = clinic.doctor("--pre", kubeconfig=clinic.plane.user("jane"))
    jane.require("install-rights", '"jane" may not', "clusterrolebinding")


def _annotate(obj: Json, annotations: dict[str, str]) -> None:
    obj["metadata"].setdefault("annotations", {}).update(annotations)


# ---------------------------------------------------------------- a cluster that is well


def test_a_healthy_cluster_has_nothing_to_mend_and_is_only_asked(clinic: Clinic) -> None:
    with meddling(clinic.plane) as there:
        kubeconfig = clinic.kubeconfig("plain", cluster={"server": there.url}, user={})
        said = clinic.doctor(kubeconfig=kubeconfig)
    assert (said.code, "✗" in said.out) == (0, False), said.out
    assert "operator-1 leads" in said.line("leader")
    posted = {path for method, path in there.asked if method != "GET"}
    assert all(path.endswith("reviews") for path in posted)


def test_it_answers_programs_and_as_a_plugin(clinic: Clinic) -> None:
    clinic.lease_of("gone", "2026-01-01T00:00:00.000000Z")
    said = clinic.doctor("-o", "json")
    clinic.lease_of("operator-1")
    found = json.loads(said.out)
    assert (said.code, found["kind"], found["exitCode"]) == (1, "FindingList", 1)
    assert found["counts"]["failed"] == 1
    assert found["place"] == f'context "test" of {clinic.plane.kubeconfig}'
    (failed,) = [each for each in found["items"] if each["outcome"] == "failed"]
    assert failed["check"] == "leader"
    assert failed["docs"] == "docs/how-to/troubleshoot.md#leader"
    assert "rollout restart" in failed["fix"]


# ---------------------------------------------------------------- what is installed


def _drop_field(crd: Json) -> None:
    fields = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    del fields["status"]["properties"]["previousSnapshot"]


def _add_field(crd: Json) -> None:
    spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    spec["properties"]["tomorrow"] = {"type": "string"}


def _drop_rules(role: Json) -> None:
    role["rules"] = [rule for rule in role["rules"] if "deployments" not in rule["resources"]]


def _other_operator(policy: Json) -> None:
    (variable,) = (each for each in policy["spec"]["variables"] if each["name"] == "isOperator")
    variable["expression"] = "request.userInfo.username == 'somebody'"


def test_what_somebody_changed_is_found_and_mended_by_the_command_that_is_named(
    clinic: Clinic,
) -> None:
    for kind, name, change in (
        ("crd", REGISTRIES, _drop_field),
        ("clusterrole", OPERATOR, _drop_rules),
        ("validatingadmissionpolicy", POLICY, _other_operator),
    ):
        clinic.change(kind, name, change)
    with clinic.having(ill.foreign_kind("v9"), ill.dns_service()):
        said = clinic.doctor()
    assert said.code == 1
    said.require("kinds", "is older", "operator upgrade")
    said.require("operator-rights", "lacks 6 rights", "operator upgrade")
    said.require("admission", "are not those of this operator", "operator upgrade")
    said.require("optional-kinds", "is served as v9", "toolhive-operator-crds")
    said.require("dns", "no pod answers", "rollout restart deployment/coredns")
    clinic.mend(said.line("kinds"), " --no-wait")  # for pods, of which none runs here
    said = clinic.doctor()
    assert said.code == 0, said.out


def test_what_somebody_removed_is_missed_and_a_newer_kind_is_told_from_an_older_one(
    clinic: Clinic,
) -> None:
    with (
        clinic.without("validatingadmissionpolicy", POLICY),
        clinic.without("networkpolicy", OPERATOR, "-n", SYSTEM),
        clinic.having(ill.closed_network(SYSTEM)),
        clinic.changed("crd", REGISTRIES, _add_field),
    ):
        said = clinic.doctor()
    assert said.code == 1
    said.require("kinds", "is newer", "--upgrade")
    said.require("admission", f"are missing: {POLICY}", "operator upgrade")
    said.require("network", "lets the operator out: nothing", "patch networkpolicy nothing")


# ---------------------------------------------------------------- the operator


def test_an_image_that_cannot_be_pulled_is_named(clinic: Clinic) -> None:
    clinic.pod_is(ready=False, waiting="ErrImagePull")
    said = clinic.doctor()
    clinic.pod_is(ready=True)
    assert said.code == 1
    said.require("operator", 'image "toolhive-registry:x" cannot be pulled', "--image HOST/")
    assert 'as "operator" failed' in said.line("leader")


def test_an_operator_without_pods_and_without_a_lease_is_found(clinic: Clinic) -> None:
    clinic.kubectl("-n", SYSTEM, "delete", "lease", OPERATOR)
    said = clinic.doctor()
    clinic.lease_of("operator-1")
    said.require("leader", "no process of the operator holds its lease", "rollout restart")
    clinic.kubectl("-n", SYSTEM, "scale", f"deployment/{OPERATOR}", "--replicas=0")
    said = clinic.doctor()
    said.require("operator", "scaled to 0", "--replicas=1")
    clinic.mend(said.line("operator"))
    clinic.kubectl("-n", SYSTEM, "wait", "--for=create", "pods", "-l", ill.POD, "--timeout=60s")
    clinic.pod_is(ready=True)


# ---------------------------------------------------------------- registries


def test_registries_in_trouble_are_told_with_what_each_of_them_needs(clinic: Clinic) -> None:
    url, secret = "https://corp.example/servers.json", {"name": "pass"}
    with ExitStack() as stack:
        for name, source, conditions in (
            ("down", _url(url), {"SourceAvailable": ("SourceUnreachable", "connection refused")}),
            (
                "nameless",
                _url("https://nowhere.example/x.json"),
                {
                    "SourceAvailable": (
                        "SourceUnreachable",
                        "the name nowhere.example has no address",
                    )
                },
            ),
            (
                "closed",
                _url(url, authSecret=secret),
                {"SourceAvailable": ("SecretNotFound", 'there is no secret "pass"')},
            ),
            (
                "cramped",
                _url(url),
                {
                    "APIReady": ("QuotaExceeded", "exceeded quota: tight"),
                    "Ready": ("APINotReady", ""),
                },
            ),
        ):
            stack.enter_context(clinic.registry(name, source, **conditions))
        stack.enter_context(clinic.having(ill.quota("tight", "default", pods="0")))
        stack.enter_context(clinic.having(ill.limit_range("small", "default", memory="32Mi")))
        said = clinic.doctor()
        clinic.mend(said.line("room", "quota"))
        assert "edit limitrange" in clinic.doctor().line("room")
    assert said.code == 1
    said.require("registries", "default/down: SourceUnreachable", f"curl -sSIL {url}")
    said.require("registries", "default/nameless", "thv registry sync nameless -n default")
    said.require("registries", "default/closed: SecretNotFound", "thv secret create pass")
    said.require("registries", "default/cramped: QuotaExceeded", "describe resourcequota")
    said.require("dns", "default/nameless", "logs deployment/coredns")
    said.require("room", 'quota "tight"', '{"spec":{"hard":{"pods":"1"}}}')
    said.require("room", 'LimitRange "small"', "edit limitrange small")


def _url(url: str, **more: Json) -> Json:
    return {"type": "url", "url": {"url": url, **more}}


def test_what_a_real_operator_says_of_its_registries_is_understood(
    there: Cli, place: Place
) -> None:
    """The same program, in this process, on a cluster whose operator works."""
    for name, source, reason in (
        ("nameless", _url("https://nowhere.invalid/x.json"), "SourceUnreachable"),
        ("private", _url("https://127.0.0.1:1/x.json"), "AddressDenied"),
        ("closed", _url("https://corp.example/x.json", authSecret={"name": "pass"}), "Secret"),
        ("absent", {"type": "configmap", "configMap": {"name": "nothing"}}, "NotFound"),
    ):
        spec, metadata = {"source": source}, {"name": name, "namespace": place.namespace}
        head = {"apiVersion": "toolhive.stacklok.io/v1alpha1", "kind": "MCPRegistry"}
        place.apply({**head, "metadata": metadata, "spec": spec})
        place.wait("condition=SourceAvailable=False", f"mcpreg/{name}", seconds=60)
        ran = there("doctor --timeout 100s")
        said = Report(ran.code, ran.out, ran.err)
        line = said.line("registries", f"{place.namespace}/{name}: {reason}")
        assert line.startswith("✗")
        assert "Try: " in line
    for check in ("operator", "leader", "operator-rights", "admission", "network", "kinds"):
        assert said.line(check).startswith("✔")
    assert said.line("dns").startswith("✗")


# ---------------------------------------------------------------- the way to the cluster


def test_a_user_without_rights_learns_which_are_missing(clinic: Clinic) -> None:
    said = clinic.doctor(kubeconfig=clinic.plane.user("jane"))
    assert said.code == 1
    said.require(
        "rights", '"jane" may not list mcpregistries', "--clusterrole=toolhive-registry-user"
    )
    said.require("rights", '"jane" may not get configmaps', "--clusterrole=view --user=jane")
    assert "you cannot get resource" in said.line("operator")
    clinic.mend(said.line("rights", "list mcpregistries"))
    clinic.mend(said.line("rights", "get configmaps"))
    said = clinic.doctor(kubeconfig=clinic.plane.user("jane"))
    assert said.code == 0
    assert said.line("rights").startswith("!")


def test_a_credential_that_is_over_is_told_from_one_that_is_wrong(clinic: Clinic) -> None:
    for name, user, words, fix in (
        ("token", {"token": ill.expired_token()}, "ended at 2023-11-14", "--token=TOKEN"),
        ("wrong", {"token": "nonsense"}, "is refused", "--token=TOKEN"),
        ("certificate", _expired(clinic), "ended at", "--client-certificate=FILE"),
        ("plugin", _plugin("false"), "ended with 1", "false --now"),
        ("no-plugin", _plugin("no-such-plugin"), "cannot run", "no-such-plugin --now"),
    ):
        said = clinic.doctor(kubeconfig=clinic.kubeconfig(name, user=user))
        assert said.code == 1, name
        said.require("credentials", words, fix)
        assert 'as "credentials" failed' in said.line("kinds")


def _plugin(command: str) -> Json:
    version = "client.authentication.k8s.io/v1"
    said = {"apiVersion": version, "command": command, "args": ["--now"]}
    return {"exec": {**said, "interactiveMode": "Never"}}


def _expired(clinic: Clinic) -> Json:
    """A client certificate of the cluster's own authority that ended yesterday."""
    authority = clinic.plane.authority.files
    key, request, made = (clinic.home / f"old.{ending}" for ending in ("key", "csr", "crt"))
    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    _openssl("req", *new, "-subj", "/CN=jane", "-keyout", str(key), "-out", str(request))
    _openssl(
        *("x509", "-req", "-in", str(request), "-days", "-1", "-out", str(made)),
        *("-CA", str(authority.certificate), "-CAkey", str(authority.key)),
    )
    return {"client-certificate": str(made), "client-key": str(key)}


def _openssl(*words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)


def test_a_kubeconfig_that_leads_nowhere_ends_with_10(clinic: Clinic) -> None:
    nowhere = clinic.home / "absent.kubeconfig"
    text = clinic.home / "text.kubeconfig"
    text.write_text("apiVersion: [")
    aimless = clinic.kubeconfig("aimless")
    aimless.write_text(json.dumps({**json.loads(aimless.read_text()), "current-context": ""}))
    for path, words, fix in (
        (nowhere, "does not exist", "export KUBECONFIG=FILE"),
        (text, "cannot read kubeconfig", "kubectl config view"),
        (aimless, "no context is current", f"use-context --kubeconfig {aimless} test"),
    ):
        said = clinic.doctor(kubeconfig=path)
        assert said.code == 10
        said.require("kubeconfig", words, fix)
        assert said.out.count('as "kubeconfig" failed') > 10


def test_a_cluster_that_is_not_there_ends_with_10_and_nothing_hangs(clinic: Clinic) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        silence, refusal = (f"https://127.0.0.1:{each.getsockname()[1]}" for each in (silent, free))
        stranger = {"certificate-authority": str(_stranger(clinic))}
        for name, cluster, check, words, fix in (
            (
                "nameless",
                {"server": f"https://{'k' * 64}"},
                "address",
                "no address",
                "set-cluster test",
            ),
            ("refused", {"server": refusal}, "reachable", "refused", "cluster-info"),
            ("silent", {"server": silence}, "reachable", "in time", "cluster-info"),
            ("stranger", stranger, "reachable", "not valid", "--certificate-authority=FILE"),
        ):
            seconds = ("--timeout", "5s") if name == "silent" else ()
            said = clinic.doctor(*seconds, kubeconfig=clinic.kubeconfig(name, cluster=cluster))
            assert said.code == 10, name
            said.require(check, words, fix)


def _stranger(clinic: Clinic) -> Path:
    """An authority that signed nothing here."""
    made = clinic.home / "stranger.crt"
    _openssl(
        *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
        *("-subj", "/CN=stranger", "-keyout", str(clinic.home / "stranger.key"), "-out", str(made)),
    )
    return made


def test_an_old_cluster_and_a_wrong_clock_are_found(clinic: Clinic) -> None:
    yesterday = "Mon, 05 Jan 2026 10:00:00 GMT"
    with meddling(clinic.plane, version="v1.29.4", date=yesterday) as there:
        kubeconfig = clinic.kubeconfig("old", cluster={"server": there.url}, user={})
        said = clinic.doctor(kubeconfig=kubeconfig)
    assert said.code == 1
    said.require("version", "v1.29.4 is older than 1.32", "1.32")
    said.require("clock", "ahead of the cluster", "timedatectl")

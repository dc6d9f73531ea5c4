"""Verdicts on a cluster over plain values; the faults themselves are made in `tests/apps/cli/cluster/test_doctor.py`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from tests.apps.cli.test_examples import require_parsed
from thv.apps.cli.doctor import before, content, installed, reach, room
from thv.apps.cli.doctor.content import Keeper, Names, Seen, Trouble, seen_of
from thv.apps.cli.doctor.findings import Finding, Findings, Outcome
from thv.apps.cli.doctor.installed import Definition, Running
from thv.apps.cli.doctor.observer import actions, attributes
from thv.apps.cli.doctor.reach import Credentials
from thv.apps.cli.doctor.remedies import Remedies
from thv.apps.cli.doctor.room import Need, Space
from thv.domain.access import Action, Right
from thv.domain.canonical import JsonObject
from thv.formats.crd import registry_crd
from thv.formats.server_crd import server_crd, tool_config_crd

NOW = datetime(2026, 1, 1, tzinfo=UTC)
REMEDIES = Remedies()
FINE, NOTE, FAILED, SKIPPED = Outcome


def only(findings: Findings) -> Finding:
    (finding,) = findings
    assert bool(finding.fix) == (finding.outcome in (NOTE, FAILED))
    for command in re.split(r" && | {3}\(|, then | > ", finding.fix):
        if command.startswith("thv "):
            require_parsed(command)
    return finding


# ---------------------------------------------------------------- the way


@pytest.mark.parametrize(
    ("version", "outcome"),
    [
        ("v1.32.0", FINE),
        ("v1.36.3+k3s1", FINE),
        ("v2.0.0", FINE),
        ("v1.31.9-eks-1", FAILED),
        ("", FAILED),
    ],
)
def test_kubernetes_must_be_new_enough(version: str, outcome: Outcome) -> None:
    assert only(reach.judge_version(version)).outcome is outcome


@pytest.mark.parametrize(
    ("skew", "outcome"), [(0.4, FINE), (-4.9, FINE), (6.0, NOTE), (-31.0, FAILED), (9e9, FAILED)]
)
def test_two_clocks_may_differ_a_little(skew: float, outcome: Outcome) -> None:
    assert only(reach.judge_clock(skew)).outcome is outcome


def credentials(**more: Any) -> Credentials:
    return msgspec.structs.replace(
        Credentials(entry="jane", kind="certificate", now=NOW, user="jane"), **more
    )


@pytest.mark.parametrize(
    ("found", "outcome", "words"),
    [
        (credentials(), FINE, 'you are "jane"'),
        (credentials(ends=NOW + timedelta(days=2)), NOTE, "the certificate ends in 2d"),
        (
            credentials(ends=NOW - timedelta(days=1), refused="no"),
            FAILED,
            "ended at 2025-12-31 00:00",
        ),
        (
            credentials(begins=NOW + timedelta(days=1), refused="no"),
            FAILED,
            "from 2026-01-02 00:00",
        ),
        (credentials(kind="nothing", refused="no"), FAILED, "is missing"),
        (credentials(user="system:anonymous"), FAILED, "has no credential"),
        (credentials(kind="password", refused="no"), FAILED, "is refused"),
        (credentials(kind="command", command=("aws",), problem="it failed"), FAILED, "it failed"),
    ],
)
def test_a_credential_is_told_by_what_is_wrong_with_it(
    found: Credentials, outcome: Outcome, words: str
) -> None:
    finding = only(reach.judge_credentials(found))
    assert (finding.outcome, words in finding.message) == (outcome, True), finding.message


def test_an_unreadable_kubeconfig_is_told_from_one_without_the_context() -> None:
    there = reach.ConfigFile(path="/a b", contexts=("one",), current="one")
    for files, wanted, fix in (
        ((), "", "export KUBECONFIG=FILE"),
        (
            (msgspec.structs.replace(there, readable=False),),
            "",
            """sudo chown "$(id -un)" '/a b'""",
        ),
        (
            (msgspec.structs.replace(there, contexts=None),),
            "",
            "kubectl config view --kubeconfig '/a b'",
        ),
        ((there,), "two", "thv --context one doctor"),
        ((there,), "", "kubectl config view --minify"),
    ):
        found = reach.Kubeconfig(files=files, wanted=wanted, problem="no")
        assert only(reach.judge_kubeconfig(found, REMEDIES)).fix.startswith(fix)


def test_a_certificate_that_nobody_knows_is_told_from_one_that_ended() -> None:
    for problem, fix in (
        ("its certificate is not valid: self-signed", "kubectl config set-cluster CLUSTER"),
        ("its certificate is not valid: certificate has expired", "sudo kubeadm certs renew all"),
    ):
        found = reach.Connection(server="https://x", problem=problem, untrusted=True)
        assert only(reach.judge_connection(found, REMEDIES)).fix.startswith(fix)


def test_a_proxy_has_an_address_too() -> None:
    found = only(reach.judge_address(reach.Address(host="proxy", cluster="prod", proxy=True)))
    assert found.fix == "kubectl config set-cluster prod --proxy-url=URL"


# ---------------------------------------------------------------- kinds


def test_a_definition_is_compared_by_what_it_demands() -> None:
    ours = registry_crd()
    name = ours["metadata"]["name"]

    def judged(object_: JsonObject | None, served: tuple[str, ...] = ("v1alpha1",)) -> Finding:
        found = Definition(name=name, served=served, object=object_)
        return only(installed.judge_kind(found, ours, "mend", REMEDIES))

    assert judged(ours).outcome is FINE
    assert judged(None).outcome is FINE
    assert judged(None, ()).outcome is FAILED
    assert "as v9, not as v1alpha1" in judged(ours, ("v9",)).message
    status = {"conditions": [{"type": "NamesAccepted", "status": "False", "message": "taken"}]}
    assert "taken" in judged({**ours, "status": status}).message
    going = {"conditions": [{"type": "Terminating", "status": "True", "message": "is leaving"}]}
    assert "is leaving" in judged({**ours, "status": going}).message
    other = changed_rule(ours)
    assert "is of another version" in judged(other).message


def test_a_field_that_is_missing_is_named_without_what_is_in_it() -> None:
    ours = registry_crd()
    theirs: JsonObject = msgspec.json.decode(msgspec.json.encode(ours))
    fields = theirs["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    del fields["status"]["properties"]["previousSnapshot"]
    for one, other, words in ((theirs, ours, "is older"), (ours, theirs, "is newer")):
        found = Definition(name="kind", served=("v1alpha1",), object=one)
        finding = only(installed.judge_kind(found, other, "mend", REMEDIES))
        assert words in finding.message
        assert finding.message.endswith(" status.previousSnapshot")


def changed_rule(crd: JsonObject) -> JsonObject:
    """The definition with one rule that says something else."""
    copy: JsonObject = msgspec.json.decode(msgspec.json.encode(crd))
    spec = copy["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    spec["x-kubernetes-validations"][0]["rule"] = "true"
    spec["description"] = "other words do not count"
    return copy


def test_kinds_of_toolhive_may_be_absent_and_must_be_readable() -> None:
    expected = {crd["metadata"]["name"]: crd for crd in (server_crd(), tool_config_crd())}

    def judged(*served: str, group: str = "toolhive.stacklok.dev") -> Finding:
        found = Definition(name=f"mcpservers.{group}", served=served)
        return only(installed.judge_optional([found], expected, REMEDIES))

    assert judged().outcome is FINE
    assert judged("v1beta1").outcome is FINE
    assert judged("v2").outcome is FAILED
    ours = judged("v1beta1", group="toolhive.stacklok.io")
    assert "crds/optional" in ours.fix


# ---------------------------------------------------------------- the operator


def deployment(ready: int = 1, wanted: int = 1, **metadata: Any) -> JsonObject:
    named = {"name": "toolhive-registry-operator", "namespace": "here", **metadata}
    return {"metadata": named, "spec": {"replicas": wanted}, "status": {"readyReplicas": ready}}


def pod(state: JsonObject) -> JsonObject:
    return {"status": {"containerStatuses": [{"image": "x", "ready": False, **state}]}}


HELM: dict[str, Any] = {"annotations": {"meta.helm.sh/release-name": "mine"}}


@pytest.mark.parametrize(
    ("found", "outcome", "fix"),
    [
        (Running(deployments=(deployment(),)), FINE, ""),
        (Running(), FAILED, "thv operator install"),
        (
            Running(deployments=(deployment(), deployment(namespace="there"))),
            FAILED,
            "delete deployment",
        ),
        (Running(deployments=(deployment(wanted=0),)), FAILED, "scale deployment"),
        (Running(deployments=(deployment(ready=1, wanted=2),)), NOTE, "describe pods"),
        (
            Running(deployments=(deployment(labels={"app.kubernetes.io/version": "0.0.1"}),)),
            NOTE,
            "thv operator upgrade",
        ),
        (
            Running(
                deployments=(deployment(0, **HELM),),
                pods=(pod({"state": {"waiting": {"reason": "ImagePullBackOff"}}}),),
            ),
            FAILED,
            "helm upgrade mine",
        ),
        (
            Running(
                deployments=(deployment(0),),
                pods=(pod({"lastState": {"terminated": {"exitCode": 1}}}),),
            ),
            FAILED,
            "logs deployment/toolhive-registry-operator --previous",
        ),
        (Running(deployments=(deployment(0),)), FAILED, "describe replicasets"),
        (Running(deployments=(deployment(0),), pods=(pod({}),)), FAILED, "describe pods"),
    ],
)
def test_what_keeps_an_operator_has_its_own_command(
    found: Running, outcome: Outcome, fix: str
) -> None:
    finding = only(installed.judge_operator(found, REMEDIES))
    assert (finding.outcome, fix in finding.fix) == (outcome, True), finding


def test_a_lease_may_be_a_little_late() -> None:
    lease = installed.Lease(namespace="here", holder="a", renewed=NOW, seconds=10, now=NOW)
    for seconds, outcome in ((0, FINE), (25, FINE), (26, FAILED)):
        late = msgspec.structs.replace(lease, now=NOW + timedelta(seconds=seconds))
        assert only(installed.judge_leader(late, REMEDIES)).outcome is outcome


def test_rights_are_asked_one_by_one_and_where_they_count() -> None:
    rights = (
        Right(verbs=("get", "list"), resources=("mcpregistries/status",)),
        Right(verbs=("get",), resources=("clusterrolebindings",), groups=("rbac",), names=("a",)),
    )
    found = actions(rights, "here")
    assert [(each.verb, each.namespace, each.name) for each in found] == [
        ("get", "here", ""),
        ("list", "here", ""),
        ("get", "", "a"),
    ]
    assert attributes(found[0]) == {
        "verb": "get",
        "group": "toolhive.stacklok.io",
        "resource": "mcpregistries",
        "subresource": "status",
        "namespace": "here",
    }


def test_rights_that_are_missing_are_named_up_to_three() -> None:
    missing = tuple(Action(verb="get", resource=name, group="") for name in "abcde")
    found = installed.Granted(asked=9, missing=missing)
    finding = only(installed.judge_granted(found, deployment(), REMEDIES))
    assert finding.message == "the operator lacks 5 rights: get a, get b, get c and 2 more"


def policy(
    name: str, *rules: JsonObject, types: tuple[str, ...] = ("Egress",), **labels: str
) -> JsonObject:
    selector = {"matchLabels": labels} if labels else {}
    spec = {"podSelector": selector, "policyTypes": list(types), "egress": list(rules)}
    return {"metadata": {"name": name}, "spec": spec}


@pytest.mark.parametrize(
    ("policies", "outcome"),
    [
        ((), FINE),
        ((policy("closed"),), FAILED),
        ((policy("closed"), policy("open", {}, app="operator")), FINE),
        ((policy("closed"), policy("open", {}, app="other")), FAILED),
        ((policy("in", types=("Ingress",)),), FINE),
    ],
)
def test_one_open_policy_is_enough(policies: tuple[JsonObject, ...], outcome: Outcome) -> None:
    found = installed.judge_network(policies, {"app": "operator"}, REMEDIES, "here")
    assert only(found).outcome is outcome


# ---------------------------------------------------------------- room


NEED = Need(requests={"cpu": "50m", "memory": "64Mi"}, limits={"memory": "128Mi"})


def quota(used: dict[str, str] | None = None, **hard: str) -> JsonObject:
    return {
        "metadata": {"name": "q"},
        "spec": {"hard": {key.replace("_", "."): value for key, value in hard.items()}},
        "status": {"used": used or {}},
    }


def space(*quotas: JsonObject, limits: tuple[JsonObject, ...] = (), waits: bool = True) -> Space:
    metadata = {"metadata": {"name": "here"}}
    ranges = ({"metadata": {"name": "l"}, "spec": {"limits": list(limits)}},) if limits else ()
    return Space(object=metadata, quotas=quotas, limit_ranges=ranges, waits=waits)


@pytest.mark.parametrize(
    ("found", "outcome", "fix"),
    [
        (space(), FINE, ""),
        (space(quota({"pods": "4"}, pods="5")), FINE, ""),
        (space(quota({"pods": "5"}, pods="5")), FAILED, '{"spec":{"hard":{"pods":"6"}}}'),
        (space(quota({"pods": "5"}, pods="5"), waits=False), NOTE, "patch resourcequota q"),
        (space(quota({"requests.cpu": "980m"}, requests_cpu="1")), FAILED, '"1030m"'),
        (space(quota({"cpu": "900m"}, cpu="1")), FINE, ""),
        (space(quota({"limits.memory": "1Gi"}, limits_memory="1Gi")), FAILED, '"1207959552"'),
        (space(quota(secrets="0")), FINE, ""),
        (space(quota(limits_cpu="4")), FAILED, "a default for limits.cpu"),
        (
            space(quota(limits_cpu="4"), limits=({"type": "Container", "default": {"cpu": "1"}},)),
            FINE,
            "",
        ),
        (
            space(limits=({"type": "Container", "max": {"memory": "64Mi"}},)),
            FAILED,
            "edit limitrange l",
        ),
        (space(limits=({"type": "Pod", "min": {"cpu": "100m"}},)), FAILED, "edit limitrange l"),
        (space(limits=({"type": "PersistentVolumeClaim", "min": {"cpu": "9"}},)), FINE, ""),
        (space({**quota({"pods": "5"}, pods="5"), "spec": {"scopes": ["BestEffort"]}}), FINE, ""),
    ],
)
def test_room_is_arithmetic(found: Space, outcome: Outcome, fix: str) -> None:
    finding = only(room.judge_room("room", found, NEED, REMEDIES))
    assert (finding.outcome, fix in finding.fix) == (outcome, True), finding


def test_a_namespace_that_goes_has_no_room() -> None:
    going = {"metadata": {"name": "here"}, "status": {"phase": "Terminating"}}
    found = room.judge_room("room", Space(object=going), NEED, REMEDIES)
    assert only(found).outcome is FAILED


# ---------------------------------------------------------------- registries


def registry(
    *conditions: tuple[str, str, str], message: str = "because", **source: Any
) -> JsonObject:
    block = source or {"url": "https://corp.example/x.json"}
    said = [
        {"type": kind, "status": status, "reason": reason, "message": message}
        for kind, status, reason in conditions
    ]
    return {
        "metadata": {"name": "corp", "namespace": "team"},
        "spec": {"source": {"type": "url", "url": block}},
        "status": {"conditions": said},
    }


@pytest.mark.parametrize(
    ("obj", "trouble"),
    [
        (registry(("Ready", "True", "Succeeded")), None),
        (
            registry(
                ("Ready", "True", "ServingLastGood"), ("SourceAvailable", "False", "NotFound")
            ),
            Trouble(reason="NotFound", message="because"),
        ),
        (
            registry(("Ready", "False", "Invalid"), ("Stalled", "True", "RegistryCycle")),
            Trouble(reason="RegistryCycle", message="because"),
        ),
        (
            registry(("Ready", "False", "APINotReady"), ("APIReady", "False", "Deploying")),
            Trouble(reason="Deploying", message="because", waits=True),
        ),
        (
            registry(),
            Trouble(reason="Progressing", message="nobody has looked at it yet", waits=True),
        ),
        (registry(("SyncSucceeded", "Unknown", "Suspended"), ("Ready", "True", "Succeeded")), None),
    ],
)
def test_a_registry_is_in_trouble_by_its_worst_condition(
    obj: JsonObject, trouble: Trouble | None
) -> None:
    assert seen_of(obj).trouble == trouble


def test_what_is_needed_of_a_registry_is_read_from_its_source() -> None:
    obj = registry(
        ("SourceAvailable", "False", "SourceUnreachable"),
        message="the name corp.example has no address",
        url="https://corp.example/x.json",
        authSecret={"name": "pass"},
    )
    seen = seen_of(obj)
    assert (seen.url, seen.secret, seen.nameless) == ("https://corp.example/x.json", "pass", True)
    assert (seen.host, seen.config_map) == ("corp.example:443", ("", ""))
    broken = seen_of({"metadata": {"name": "corp", "namespace": "team"}, "spec": {"source": 7}})
    assert broken.trouble is not None
    assert broken.trouble.reason == "Invalid"


def ill(reason: str, **more: Any) -> Seen:
    return Seen(namespace="team", name="corp", trouble=Trouble(reason=reason, message="m"), **more)


@pytest.mark.parametrize(
    ("seen", "on_cluster", "fix"),
    [
        (
            ill("SourceUnreachable", url="https://x.example/a;b"),
            True,
            "curl -sSIL 'https://x.example/a;b' && thv registry sync corp -n team",
        ),
        (ill("SourceUnreachable"), False, "thv registry sync corp -n team"),
        (ill("SecretNotFound", secret="pass"), True, "thv secret create pass --from-stdin -n team"),
        (ill("SecretForbidden"), True, "kubectl -n team create rolebinding source-reader"),
        (ill("ToolMissing"), False, "sudo apt-get install git"),
        (
            ill("NotFound", config_map=("m", "k")),
            True,
            "kubectl -n team create configmap m --from-file=k",
        ),
        (ill("AddressDenied", host="h:1"), True, "thv operator install"),
        (ill("AddressDenied", host="h:1"), False, "thv config set allow h:1"),
        (ill("AddressDenied"), True, "kubectl -n team edit mcpreg corp"),
        (ill("FormatInvalid"), True, "kubectl -n team edit mcpreg corp"),
        (ill("FormatInvalid"), False, "thv get mcpregistry corp -o yaml -n team > FILE"),
    ],
)
def test_each_reason_has_its_command(seen: Seen, on_cluster: bool, fix: str) -> None:
    found = content.judge_registries([seen], REMEDIES, Keeper(on_cluster=on_cluster))
    assert only(found).fix.startswith(fix)


def test_a_registry_that_nobody_looks_after_is_told_so() -> None:
    container = {"env": [{"name": "THV_NAMESPACES", "value": "a,b"}]}
    operator = deployment() | {"spec": {"template": {"spec": {"containers": [container]}}}}
    watched = installed.watched_by(operator)
    assert watched == ("a", "b")
    keeper = Keeper(on_cluster=True, operator=operator, watched=watched)
    finding = only(content.judge_registries([ill("Progressing")], REMEDIES, keeper))
    assert finding.message == "team/corp: the operator looks after a, b alone"
    more = "--watch-namespace a --watch-namespace b --watch-namespace team"
    assert finding.fix == f"thv operator upgrade --force-conflicts {more}"


def test_many_registries_in_trouble_are_counted() -> None:
    found = content.judge_registries([ill("Empty")] * 23, REMEDIES, Keeper(on_cluster=True))
    assert len(found) == content.SHOWN + 1
    assert found[-1].message == "3 more registries in trouble"


@pytest.mark.parametrize(
    ("names", "outcome"),
    [
        (Names(), FINE),
        (Names(service=True, endpoints=2), FINE),
        (Names(service=True), FAILED),
        (Names(nameless=("team/corp",)), FAILED),
    ],
)
def test_names_are_judged_from_outside(names: Names, outcome: Outcome) -> None:
    assert only(content.judge_names(names, REMEDIES)).outcome is outcome


# ---------------------------------------------------------------- before


def test_what_is_there_already_may_be_in_the_way() -> None:
    def judged(ours: JsonObject | None, *theirs: str) -> Findings:
        return before.judge_foreign_kinds(ours, theirs, "here", REMEDIES)

    def owned(release: str, namespace: str) -> JsonObject:
        notes = {
            "meta.helm.sh/release-name": release,
            "meta.helm.sh/release-namespace": namespace,
        }
        return {"metadata": {"annotations": notes}}

    assert only(judged(None)).outcome is FINE
    assert only(judged(owned("toolhive-registry", "here"))).outcome is FINE
    assert only(judged(owned("toolhive-registry", "there"))).outcome is FAILED
    assert "--take-ownership" in only(judged({"metadata": {}})).fix
    assert only(judged(None, "mcpregistries.toolhive.stacklok.dev")).outcome is NOTE
    assert only(before.judge_already([], "here", REMEDIES)).outcome is FINE
    assert only(before.judge_already([deployment()], "here", REMEDIES)).outcome is NOTE
    assert only(before.judge_already([deployment()], "there", REMEDIES)).outcome is FAILED

"""What is installed may do no more than it must, whatever was chosen."""

from __future__ import annotations

from typing import Any

import pytest

from thv.domain.canonical import JsonObject
from thv.domain.roles import (
    ADMIN_ROLE,
    API_AUTH_ROLE,
    CLUSTER_ROLES,
    DEPLOYER_ROLE,
    LEADER_ROLE,
    OPERATOR_ROLE,
    SOURCE_READER_ROLE,
    USER_ROLE,
    Role,
    source_reader,
)
from thv.formats.install import Installation, render
from thv.formats.roles import cluster_role, namespaced_role

pytestmark = pytest.mark.requirement("OPS-01", "OPS-02")

_ALL = (*CLUSTER_ROLES, LEADER_ROLE)


def _kinds(objects: list[JsonObject], kind: str) -> list[JsonObject]:
    return [obj for obj in objects if obj["kind"] == kind]


SCOPES = (
    Installation(),
    Installation(scope="namespace"),
    Installation(scope="namespace", namespaces=("one", "two"), replicas=2),
    Installation(namespaces=("one",)),
)
"""Ways in which the rights of the operator are cut."""


def _only(kind: str) -> JsonObject:
    (found,) = _kinds(render(), kind)
    return found


@pytest.mark.parametrize("role", _ALL, ids=lambda role: role.name)
def test_no_role_holds_a_wildcard_or_a_power_over_roles(role: Role) -> None:
    for right in role.rights:
        words = {*right.verbs, *right.resources, *right.groups, *right.names}
        assert not any("*" in word for word in words), right
        assert not words & {"escalate", "bind", "impersonate", "users", "serviceaccounts/token"}


@pytest.mark.parametrize("chosen", SCOPES)
def test_what_is_rendered_of_a_choice_holds_no_more_than_the_roles_do(
    chosen: Installation,
) -> None:
    known = {word for role in _ALL for right in role.rights for word in right.resources}
    found = [obj for obj in render(chosen) if obj["kind"] in ("Role", "ClusterRole")]
    assert found
    for obj in found:
        for rule in obj["rules"]:
            assert "*" not in str(rule), obj["metadata"]["name"]
            assert not set(rule["verbs"]) & {"escalate", "bind", "impersonate"}
            assert set(rule["resources"]) <= known
            is_reader = obj["metadata"]["name"] == SOURCE_READER_ROLE.name
            assert is_reader or "secrets" not in rule["resources"]


@pytest.mark.parametrize("role", _ALL, ids=lambda role: role.name)
def test_no_role_but_one_reads_secrets_and_none_enters_pods(role: Role) -> None:
    resources = {resource for right in role.rights for resource in right.resources}
    assert not resources & {"pods/exec", "pods/attach", "pods/proxy", "nodes"}
    assert ("secrets" in resources) is (role is SOURCE_READER_ROLE)


def test_the_role_that_reads_secrets_is_bound_to_nobody() -> None:
    bindings = [obj for obj in render() if obj["kind"].endswith("Binding") and "roleRef" in obj]
    assert len(bindings) == 3
    assert SOURCE_READER_ROLE.name not in {obj["roleRef"]["name"] for obj in bindings}


def test_the_operator_writes_no_spec_of_ours_and_no_server() -> None:
    written = {
        (resource, verb)
        for right in OPERATOR_ROLE.rights
        for resource in right.resources
        for verb in set(right.verbs) - {"get", "list", "watch"}
        if resource.startswith("mcp")
    }
    # Deleted is what somebody began to generate and did not complete.
    assert written == {
        ("mcpregistries/status", "patch"),
        ("mcpregistries", "delete"),
        ("mcptoolconfigs", "delete"),
    }


def test_roles_of_people_build_on_each_other() -> None:
    assert set(USER_ROLE.rights) < set(DEPLOYER_ROLE.rights) < set(ADMIN_ROLE.rights)
    labels = [cluster_role(role)["metadata"]["labels"] for role in (USER_ROLE, DEPLOYER_ROLE)]
    assert labels[0]["rbac.authorization.k8s.io/aggregate-to-view"] == "true"
    assert labels[1]["rbac.authorization.k8s.io/aggregate-to-edit"] == "true"
    admin = cluster_role(ADMIN_ROLE)["metadata"]["labels"]
    assert not any("aggregate" in label for label in admin)


def test_pods_of_apis_may_only_ask_who_somebody_is() -> None:
    assert cluster_role(API_AUTH_ROLE)["rules"] == [
        {
            "apiGroups": ["authentication.k8s.io"],
            "resources": ["tokenreviews"],
            "verbs": ["create"],
        },
        {
            "apiGroups": ["authorization.k8s.io"],
            "resources": ["subjectaccessreviews"],
            "verbs": ["create"],
        },
    ]


def test_an_owner_of_a_namespace_lets_secrets_be_read_one_by_one() -> None:
    assert namespaced_role(source_reader("git-read"), "team")["rules"] == [
        {
            "apiGroups": [""],
            "resources": ["secrets"],
            "resourceNames": ["git-read"],
            "verbs": ["get"],
        }
    ]


def test_the_binding_of_api_pods_names_nobody_so_that_applying_it_again_takes_nobody_away() -> None:
    bindings = {obj["metadata"]["name"]: obj for obj in _kinds(render(), "ClusterRoleBinding")}
    assert "subjects" not in bindings["toolhive-registry-api-auth"]
    assert bindings["toolhive-registry-operator"]["subjects"] == [
        {
            "kind": "ServiceAccount",
            "name": "toolhive-registry-operator",
            "namespace": "toolhive-system",
        }
    ]


def test_the_pod_is_locked_down() -> None:
    pod = _only("Deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 65532
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert all(set(volume) == {"name", "emptyDir"} for volume in pod["volumes"])
    namespace = _only("Namespace")["metadata"]["labels"]
    assert namespace["pod-security.kubernetes.io/enforce"] == "restricted"


def test_the_operator_is_kept_from_what_a_machine_tells_about_itself() -> None:
    _, anywhere = _only("NetworkPolicy")["spec"]["egress"]
    blocks: list[Any] = [peer["ipBlock"] for peer in anywhere["to"]]
    assert {"cidr": "0.0.0.0/0", "except": ["169.254.0.0/16"]} in blocks


def test_another_namespace_and_image_reach_every_object() -> None:
    objects = render(Installation(namespace="mcp", image="registry.corp.example/thv:2"))
    text = str(objects)
    assert "toolhive-system" not in text
    assert "system:serviceaccount:mcp:toolhive-registry-operator" in text
    (deployment,) = _kinds(objects, "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "registry.corp.example/thv:2"
    assert {"name": "THV_IMAGE", "value": "registry.corp.example/thv:2"} in container["env"]


def test_the_user_name_of_the_operator_is_filled_in_everywhere() -> None:
    assert "$OP" not in str(render())


def test_a_chart_can_fill_in_its_own_words() -> None:
    text = str(render(Installation(namespace="{{ .Release.Namespace }}")))
    assert "system:serviceaccount:{{ .Release.Namespace }}:toolhive-registry-operator" in text

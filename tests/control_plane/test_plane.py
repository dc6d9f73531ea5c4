"""What tests may rely on: the control plane is the real one, and answers as its callers are."""

from __future__ import annotations

import pytest

from tests.control_plane.plane import ControlPlane

pytestmark = pytest.mark.e2e


def test_a_person_without_rights_is_refused_until_a_role_is_bound(
    control_plane: ControlPlane, namespace: str
) -> None:
    person = control_plane.user("ann", ["team"])
    asked = ("auth", "can-i", "get", "pods", "-n", namespace)
    assert control_plane.kubectl(*asked, kubeconfig=person).stdout == "no\n"
    bind = f"create rolebinding look -n {namespace} --clusterrole view --group team"
    assert control_plane.kubectl(*bind.split()).returncode == 0
    assert control_plane.kubectl(*asked, kubeconfig=person).stdout == "yes\n"


def test_a_service_account_is_who_its_token_says(
    control_plane: ControlPlane, namespace: str
) -> None:
    caller = control_plane.service_account(namespace, "default")
    said = control_plane.kubectl("auth", "whoami", "-o", "json", kubeconfig=caller).stdout
    assert f"system:serviceaccount:{namespace}:default" in said


def test_a_token_for_another_audience_opens_nothing(
    control_plane: ControlPlane, namespace: str
) -> None:
    caller = control_plane.service_account(namespace, "default", audiences=["elsewhere"])
    done = control_plane.kubectl("get", "pods", "-n", namespace, kubeconfig=caller)
    assert "Unauthorized" in done.stderr


def test_pods_of_a_restricted_namespace_are_held_to_it(
    control_plane: ControlPlane, namespace: str
) -> None:
    label = "pod-security.kubernetes.io/enforce=restricted"
    control_plane.kubectl("label", "namespace", namespace, label)
    done = control_plane.kubectl("run", "x", "--image", "x", "-n", namespace)
    assert "violates PodSecurity" in done.stderr


def test_what_an_owner_leaves_behind_is_collected(
    control_plane: ControlPlane, namespace: str
) -> None:
    made = control_plane.kubectl("create", "deployment", "x", "--image", "x", "-n", namespace)
    assert made.returncode == 0, made.stderr
    wait = ("wait", "--timeout=30s", "-n", namespace)
    found = control_plane.kubectl(*wait, "--for=create", "pod", "-l", "app=x")
    assert found.returncode == 0, found.stderr
    control_plane.kubectl("delete", "deployment", "x", "-n", namespace)
    done = control_plane.kubectl(*wait, "--for=delete", "replicaset", "-l", "app=x")
    assert done.returncode == 0, done.stderr


def test_the_api_server_goes_away_and_comes_back(
    control_plane: ControlPlane, namespace: str
) -> None:
    control_plane.kubectl("create", "configmap", "x", "-n", namespace)
    control_plane.stop_api()
    try:
        away = control_plane.kubectl("get", "configmap", "x", "-n", namespace)
    finally:
        control_plane.start_api()
    back = control_plane.kubectl("get", "configmap", "x", "-n", namespace, "-o", "name")
    assert "refused" in away.stderr
    assert back.stdout == "configmap/x\n"
    assert "system priority classes" in control_plane.log("kube-apiserver")


def test_a_paused_api_server_answers_late_but_loses_nothing(
    control_plane: ControlPlane, namespace: str
) -> None:
    control_plane.pause("kube-apiserver")
    try:
        late = control_plane.kubectl("get", "namespace", namespace, "--request-timeout=1s")
    finally:
        control_plane.resume("kube-apiserver")
    assert late.returncode != 0
    assert control_plane.kubectl("get", "namespace", namespace).returncode == 0

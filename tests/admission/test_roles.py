"""The shipped roles on a real API server: what they allow, and that the operator can give what it holds."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncIterator

import msgspec
import pytest

from tests.admission.cluster import Said, ask
from tests.contracts.cluster import a_client
from tests.control_plane.plane import ControlPlane
from thv.clients.kube.client import KubeClient
from thv.clients.kube.config import from_environment
from thv.domain.access import Action, Caller, Grant
from thv.domain.canonical import JsonObject
from thv.domain.resources import GROUP, OLD_GROUP
from thv.domain.roles import API_AUTH, CLUSTER_ROLES, OPERATOR, OPERATOR_ROLE, Role, source_reader
from thv.formats.install import Installation, render
from thv.formats.roles import account, binding, cluster_role, namespaced_role

pytestmark = [pytest.mark.requirement("OPS-01"), pytest.mark.anyio]

_RBAC = "rbac.authorization.k8s.io"
_numbers = itertools.count(1)

VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
_OURS = (
    *("mcpregistries", "mcpregistryimportjobs", "mcpregistryexportjobs", "mcpregistrysyncjobs"),
    *("mcpserverreviews", "mcpreviewsignoffs", "mcpservers", "mcptoolconfigs", "reviewteams"),
)
_PARTS = (
    "status",
    "sync",
    "review",
    "export",
    "policy",
    "promote",
    "release",
    "revoke",
    "breakglass",
    "audit",
)
RESOURCES: tuple[tuple[str, str], ...] = (
    *((GROUP, resource) for resource in _OURS),
    *((GROUP, f"mcpregistries/{part}") for part in _PARTS),
    *((OLD_GROUP, resource) for resource in ("mcpservers", "mcptoolconfigs", "mcpregistries")),
    *(("", resource) for resource in ("configmaps", "secrets", "pods", "pods/exec", "services")),
    *(("", resource) for resource in ("serviceaccounts", "serviceaccounts/token", "endpoints")),
    ("apps", "deployments"),
    ("apps", "daemonsets"),
    ("batch", "jobs"),
    ("policy", "poddisruptionbudgets"),
    ("networking.k8s.io", "networkpolicies"),
    *((_RBAC, resource) for resource in ("roles", "rolebindings", "clusterroles")),
    (_RBAC, "clusterrolebindings"),
    ("events.k8s.io", "events"),
    ("", "events"),
    ("coordination.k8s.io", "leases"),
    ("authentication.k8s.io", "tokenreviews"),
    ("authorization.k8s.io", "subjectaccessreviews"),
)
NAMES = {"clusterrolebindings": (API_AUTH, "other"), "endpoints": ("kubernetes", "other")}


@pytest.fixture(scope="module")
async def client(control_plane: ControlPlane, anyio_backend: str) -> AsyncIterator[KubeClient]:
    opened = a_client(control_plane)
    yield opened
    await opened.close()


@pytest.mark.parametrize("role", CLUSTER_ROLES, ids=lambda role: role.name)
async def test_a_role_allows_the_same_on_a_cluster_and_on_one_machine(
    role: Role, client: KubeClient, namespace: str
) -> None:
    user = f"holder-of-{role.name}"
    await _make(client, "clusterroles", _renamed(role, namespace))
    bound = _binding_of(_renamed(role, namespace), namespace, user)
    await _make(client, f"namespaces/{namespace}/rolebindings", bound)
    caller = Caller(name=user, grants=(Grant(rights=role.rights, namespace=namespace),))
    actions = _actions(namespace)
    await _until_allowed(client, user, next(action for action in actions if caller.may(action)))
    said = await asyncio.gather(*(_allowed(client, user, action) for action in actions))
    different = [a for a, allowed in zip(actions, said, strict=True) if allowed != caller.may(a)]
    assert different == []
    assert any(said)


def _actions(namespace: str) -> list[Action]:
    places = (namespace, "default")
    return [
        Action(verb=verb, group=group, resource=resource, namespace=place, name=name)
        for place in places
        for group, resource in RESOURCES
        for name in NAMES.get(resource, ("",))
        for verb in (VERBS if place == namespace else ("get", "create"))
    ]


async def _allowed(client: KubeClient, user: str, action: Action) -> bool:
    resource, _, part = action.resource.partition("/")
    asked = {
        "verb": action.verb,
        "group": action.group,
        "resource": resource,
        "subresource": part,
        "namespace": action.namespace,
        "name": action.name,
    }
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": user, "resourceAttributes": asked},
    }
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    answer = await client.request("POST", path, body=review)
    return bool(answer["status"]["allowed"])


async def _until_allowed(client: KubeClient, user: str, action: Action) -> None:
    """Until the API server's own cache knows the binding."""
    async with asyncio.timeout(30):
        while not await _allowed(client, user, action):
            pass


# ---------------------------------------------------------------- the operator


@pytest.fixture
async def operator(
    control_plane: ControlPlane, client: KubeClient, namespace: str
) -> AsyncIterator[KubeClient]:
    """The operator's account with its role everywhere, both under names of their own."""
    made = _renamed(OPERATOR_ROLE, namespace)
    await _make(client, "clusterroles", made)
    role_binding = {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": made["metadata"]["name"]},
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": made["metadata"]["name"]},
        "subjects": [account("default", namespace)],
    }
    await _make(client, "clusterrolebindings", role_binding)
    opened = from_environment(
        {}, kubeconfig=str(control_plane.service_account(namespace, "default"))
    )
    user = f"system:serviceaccount:{namespace}:default"
    await _until_allowed(client, user, Action(verb="list", resource="mcpregistries"))
    yield opened
    await opened.close()
    name = made["metadata"]["name"]
    for plural in ("clusterrolebindings", "clusterroles"):
        await client.request("DELETE", f"/apis/{_RBAC}/v1/{plural}/{name}")


async def test_the_operator_gives_api_pods_what_it_holds(
    operator: KubeClient, namespace: str
) -> None:
    reading = ["get", "list", "watch"]
    role = _role_with(
        {"apiGroups": [GROUP], "resources": ["mcpregistries"], "resourceNames": ["corp"], "verbs": reading},
        {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["corp-s-0"], "verbs": ["get"]},
        {"apiGroups": [GROUP], "resources": ["mcpservers", "mcpserverreviews"], "verbs": reading},
        {"apiGroups": [OLD_GROUP], "resources": ["mcpservers"], "verbs": reading},
    )  # fmt: skip
    assert (await _post(operator, f"namespaces/{namespace}/roles", role)).status == 200
    bound = _binding_of(role, namespace, "system:serviceaccount:team:corp-api", kind="Role")
    assert (await _post(operator, f"namespaces/{namespace}/rolebindings", bound)).status == 200


@pytest.mark.parametrize(
    "rule",
    [
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]},
        {"apiGroups": [GROUP], "resources": ["mcpregistries"], "verbs": ["update"]},
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
        {"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create"]},
    ],
    ids=str,
)
async def test_the_operator_gives_nobody_more_than_it_holds(
    operator: KubeClient, namespace: str, rule: JsonObject
) -> None:
    said = await _post(operator, f"namespaces/{namespace}/roles", _role_with(rule))
    assert said.status == 403
    assert "attempting to grant RBAC permissions not currently held" in said.message


async def test_the_operator_binds_nobody_to_a_role_above_its_own(
    operator: KubeClient, namespace: str
) -> None:
    bound = _binding_of(
        {"kind": "ClusterRole", "metadata": {"name": "admin"}}, namespace, "somebody"
    )
    said = await _post(operator, f"namespaces/{namespace}/rolebindings", bound)
    assert said.status == 403


async def test_the_operator_reads_a_secret_once_an_owner_of_the_namespace_says_so(
    operator: KubeClient, client: KubeClient, namespace: str
) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "git-read"}}
    secrets = f"/api/v1/namespaces/{namespace}/secrets"
    await client.request("POST", secrets, body=secret)
    assert (await ask(operator, "GET", f"{secrets}/git-read", None)).status == 403
    role = source_reader("git-read")
    await _make(client, f"namespaces/{namespace}/roles", namespaced_role(role, namespace))
    given = binding(role.name, namespace, account("default", namespace))
    await _make(client, f"namespaces/{namespace}/rolebindings", given)
    async with asyncio.timeout(30):
        while (await ask(operator, "GET", f"{secrets}/git-read", None)).status == 403:
            pass
    assert (await ask(operator, "GET", f"{secrets}/other", None)).status == 403
    assert (await ask(operator, "GET", secrets, None)).status == 403


# ---------------------------------------------------------------- the installation


def test_the_installation_passes_the_restricted_profile(
    control_plane: ControlPlane, namespace: str
) -> None:
    """Everything that is in a namespace; what is in none has a test of its own, as others of this run need it."""
    profile = ("enforce", "warn", "audit")
    labels = [f"pod-security.kubernetes.io/{mode}=restricted" for mode in profile]
    assert control_plane.kubectl("label", "namespace", namespace, *labels).returncode == 0
    objects = [o for o in render(Installation(namespace=namespace)) if "namespace" in o["metadata"]]
    listed = msgspec.json.encode({"apiVersion": "v1", "kind": "List", "items": objects}).decode()
    done = control_plane.kubectl("apply", "--validate=strict", "-f", "-", stdin=listed)
    assert (done.returncode, done.stderr) == (0, "")
    control_plane.await_path(f"/apis/apps/v1/namespaces/{namespace}/deployments/{OPERATOR}")
    waiting = (
        "wait",
        "--for=create",
        "--timeout=30s",
        "pod",
        "-l",
        f"app.kubernetes.io/name={OPERATOR}",
    )
    done = control_plane.kubectl(*waiting, "-n", namespace)
    assert done.returncode == 0, done.stderr


def test_the_installation_is_applied_twice_without_a_change(
    control_plane: ControlPlane, namespace: str
) -> None:
    objects = [o for o in render(Installation(namespace=namespace)) if "namespace" in o["metadata"]]
    listed = msgspec.json.encode({"apiVersion": "v1", "kind": "List", "items": objects}).decode()
    for _ in range(2):
        done = control_plane.kubectl("apply", "-f", "-", stdin=listed)
        assert done.returncode == 0, done.stderr
    assert {line.rpartition(" ")[2] for line in done.stdout.splitlines()} == {"unchanged"}


# ---------------------------------------------------------------- making objects


def _renamed(role: Role, namespace: str) -> JsonObject:
    """The ClusterRole under a name that no other test knows, and gathered into none of Kubernetes' own."""
    made = cluster_role(role)
    made["metadata"] = {"name": f"{role.name}-{namespace}-{os.getpid()}"}
    return made


def _role_with(*rules: JsonObject) -> JsonObject:
    metadata = {"name": f"made-{next(_numbers)}"}
    return {"apiVersion": f"{_RBAC}/v1", "kind": "Role", "metadata": metadata, "rules": list(rules)}


def _binding_of(
    role: JsonObject, namespace: str, user: str, kind: str = "ClusterRole"
) -> JsonObject:
    name = role["metadata"]["name"]
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": f"bound-{next(_numbers)}", "namespace": namespace},
        "roleRef": {"apiGroup": _RBAC, "kind": kind, "name": name},
        "subjects": [{"apiGroup": _RBAC, "kind": "User", "name": user}],
    }


async def _post(client: KubeClient, path: str, body: JsonObject) -> Said:
    return await ask(client, "POST", f"/apis/{_RBAC}/v1/{path}", body)


async def _make(client: KubeClient, path: str, body: JsonObject) -> None:
    said = await _post(client, path, body)
    assert said.status == 200, said.message

"""A namespace of a real cluster in which our kinds, policies and roles are as they are shipped.

Policies hold for a whole cluster; here their bindings are narrowed to one namespace, as tests of others write status
without being the operator.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from tests.admission.cases import CALLERS, MASTERS, user_of
from tests.contracts.cluster import install_kinds
from tests.control_plane.plane import ControlPlane
from tests.domain.rule_cases import a_registry
from thv.clients.kube.client import KubeClient
from thv.clients.kube.config import from_environment
from thv.clients.kube.errors import KubeError
from thv.domain.canonical import JsonObject
from thv.domain.roles import Role
from thv.formats.admission import policies
from thv.formats.install import Installation
from thv.formats.roles import namespaced_role

REGISTRIES = "/apis/toolhive.stacklok.io/v1alpha1/namespaces/{}/mcpregistries"
_RBAC = "rbac.authorization.k8s.io"
_numbers = itertools.count(1)
PATIENCE = 30.0


class Said(msgspec.Struct, frozen=True):
    """What an API server answered."""

    status: int
    message: str = ""
    causes: tuple[JsonObject, ...] = ()
    object: JsonObject | None = None

    @property
    def refused(self) -> bool:
        return self.status >= 400


async def ask(client: KubeClient, method: str, path: str, body: JsonObject | None) -> Said:
    """The answer to a request, good or bad; unknown fields are errors."""
    query = {"fieldValidation": "Strict"}
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    try:
        answer = await client.request(method, path, query=query, body=body, content_type=kind)
    except KubeError as error:
        return Said(error.status, error.message, tuple(error.details.get("causes") or ()))
    return Said(200, object=answer)


async def dry_run(client: KubeClient, path: str, body: JsonObject) -> Said:
    """What the API server would answer to a create."""
    query = {"fieldValidation": "Strict", "dryRun": "All"}
    try:
        answer = await client.request("POST", path, query=query, body=body)
    except KubeError as error:
        return Said(error.status, error.message, tuple(error.details.get("causes") or ()))
    return Said(200, object=answer)


class Court(msgspec.Struct, frozen=True):
    """A namespace with narrowed policies, and a client for each caller."""

    namespace: str
    clients: dict[str, KubeClient]
    plane: ControlPlane

    @property
    def registries(self) -> str:
        return REGISTRIES.format(self.namespace)


@contextmanager
def court(plane: ControlPlane) -> Iterator[Court]:
    """Everything that the cases need, in effect."""
    install_kinds(plane)
    namespace = f"court-{os.getpid()}-{next(_numbers)}"
    labels = {"test-policies": namespace}
    body = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": namespace, "labels": labels},
    }
    plane.request("POST", "/api/v1/namespaces", body)
    narrowed = narrowed_policies(namespace)
    _apply(plane, [*narrowed, *_rights(namespace)])
    try:
        yield Court(namespace, {caller: _client(plane, caller) for caller in CALLERS}, plane)
    finally:
        plane.kubectl("delete", "--wait=false", "-f", "-", stdin=_text(narrowed))
        plane.request("DELETE", f"/api/v1/namespaces/{namespace}")


def narrowed_policies(namespace: str) -> list[JsonObject]:
    """The shipped policies under names of their own, for one namespace."""
    selector = {"namespaceSelector": {"matchLabels": {"test-policies": namespace}}}
    found = policies(Installation().operator)
    for obj in found:
        obj["metadata"]["name"] += f"-{namespace}"
        if "policyName" in obj["spec"]:
            obj["spec"]["policyName"] += f"-{namespace}"
            obj["spec"]["matchResources"] = selector
    return found


async def in_effect(place: Court) -> None:
    """Until roles and policies have reached the API server's own caches."""
    until = time.monotonic() + PATIENCE
    for caller in ("author", "policy", "reader of one", "admin"):
        client = place.clients[caller]
        while (await dry_run(client, place.registries, a_registry_in(place, "url"))).refused:
            assert time.monotonic() < until, f"{caller} may create nothing"
    client = place.clients["author"]
    refused_by_all = a_registry_in(place, "file")
    secret = a_registry_in(place, "url")
    secret["spec"]["source"]["url"]["authSecret"] = {"name": "x"}
    trusted = a_registry_in(place, "url")
    trusted["spec"]["trustLevel"] = "trusted"
    for wrong in (refused_by_all, secret, trusted):
        while not (await dry_run(client, place.registries, wrong)).refused:
            assert time.monotonic() < until, f"no policy refuses {wrong}"


def a_registry_in(place: Court, source: str) -> JsonObject:
    obj = a_registry(source)
    obj["metadata"] = {"name": f"probe-{next(_numbers)}", "namespace": place.namespace}
    return obj


def _rights(namespace: str) -> list[JsonObject]:
    held = [(caller, role) for caller, role in CALLERS.items() if role is not None]
    return [obj for caller, role in held for obj in _bound(caller, role, namespace)]


def _bound(caller: str, role: Role, namespace: str) -> list[JsonObject]:
    binding = {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": user_of(caller).replace(":", "-"), "namespace": namespace},
        "roleRef": {"apiGroup": _RBAC, "kind": "Role", "name": role.name},
        "subjects": [{"apiGroup": _RBAC, "kind": "User", "name": user_of(caller)}],
    }
    return [namespaced_role(role, namespace), binding]


def _client(plane: ControlPlane, caller: str) -> KubeClient:
    groups = (MASTERS,) if CALLERS[caller] is None else ()
    return from_environment({}, kubeconfig=str(plane.user(user_of(caller), groups)))


def _apply(plane: ControlPlane, objects: list[JsonObject]) -> None:
    done = plane.kubectl("apply", "--server-side", "-f", "-", stdin=_text(objects))
    assert done.returncode == 0, done.stderr


def _text(objects: list[JsonObject]) -> str:
    listed = {"apiVersion": "v1", "kind": "List", "items": objects}
    return msgspec.json.encode(listed).decode()

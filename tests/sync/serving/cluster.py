"""A real cluster without machines: objects are kept, and pods are as a test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from tests.builders import manifest
from tests.contracts.cluster import a_client, a_namespace, install_kinds
from tests.control_plane.plane import ControlPlane
from thv.clients.kube.client import KubeClient
from thv.clients.kube.config import from_environment
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.domain.registry import Registry, load_registry
from thv.domain.registry_status import RegistryStatus
from thv.domain.resources import (
    CLUSTER_ROLE_BINDING,
    DEPLOYMENT,
    MCP_REGISTRY,
    POD,
    Kind,
    name_of,
)
from thv.domain.roles import API_AUTH as BINDING
from thv.domain.roles import API_AUTH_ROLE, OPERATOR_ROLE
from thv.domain.snapshot import ChunkRef, SnapshotRef
from thv.formats.roles import account, cluster_binding, cluster_role
from thv.stores.resources.base import ResourceStore
from thv.stores.resources.kubernetes import KubernetesStore
from thv.sync.api import ApiState
from thv.sync.serving.keeper import OWNED_KINDS
from thv.sync.serving.kubernetes import KubernetesApi
from thv.sync.serving.settings import ApiSettings

SETTINGS = ApiSettings(image="ghcr.io/example/registry:1.0.0", pull_policy="IfNotPresent")


class Requests:
    """What was asked of the API server since the last look."""

    def __init__(self, client: KubeClient) -> None:
        self._told: list[tuple[str, str]] = []
        self._request = client.request
        setattr(client, "request", self.request)  # noqa: B010 # mypy rightly minds the plain form

    async def request(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, **more: Any
    ) -> JsonObject:
        self._told.append((method, path))
        return await self._request(method, path, query=query, **more)

    def take(self) -> list[str]:
        """`GET services/corp-api` and so on."""
        told, self._told = self._told, []
        return [f"{method} {'/'.join(path.split('/')[-2:])}" for method, path in told]

    def writes(self) -> list[str]:
        return [each for each in self.take() if not each.startswith("GET ")]


class Cluster:
    """One namespace of a cluster, and an operator's view of it."""

    def __init__(self, plane: ControlPlane, namespace: str, settings: ApiSettings) -> None:
        client = from_environment({}, kubeconfig=str(operator_of(plane)))
        self.plane = plane
        self.namespace = namespace
        self.settings = settings
        self.requests = Requests(client)
        self.operator: ResourceStore = KubernetesStore(client)
        self.store: ResourceStore = KubernetesStore(a_client(plane))
        self.now = 0.0
        self.start_operator()

    def start_operator(self, **settings: Any) -> None:
        """A new process that knows nothing."""
        chosen = msgspec.structs.replace(self.settings, **settings)
        self.api = KubernetesApi(self.operator, chosen, clock=self._clock)

    def _clock(self) -> float:
        """Every look comes long after the one before, unless a test says otherwise."""
        self.now += 2
        return self.now

    # Registries ----------------------------------------------------------------------------------------

    async def registry(self, name: str = "corp", **spec: Any) -> Registry:
        """The registry with this spec; what was told of it before stays."""
        obj = await self.store.apply(
            manifest(name, self.namespace, **spec), manager="test", force=True
        )
        return load_registry(obj)

    async def ensure(self, registry: Registry) -> tuple[Registry, ApiState]:
        """What a reconcile does: the state, and the registry with the status that tells of it."""
        state = await self.api.ensure(registry)
        status = msgspec.structs.replace(
            registry.status, api_status=state.status, observed_generation=registry.generation
        )
        return msgspec.structs.replace(registry, status=status), state

    async def edited(self, registry: Registry, **spec: Any) -> Registry:
        """Another spec, and the status as it was."""
        new = await self.registry(registry.name, **spec)
        return msgspec.structs.replace(new, status=registry.status)

    async def delete(self, registry: Registry) -> None:
        await self.store.delete(MCP_REGISTRY, self.namespace, registry.name)

    # Objects -------------------------------------------------------------------------------------------

    async def find(self, kind: Kind, name: str) -> JsonObject | None:
        try:
            return await self.store.get(kind, self.namespace, name)
        except ThvError as error:
            if error.code is Code.NOT_FOUND:
                return None
            raise

    async def live(self, kind: Kind, name: str = "corp-api") -> JsonObject:
        return await self.store.get(kind, self.namespace, name)

    async def owned(self) -> list[str]:
        """What there is of the kinds that we keep, beside what Kubernetes makes."""
        found: list[str] = []
        for kind in OWNED_KINDS:
            page = await self.store.list(kind, self.namespace)
            found += [f"{kind.plural}/{name_of(obj)}" for obj in page.items]
        return sorted(each for each in found if each != "serviceaccounts/default")

    async def tell_watches(self) -> None:
        """What watches tell when they begin."""
        for kind in OWNED_KINDS:
            for obj in (await self.store.list(kind, self.namespace)).items:
                self.api.saw(obj, gone=False)

    async def subjects(self) -> list[str]:
        """The accounts of this namespace that may ask about tokens."""
        binding = await self.store.get(CLUSTER_ROLE_BINDING, "", BINDING)
        return sorted(
            each["name"]
            for each in binding.get("subjects") or []
            if each.get("namespace") == self.namespace
        )

    # Pods ----------------------------------------------------------------------------------------------

    async def pods(self, count: int = 1) -> list[JsonObject]:
        """Once the controllers have made so many."""
        async with asyncio.timeout(30):
            while len(items := (await self.store.list(POD, self.namespace)).items) < count:
                pass
        return items

    def tell_pod(self, pod: JsonObject, **status: Any) -> None:
        """A kubelet's word on a pod."""
        path = f"/api/v1/namespaces/{self.namespace}/pods/{name_of(pod)}/status"
        live = self.plane.request("GET", path.removesuffix("/status"))
        self.plane.request("PUT", path, {**live, "status": {**live["status"], **status}})

    async def make_ready(self, deployment: str = "corp-api") -> None:
        for pod in await self.pods():
            ready = {
                "type": "Ready",
                "status": "True",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }
            self.tell_pod(pod, phase="Running", conditions=[ready])
        async with asyncio.timeout(30):
            while not (await self.live(DEPLOYMENT, deployment))["status"].get("readyReplicas"):
                pass


@asynccontextmanager
async def a_cluster(plane: ControlPlane, **settings: Any) -> AsyncIterator[Cluster]:
    """Its namespace admits only what the restricted profile admits."""
    install_kinds(plane)
    bind(plane)
    with a_namespace(plane) as namespace:
        restrict(plane, namespace)
        cluster = Cluster(plane, namespace, msgspec.structs.replace(SETTINGS, **settings))
        yield cluster
        bind(plane)  # others of this run may need it
        await cluster.operator.close()
        await cluster.store.close()


@cache
def operator_of(plane: ControlPlane) -> Path:
    """The account of an operator that has the role that is shipped, and no other; once for each control plane."""
    name = "serving-operator"
    user = account(name, "default")
    role = cluster_role(OPERATOR_ROLE)
    role["metadata"] = {"name": name}
    head = {"apiVersion": "v1", "kind": "ServiceAccount"}
    made = {**head, "metadata": {"name": name, "namespace": "default"}}
    for obj in (made, role, cluster_binding(name, user)):
        done = plane.kubectl("apply", "-f", "-", stdin=msgspec.json.encode(obj))
        assert done.returncode == 0, done.stderr
    kubeconfig = plane.service_account("default", name)
    asked = ("auth", "can-i", "list", "mcpregistries.toolhive.stacklok.io", "-A")
    while plane.kubectl(*asked, kubeconfig=kubeconfig).returncode:
        pass
    return kubeconfig


def restrict(plane: ControlPlane, namespace: str) -> None:
    label = "pod-security.kubernetes.io/enforce=restricted"
    done = plane.kubectl("label", "namespace", namespace, label)
    assert done.returncode == 0, done.stderr


def bind(plane: ControlPlane) -> None:
    """The binding that is installed with the operator, and its role."""
    for obj in (cluster_role(API_AUTH_ROLE), cluster_binding(BINDING)):
        plane.kubectl("create", "-f", "-", stdin=msgspec.json.encode(obj))


def unbind(plane: ControlPlane) -> None:
    plane.kubectl("delete", "clusterrolebinding", BINDING)


@contextmanager
def images_rewritten(plane: ControlPlane, namespace: str, image: str) -> Iterator[None]:
    """A policy by which every Deployment of the namespace has this image, whatever is asked for."""
    api = "admissionregistration.k8s.io/v1"
    name = f"rewritten-{namespace}"
    container = f'Object.spec.template.spec.containers{{name: "api", image: "{image}"}}'
    pod = f"Object.spec.template.spec{{containers: [{container}]}}"
    expression = f"Object{{spec: Object.spec{{template: Object.spec.template{{spec: {pod}}}}}}}"
    rule = {"apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["deployments"]}
    policy = {
        "apiVersion": api,
        "kind": "MutatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "reinvocationPolicy": "Never",
            "matchConstraints": {"resourceRules": [{**rule, "operations": ["CREATE", "UPDATE"]}]},
            "mutations": [
                {
                    "patchType": "ApplyConfiguration",
                    "applyConfiguration": {"expression": expression},
                }
            ],
        },
    }
    selected = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    binding = {
        "apiVersion": api,
        "kind": "MutatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {"policyName": name, "matchResources": {"namespaceSelector": selected}},
    }
    for obj in (policy, binding):
        done = plane.kubectl("apply", "-f", "-", stdin=msgspec.json.encode(obj))
        assert done.returncode == 0, done.stderr
    yield
    for kind in ("mutatingadmissionpolicybinding", "mutatingadmissionpolicy"):
        plane.kubectl("delete", kind, name)


def limited(plane: ControlPlane, namespace: str, **hard: str) -> str:
    """A quota that is in force; its path."""
    folder = f"/api/v1/namespaces/{namespace}/resourcequotas"
    body = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "team"}}
    plane.request("POST", folder, {**body, "spec": {"hard": hard}})
    done = plane.kubectl(
        *("wait", "resourcequota/team", "-n", namespace),
        *("--for=jsonpath={.status.hard}", "--timeout=30s"),
    )
    assert done.returncode == 0, done.stderr
    return f"{folder}/team"


# Content ---------------------------------------------------------------------------------------------------


def pointer(*chunks: str) -> SnapshotRef:
    """A snapshot of these chunks."""
    digest = "sha256:" + "0" * 64
    return SnapshotRef(
        digest=digest,
        entries=1,
        bytes=1,
        created_at="2026-01-01T00:00:00Z",
        spec_digest=digest,
        store="configmap",
        chunks=tuple(ChunkRef(name=name, digest=digest, entries=1, bytes=1) for name in chunks),
    )


def serving(registry: Registry, *chunks: str, previous: SnapshotRef | None = None) -> Registry:
    """The registry as it is when its pointer names these chunks."""
    status: RegistryStatus = msgspec.structs.replace(
        registry.status, snapshot=pointer(*chunks), previous_snapshot=previous
    )
    return msgspec.structs.replace(registry, status=status)

"""Registries on a real API server, as an operator leaves them, and the process that serves them with its own rights."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

import msgspec

from tests.control_plane.plane import ControlPlane
from tests.ports import free_ports
from tests.stores.models.world import World
from thv.domain.canonical import JsonObject
from thv.domain.resources import GROUP, MCP_REGISTRY, OLD_GROUP, ROLE, uid_of
from thv.domain.snapshot import Chunk, SnapshotRef
from thv.stores.chunks.base import Owner
from thv.stores.chunks.configmaps import ConfigMapChunks
from thv.stores.resources.base import ResourceStore

SCRIPT = Path(sys.executable).with_name("thv")
PATIENCE = 30.0
_MANAGER = "toolhive-registry"
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_REGISTRIES = f"/apis/{GROUP}/v1alpha1"


class Team:
    """A namespace with registries whose content a test decides."""

    def __init__(self, plane: ControlPlane, namespace: str, store: ResourceStore) -> None:
        """`store` may do everything."""
        self.plane = plane
        self.namespace = namespace
        self.store = store
        self._chunks: dict[str, list[str]] = {}

    # ------------------------------------------------------------ what an operator does

    def register(self, name: str = "corp", **api: Any) -> JsonObject:
        """A registry with the rights of its pods; `api` is its part of the spec."""
        made = self.register_again(name, **api)
        self._chunks[name] = []
        account = f"{name}-api"
        self.account(account)
        self.allow(account, *self._rules(name))
        self.allow_reviews(account)
        return made

    def register_again(self, name: str = "corp", **api: Any) -> JsonObject:
        """A registry alone."""
        source = {"type": "configmap", "configMap": {"name": "servers", "key": "servers.json"}}
        return self.create(
            f"{_REGISTRIES}/namespaces/{self.namespace}/mcpregistries",
            {
                "apiVersion": MCP_REGISTRY.api_version,
                "kind": MCP_REGISTRY.kind,
                "metadata": {"name": name, "namespace": self.namespace},
                "spec": {"source": source, "api": api},
            },
        )

    async def publish(self, world: World, name: str = "corp", *, delta: bool = False) -> None:
        """Chunks, then the right to read them, then the pointer."""
        await self.flip(name, await self.write(world, name, delta=delta))

    async def write(self, world: World, name: str, *, delta: bool = False) -> SnapshotRef:
        """Chunks that nobody may read yet."""
        registry = await self.store.get(MCP_REGISTRY, self.namespace, name)
        owner = Owner(self.namespace, name, uid_of(registry))
        snapshot = world.snapshot(delta=delta)
        chunks = ConfigMapChunks(self.store)
        refs = [await chunks.put(owner, chunk) for chunk in _chunks(world, snapshot)]
        return msgspec.structs.replace(snapshot, chunks=tuple(refs), store="configmap")

    async def flip(self, name: str, snapshot: SnapshotRef) -> None:
        await self.admit(name, snapshot)
        await self.point(name, snapshot)

    async def admit(self, name: str, snapshot: SnapshotRef) -> None:
        """Lets the pods read the chunks."""
        self._chunks[name] = [ref.name for ref in snapshot.chunks]
        rules = {"rules": self._rules(name)}
        await self.store.merge(ROLE, self.namespace, f"{name}-api", rules, manager=_MANAGER)

    async def point(self, name: str, snapshot: SnapshotRef) -> None:
        await self.set_status(name, snapshot=msgspec.to_builtins(snapshot))

    async def set_status(self, name: str, **status: Any) -> None:
        """These fields of the status; the others stay."""
        registry = await self.store.get(MCP_REGISTRY, self.namespace, name)
        merged = {**(registry.get("status") or {}), **status}
        said = {key: registry[key] for key in ("apiVersion", "kind")}
        metadata = {key: registry["metadata"][key] for key in ("name", "namespace", "uid")}
        await self.store.apply_status(
            {**said, "metadata": metadata, "status": merged}, manager=_MANAGER
        )

    async def set_api(self, name: str, **api: Any) -> None:
        patch = {"spec": {"api": api}}
        await self.store.merge(MCP_REGISTRY, self.namespace, name, patch, manager=_MANAGER)

    async def remove(self, name: str) -> None:
        await self.store.delete(MCP_REGISTRY, self.namespace, name)

    def _rules(self, name: str) -> list[JsonObject]:
        """As resources.md says of the Role that a registry owns."""
        read = ("get", "list", "watch")
        rules = [rule(GROUP, "mcpregistries", *read, names=[name])]
        rules += [rule(group, "mcpservers", *read) for group in (GROUP, OLD_GROUP)]
        if self._chunks[name]:
            rules.append(rule("", "configmaps", "get", names=self._chunks[name]))
        return rules

    # ------------------------------------------------------------ who may do what

    def account(self, name: str) -> None:
        body = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}
        self.create(f"/api/v1/namespaces/{self.namespace}/serviceaccounts", body)

    def allow(self, account: str, *rules: JsonObject, whose: str = "") -> None:
        """A Role here and its binding; `whose` is the namespace of the account, if it is another one."""
        role = _object("Role", {"name": account}, rules=list(rules))
        self.create(f"{_RBAC}/namespaces/{self.namespace}/roles", role)
        self.bind(account, whose=whose)

    def bind(self, account: str, *, whose: str = "") -> None:
        """Gives an account the Role of its name."""
        binding = self._binding("RoleBinding", account, "Role", account, whose=whose)
        self.create(f"{_RBAC}/namespaces/{self.namespace}/rolebindings", binding)

    def bind_also(self, role: str, account: str) -> None:
        """Gives an account somebody else's Role too."""
        binding = self._binding("RoleBinding", account, "Role", role)
        binding["metadata"]["name"] = f"{role}-{account}"
        self.create(f"{_RBAC}/namespaces/{self.namespace}/rolebindings", binding)

    def forbid(self, account: str) -> None:
        """Takes back what `allow` gave."""
        place = f"{_RBAC}/namespaces/{self.namespace}"
        self.plane.request("DELETE", f"{place}/rolebindings/{account}")

    def allow_reviews(self, account: str) -> None:
        """Lets the pods ask whose a token is, and who may do what."""
        rules = [
            rule("authentication.k8s.io", "tokenreviews", "create"),
            rule("authorization.k8s.io", "subjectaccessreviews", "create"),
        ]
        name = f"{self.namespace}-{account}-auth"
        self.create(f"{_RBAC}/clusterroles", _object("ClusterRole", {"name": name}, rules=rules))
        binding = self._binding("ClusterRoleBinding", account, "ClusterRole", name)
        binding["metadata"]["name"] = name
        self.create(f"{_RBAC}/clusterrolebindings", binding)

    def forbid_reviews(self, account: str) -> None:
        name = f"{self.namespace}-{account}-auth"
        self.plane.request("DELETE", f"{_RBAC}/clusterrolebindings/{name}")

    def reader(self, account: str, *names: str) -> str:
        """An account that may read these registries (all of the namespace without names); its token for `corp`."""
        self.account(account)
        self.allow(account, rule(GROUP, "mcpregistries", "get", names=list(names)))
        return self.token(account)

    def token(self, account: str, audience: str = "") -> str:
        wanted = audience or f"corp-api.{self.namespace}.svc"
        return self.plane.token(self.namespace, account, audiences=[wanted])

    def _binding(
        self, kind: str, account: str, role_kind: str, role: str, *, whose: str = ""
    ) -> JsonObject:
        namespace = whose or self.namespace
        subject = {"kind": "ServiceAccount", "name": account, "namespace": namespace}
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": role_kind, "name": role}
        return _object(kind, {"name": account}, subjects=[subject], roleRef=reference)

    def create(self, path: str, body: JsonObject) -> JsonObject:
        return self.plane.request("POST", path, body)


def _chunks(world: World, snapshot: SnapshotRef) -> Iterator[Chunk]:
    for ref in snapshot.chunks:
        yield Chunk(ref.digest, ref.entries, world.chunks[ref.name], ref.delta)


def rule(group: str, plural: str, *verbs: str, names: Iterable[str] = ()) -> JsonObject:
    """A rule of a Role."""
    made: JsonObject = {"apiGroups": [group], "resources": [plural], "verbs": list(verbs)}
    return {**made, "resourceNames": list(names)} if names else made


def _object(kind: str, metadata: JsonObject, **more: Any) -> JsonObject:
    api_version = "rbac.authorization.k8s.io/v1"
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **more}


class Reply(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def code(self) -> str:
        """The code word of an error, in either form; `""` for a success."""
        if self.status < 400:
            return ""
        body = self.json
        found: str = body["error"]["code"] if isinstance(body["error"], dict) else body["code"]
        return found

    @property
    def names(self) -> list[str]:
        """Who is on a page of our own API."""
        return [server["name"] for server in self.json["servers"]]


class Pod:
    """`thv registry-api` in a process of its own; what it writes to its folder stays when it begins again."""

    def __init__(self, kubeconfig: Path, folder: Path, *arguments: str, **environ: str) -> None:
        self.kubeconfig = kubeconfig
        self.port, self.operations = free_ports(2)
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / "log"
        self._command = [
            *("setpriv", "--pdeathsig", "KILL", "--", str(SCRIPT), "registry-api", *arguments),
            *("--listen", f"127.0.0.1:{self.port}", "--data", str(folder / "data")),
            *("--listen-operations", f"127.0.0.1:{self.operations}"),
        ]
        self._environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "KUBECONFIG": str(kubeconfig),
            "THV_DRAIN": "500ms",
            **environ,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, env=self._environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """Tells it to stop, and does not wait."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)

    def ended(self) -> int:
        """Its exit code."""
        assert self._process is not None
        return self._process.wait(PATIENCE)

    def get(self, path: str, token: str = "", *, port: int = 0, **headers: str) -> Reply:
        """An answer; `token` is sent as a bearer token."""
        given = {key.replace("_", "-"): value for key, value in headers.items()}
        if token:
            given["Authorization"] = f"Bearer {token}"
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=PATIENCE)
        try:
            connection.request("GET", path, headers=given)
            answer = connection.getresponse()
            return Reply(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def ready(self) -> int:
        """What the readiness probe gets, 0 when nobody answers."""
        return self._status("/readyz")

    def alive(self) -> int:
        return self._status("/healthz")

    def _status(self, path: str) -> int:
        try:
            return self.get(path, port=self.operations).status
        except OSError:
            return 0

    def until(self, what: str, look: Callable[[], Any], patience: float = PATIENCE) -> Any:
        """What `look` sees as soon as it is something."""
        assert self._process is not None
        deadline = time.monotonic() + patience
        while True:
            try:
                seen = look()
            except OSError:
                seen = None
            if seen:
                return seen
            said = self.log.read_text()[-3000:]
            assert time.monotonic() < deadline, f"waited {patience} s for {what}; it said:\n{said}"
            assert self._process.poll() is None, f"it ended; it said:\n{said}"
            threading.Event().wait(0.01)

    def until_ready(self) -> None:
        self.until("readiness", lambda: self.ready() == 200)

    def until_served(self, name: str) -> None:
        """Until a server is on the first page of a registry that everybody may read."""
        self.until(name, lambda: name in self.get("/api/v1/servers").names)


def pss(pid: int) -> float:
    """Memory of a process in MB, what it shares counted in part."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024

"""A catalog over a real API server: registries are synchronized there, and callers come with tokens of that server."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.apps.standalone.process import PATIENCE, Reply
from tests.contracts.cluster import CRDS, a_client, install_kinds
from tests.control_plane.plane import ControlPlane
from thv import data
from thv.apps.catalog_api.generation_cluster import on_cluster
from thv.apps.catalog_api.pod_settings import TRIED
from thv.apps.catalog_api.wiring import catalog
from thv.apps.kit.authorization import Advice, Authorization
from thv.apps.kit.controllers import run_registries
from thv.apps.kit.engine import Engine, Places, Reach
from thv.apps.kit.http.serve import door_of, listening
from thv.apps.kit.outbound import Outbound
from thv.apps.kit.reviews import KubeReviews
from thv.apps.registry_api.settings import Settings
from thv.clients.http.guard import AllowList
from thv.clients.kube.config import find_access
from thv.domain.canonical import JsonObject
from thv.domain.registry import Registry
from thv.domain.registry_status import ApiPhase, ApiStatus
from thv.domain.roles import CATALOG_USER_ROLE, USER_ROLE, Role
from thv.formats.roles import namespaced_role
from thv.formats.taxonomy import load_taxonomy
from thv.stores.chunks.configmaps import ConfigMapChunks
from thv.stores.resources.kubernetes import KubernetesStore
from thv.sync.api import KnownApi
from thv.sync.reconcile import RegistryReconciler

AUDIENCE = "thv-catalog.toolhive-system.svc"
OPTIONAL = CRDS.parent / "optional"
_RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces"
_CLUSTER_RBAC = "/apis/rbac.authorization.k8s.io/v1"


class Catalog:
    """Answers over one namespace of a control plane, whose registries it synchronizes where no operator does."""

    def __init__(
        self, plane: ControlPlane, namespace: str, folder: Path, *, has_operator: bool
    ) -> None:
        self.plane, self.namespace = plane, namespace
        self._has_operator = has_operator
        self.port = 0
        self.allow: tuple[str, ...] = ()
        """Hosts of sources that may be private."""
        self._folder = folder
        self._loop = asyncio.new_event_loop()
        self._stopped = asyncio.Event()
        self._began = threading.Event()
        self._thread = threading.Thread(target=self._run)

    # ------------------------------------------------------------ what tests do

    def ask(
        self, method: str, path: str, body: Any = None, *, by: str = "", **headers: str
    ) -> Reply:
        """`by` is a token."""
        sent = {key.replace("_", "-"): value for key, value in headers.items()}
        content = None if body is None else json.dumps(body).encode()
        if content is not None:
            sent.setdefault("content-type", "application/json")
        if by:
            sent["authorization"] = f"Bearer {by}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, content, sent)
            answer = connection.getresponse()
            told = {key.lower(): value for key, value in answer.getheaders()}
            return Reply(answer.status, told, answer.read())
        finally:
            connection.close()

    def until(self, what: str, look: Callable[[], Any]) -> Any:
        """What `look` sees as soon as it is something."""
        deadline = time.monotonic() + PATIENCE
        while not (seen := look()):
            assert time.monotonic() < deadline, what
            threading.Event().wait(0.05)
        return seen

    def apply(self, *objects: JsonObject) -> None:
        """As cluster admin."""
        listed = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        done = self.plane.kubectl(
            "-n", self.namespace, "apply", "--server-side", "-f", "-", stdin=json.dumps(listed)
        )
        assert done.returncode == 0, done.stderr

    def objects(self, plural: str) -> list[JsonObject]:
        """As kubectl shows them to an admin."""
        done = self.plane.kubectl("-n", self.namespace, "get", plural, "-o", "json")
        assert done.returncode == 0, done.stderr
        found: list[JsonObject] = json.loads(done.stdout)["items"]
        return found

    def account(self, name: str, *roles: Role) -> None:
        """A ServiceAccount that has these roles in the namespace."""
        place = f"/api/v1/namespaces/{self.namespace}/serviceaccounts"
        self.plane.request("POST", place, {"metadata": {"name": name}})
        for role in roles:
            made = namespaced_role(role, self.namespace)
            self.bind(name, {**made, "metadata": {"name": f"{name}-{role.name}"}})

    def bind(self, account: str, role: JsonObject) -> None:
        """Gives an account a Role of its own."""
        name = role["metadata"]["name"]
        self.plane.request("POST", f"{_RBAC}/{self.namespace}/roles", role)
        subject = {"kind": "ServiceAccount", "name": account, "namespace": self.namespace}
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
        binding = {"metadata": {"name": name}, "roleRef": reference, "subjects": [subject]}
        self.plane.request("POST", f"{_RBAC}/{self.namespace}/rolebindings", binding)

    def token(self, account: str) -> str:
        """One that the API server takes."""
        return self.plane.token(self.namespace, account)

    def own_token(self, account: str) -> str:
        """One for the catalog alone."""
        return self.plane.token(self.namespace, account, audiences=(AUDIENCE,))

    # ------------------------------------------------------------ the process

    def begin(self) -> None:
        self._thread.start()
        assert self._began.wait(PATIENCE)

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        client = a_client(self.plane)
        store = KubernetesStore(client)
        chunks = ConfigMapChunks(store)
        taxonomy = load_taxonomy(data.read("taxonomy.json"))
        places = Places(
            mirrors=self._folder / "mirrors",
            selections=self._folder / "selections",
            git=self._folder / "git",
        )
        reach = Reach(allow=lambda: AllowList(()), denied_hint="")
        engine = Engine(store, chunks, places, reach, taxonomy=taxonomy, clock=_now)
        reconciler = RegistryReconciler(store, engine.tools, api=KnownApi(_answers))
        authorization = Authorization(
            KubeReviews(client),
            Advice(
                audience=lambda _: AUDIENCE, token=lambda _: "kubectl create token ...", check=str
            ),
        )
        access = find_access({}, kubeconfig=str(self.plane.kubeconfig))
        door = catalog(
            store,
            chunks,
            self._folder / "models",
            taxonomy=taxonomy,
            settings=Settings(),
            clock=_now,
            authorization=authorization,
            generation=on_cluster(
                access,
                {},
                authorization,
                clock=_now,
                tried=TRIED,
                outbound=lambda: Outbound(allow=self.allow),
            ),
        )
        bound = listening("127.0.0.1", 0)
        bound.listen()
        self.port = bound.getsockname()[1]
        server = door_of(door.app)
        work = [asyncio.ensure_future(each) for each in (server.serve([bound]), door.follow())]
        if not self._has_operator:
            syncing = run_registries(
                store, reconciler.reconcile, _now, namespaces=(self.namespace,)
            )
            work.append(asyncio.ensure_future(syncing))
        self._began.set()
        stopping = asyncio.ensure_future(self._stopped.wait())
        await asyncio.wait([*work, stopping], return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        for task in work[1:]:
            task.cancel()
        results = await asyncio.gather(*work, return_exceptions=True)
        await engine.close()
        with suppress(Exception):
            await store.close()
        for result in results:
            if isinstance(result, Exception):
                raise result


def _now() -> datetime:
    return datetime.now(UTC)


def _answers(registry: Registry) -> ApiStatus:
    """As if its pods ran: nodes are missing here."""
    endpoint = f"http://{registry.name}-api.{registry.namespace}.svc:8080"
    return ApiStatus(phase=ApiPhase.READY, endpoint=endpoint, ready_replicas=1)


@contextmanager
def catalog_in(
    plane: ControlPlane, namespace: str, folder: Path, *, has_operator: bool = False
) -> Iterator[Catalog]:
    """With the kinds, and the accounts `maker` and `reader`."""
    install_kinds(plane, CRDS, OPTIONAL)
    found = Catalog(plane, namespace, folder, has_operator=has_operator)
    found.account("maker", CATALOG_USER_ROLE)
    found.account("reader", USER_ROLE)
    found.begin()
    try:
        yield found
    finally:
        found.end()


def documented_user(namespace: str) -> JsonObject:
    """The role that the specification has callers of the catalog hold, in our group."""
    return {
        "metadata": {"name": "catalog-api-user", "namespace": namespace},
        "rules": [
            {
                "apiGroups": [""],
                "resources": ["configmaps"],
                "verbs": ["create", "get", "list", "update"],
            },
            {
                "apiGroups": ["toolhive.stacklok.io"],
                "resources": ["mcpregistries", "mcptoolconfigs"],
                "verbs": ["create", "get", "list", "update"],
            },
        ],
    }

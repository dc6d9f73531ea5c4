"""Stands in for a node of a cluster: assigns pods to itself, runs their containers, and leads Services to them.

Containers are processes of this machine in namespaces of their own (`sandbox`), pods have addresses on loopback, and
everything else is as on a real node: probes decide who is ready, what ends is started again after a back-off, and a
deleted pod has its grace period. Network policies, resource limits and volumes of a cluster's storage are not offered.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from tests.control_plane.client import MERGE, ApiError, AwayError, Change, Client, Informer
from tests.control_plane.containers import Container, moment
from tests.control_plane.environment import quantity
from tests.control_plane.images import Image
from tests.control_plane.logserver import LogServer
from tests.control_plane.node import PACE, Node, Pace
from tests.control_plane.plane import ControlPlane, Json
from tests.control_plane.pods import RunningPod
from tests.control_plane.sandbox import write_etc
from tests.control_plane.services import Address, Forwarder, Targets, targets_of

T = TypeVar("T")
NODE = "test-node"
_LABELS = {
    "kubernetes.io/hostname": NODE,
    "kubernetes.io/os": "linux",
    "kubernetes.io/arch": "amd64",
}
_CAPACITY = {"cpu": "64", "memory": "256Gi", "pods": "4000", "ephemeral-storage": "500Gi"}
_START = 30.0
_SAMPLE = 0.5


class Kubelet:
    """A node that runs; made by `kubelet_of`."""

    def __init__(
        self, plane: ControlPlane, folder: Path, images: Sequence[Image], pace: Pace
    ) -> None:
        self._plane = plane
        self._folder = folder
        self._images = list(images)
        self._pace = pace
        self._pods: dict[str, RunningPod] = {}
        self._announced: dict[str, str] = {}
        self._peaks: dict[tuple[str, str, str], int] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._numbers = itertools.count(1)
        self._api = Address(plane.host, plane.port)
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="kubelet", daemon=True)
        self._failure: BaseException | None = None

    # ------------------------------------------------------------ for tests
    def add_image(self, image: Image) -> None:
        """Pods may use it from now on, also those that wait for it."""
        self._images.insert(0, image)

    def logs(self, namespace: str, pod: str, container: str = "", *, previous: bool = False) -> str:
        """What the container has written since it was started last, or before that."""
        folders = self._folder / "logs" / namespace / pod
        folder = (
            folders / container if container else next(iter(sorted(folders.glob("*"))), folders)
        )
        runs = sorted(folder.glob("*.log"), key=lambda path: int(path.stem))
        chosen = runs[-2:-1] if previous else runs[-1:]
        return "".join(path.read_text(errors="replace") for path in chosen)

    def kill(self, namespace: str, pod: str, container: str = "") -> None:
        """The container's processes end as if the machine had run out of memory."""

        async def kill() -> None:
            sandbox = self._container(namespace, pod, container).sandbox
            if sandbox is not None:
                sandbox.kill()

        self._do(kill())

    def execute(
        self, namespace: str, pod: str, *argv: str, container: str = "", seconds: float = 30
    ) -> tuple[int, str]:
        """Runs a command inside; its exit code and what it says."""

        async def execute() -> tuple[int, str]:
            sandbox = self._container(namespace, pod, container).sandbox
            return (1, "not running") if sandbox is None else await sandbox.execute(argv, seconds)

        return self._do(execute())

    def peak_memory(self, namespace: str) -> Mapping[str, int]:
        """The most PSS of each pod's processes together, in bytes, of pods that are gone as well."""
        peaks: dict[str, int] = {}
        for (where, pod, _), peak in list(self._peaks.items()):
            if where == namespace:
                peaks[pod] = peaks.get(pod, 0) + peak
        return peaks

    def forget_peaks(self) -> None:
        """Measures from here on."""
        self._peaks.clear()

    def lead_api_to(self, host: str, port: int) -> None:
        """Pods reach the API server through this from their next connection on: a proxy that does harm."""
        self._api = Address(host, port)
        self._do(self._lead_now())

    # ------------------------------------------------------------ life
    def start(self) -> None:
        self._plane.await_path("/api/v1/namespaces/default/services/kubernetes")
        self._thread.start()
        if not self._ready.wait(_START) or self._failure:
            raise RuntimeError("the kubelet stand-in did not start") from self._failure

    def end(self) -> None:
        with suppress(RuntimeError):  # it has ended already
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_START)
        if self._failure:
            raise RuntimeError("the kubelet stand-in broke") from self._failure

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._live())
        except BaseException as error:  # noqa: BLE001  # told in the thread of the tests
            self._failure = error
        finally:
            self._ready.set()

    async def _live(self) -> None:
        self._stop = asyncio.Event()
        self._dirty = asyncio.Event()
        self._client = Client(self._plane)
        self._forwarder = Forwarder()
        self._node = self._new_node()
        changed = self._dirty.set
        self._known_pods = Informer(self._client, "/api/v1/pods", self._see)
        self._services = Informer(self._client, "/api/v1/services", lambda *_: changed())
        self._logs = LogServer(self._folder / "logs", self._folder / "certificates", self._is_here)
        try:
            await self._register(await self._logs.start())
            self._spawn(self._services.run())
            await self._services.listed.wait()  # no container starts without the API's address
            for work in (self._known_pods.run(), self._keep_leading(), self._keep_measuring()):
                self._spawn(work)
            self._ready.set()
            await self._stop.wait()
        finally:
            await self._end()

    async def _end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for pod in self._pods.values():
            pod.kill_all()
        await self._forwarder.close()
        await self._logs.close()
        await self._client.close()

    def _new_node(self) -> Node:
        hosts = self._folder / "hosts"
        hosts.write_text(_hosts(()))
        return Node(
            client=self._client,
            folder=self._folder,
            etc=write_etc(self._folder / "etc"),
            hosts=hosts,
            images=lambda: self._images,
            services=self._services_for,
            announce=self._announce,
            pace=self._pace,
        )

    async def _register(self, port: int) -> None:
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE, "labels": _LABELS}}
        with suppress(ApiError):  # it is known already
            await self._client.request("POST", "/api/v1/nodes", node)
        ready = {
            "type": "Ready",
            "status": "True",
            "reason": "KubeletReady",
            "lastTransitionTime": moment(),
        }
        status = {
            "conditions": [ready],
            "capacity": _CAPACITY,
            "allocatable": _CAPACITY,
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
        }
        await self._client.request(
            "PATCH", f"/api/v1/nodes/{NODE}", {"spec": {"taints": None}}, kind=MERGE
        )
        await self._client.request(
            "PATCH", f"/api/v1/nodes/{NODE}/status", {"status": status}, kind=MERGE
        )

    # ------------------------------------------------------------ pods
    def _see(self, change: Change, pod: Json) -> None:
        self._dirty.set()
        uid, spec = pod["metadata"]["uid"], pod["spec"]
        if change == "DELETED":
            self._announced.pop(uid, None)
            if uid in self._pods:
                self._pods[uid].leave(0)
        elif uid in self._pods:
            self._maybe_leave(self._pods[uid], pod)
        elif spec.get("nodeName") == NODE:
            self._take(pod)
        elif "nodeName" not in spec and change == "ADDED":
            self._spawn(self._assign(pod))

    def _take(self, pod: Json) -> None:
        address = self._plane.addresses.pod(next(self._numbers))
        running = self._pods[pod["metadata"]["uid"]] = RunningPod(self._node, pod, address)
        self._maybe_leave(running, pod)
        self._spawn(self._keep(running))

    async def _keep(self, running: RunningPod) -> None:
        try:
            await running.live()
        finally:
            self._pods.pop(running.uid, None)

    def _maybe_leave(self, running: RunningPod, pod: Json) -> None:
        if "deletionTimestamp" in pod["metadata"]:
            running.leave(float(pod["metadata"].get("deletionGracePeriodSeconds") or 0))

    async def _assign(self, pod: Json) -> None:
        """What the scheduler does: binds the pod to this node, or says why it cannot."""
        meta = pod["metadata"]
        path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"
        trouble = _unfit(pod)
        told = {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": trouble,
        }
        target = {"apiVersion": "v1", "kind": "Node", "name": NODE}
        binding = {"metadata": {"name": meta["name"], "uid": meta["uid"]}, "target": target}
        while True:
            try:
                if trouble:
                    body = {"status": {"conditions": [{**told, "lastTransitionTime": moment()}]}}
                    await self._client.request("PATCH", f"{path}/status", body, kind=MERGE)
                else:
                    await self._client.request("POST", f"{path}/binding", binding)
            except ApiError:
                return  # deleted meanwhile
            except AwayError:
                await asyncio.sleep(_SAMPLE)
            else:
                return

    def _is_here(self, namespace: str, pod: str) -> bool:
        return any((each.namespace, each.name) == (namespace, pod) for each in self._pods.values())

    def _container(self, namespace: str, pod: str, container: str) -> Container:
        for running in self._pods.values():
            if (running.namespace, running.name) == (namespace, pod):
                for each in running.containers:
                    if not container or each.name == container:
                        return each
        raise LookupError(f"no container {container} of pod {pod} in {namespace} is here")

    # ------------------------------------------------------------ services
    def _services_for(self, namespace: str) -> list[Json]:
        """Those that a container is told of: its namespace's own, and the API server."""
        return [
            each
            for each in self._services.objects.values()
            if each["metadata"]["namespace"] == namespace
            or each["metadata"]["name"] == "kubernetes"
        ]

    async def _announce(self, uid: str, address: str, ready: bool) -> None:
        if not ready:
            self._announced.pop(uid, None)
        elif uid not in self._announced:
            self._announced[uid] = address
            await self._lead_now()

    async def _keep_leading(self) -> None:
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            await self._lead_now()

    async def _lead_now(self) -> None:
        services = list(self._services.objects.values())
        targets: Targets = targets_of(services, self._known_pods.objects.values(), self._announced)
        targets[Address(self._plane.addresses.first_service, 443)] = (self._api,)
        await self._forwarder.lead(targets)
        content = _hosts(services)
        if content != self._node.hosts.read_text():
            self._node.hosts.write_text(content)

    # ------------------------------------------------------------ measuring
    async def _keep_measuring(self) -> None:
        while True:
            for pod in list(self._pods.values()):
                for container in pod.all():
                    self._measure(pod, container)
            await asyncio.sleep(_SAMPLE)

    def _measure(self, pod: RunningPod, container: Container) -> None:
        if container.sandbox is not None:
            key = (pod.namespace, pod.name, container.name)
            self._peaks[key] = max(self._peaks.get(key, 0), container.sandbox.memory())

    # ------------------------------------------------------------ tasks
    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._failure = task.exception()
            self._stop.set()

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)


@contextmanager
def kubelet_of(
    plane: ControlPlane, folder: Path, images: Sequence[Image], pace: Pace = PACE
) -> Iterator[Kubelet]:
    """A node for a control plane; its containers are gone when the block ends."""
    kubelet = Kubelet(plane, folder, images, pace)
    kubelet.start()
    try:
        yield kubelet
    finally:
        kubelet.end()


def _unfit(pod: Json) -> str:
    """Why no node takes the pod, in the words of the scheduler."""
    spec = pod["spec"]
    nothing = "0/1 nodes are available: 1 "
    if any(_LABELS.get(name) != value for name, value in spec.get("nodeSelector", {}).items()):
        return f"{nothing}node(s) didn't match Pod's node affinity/selector."
    for what in ("cpu", "memory"):
        asked = [
            each.get("resources", {}).get("requests", {}).get(what, "0")
            for each in spec["containers"]
        ]
        if sum(map(quantity, asked)) > quantity(_CAPACITY[what]):
            return f"{nothing}Insufficient {what}."
    return ""


def _hosts(services: Sequence[Json] | tuple[()]) -> str:
    """Stands for the cluster's name service: the names of all Services in a file."""
    lines = ["127.0.0.1 localhost", "::1 localhost"]
    for service in services:
        name, space = service["metadata"]["name"], service["metadata"]["namespace"]
        address = service["spec"].get("clusterIP")
        if address not in (None, "", "None"):
            full = f"{name}.{space}.svc"
            lines.append(f"{address} {full}.cluster.local {full} {name}.{space}")
    return "\n".join([*lines, ""])

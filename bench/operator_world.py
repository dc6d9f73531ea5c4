"""A cluster with an operator in it, for the benchmark of the operator: bulk writes, waits, and what a process tree uses."""

from __future__ import annotations

import contextlib
import http.client
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import msgspec
from tests.control_plane.binaries import find_or_build
from tests.control_plane.images import product_image
from tests.control_plane.kubelet import Kubelet, kubelet_of
from tests.control_plane.plane import ControlPlane, control_plane_in
from tests.faults.kubernetes.cluster import SYSTEM, install, make_namespace, operator_kubeconfig
from tests.faults.kubernetes.operating import OperatorProcess

from thv.domain.canonical import JsonObject
from thv.domain.resources import MCP_REGISTRY

NAMESPACE = "bench"
OPERATOR = "toolhive-registry-operator"
WRITERS = 8
_GROUP = f"/apis/{MCP_REGISTRY.api_version}/namespaces/{NAMESPACE}"
REGISTRIES = f"{_GROUP}/{MCP_REGISTRY.plural}"
SERVERS = f"{_GROUP}/mcpservers"
CONFIG_MAPS = f"/api/v1/namespaces/{NAMESPACE}/configmaps"


# ---------------------------------------------------------------- what a process tree uses


def tree(pid: int) -> Iterator[int]:
    """The process and all that it started."""
    yield pid
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from tree(int(child))


def memory(pid: int, key: str = "Pss") -> float:
    """Proportional memory of one process in MB, or another line of the kernel's; 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return int(next(line for line in lines if line.startswith(f"{key}:")).split()[1]) / 1000


def cpu(pid: int) -> float:
    """Seconds of CPU of one process and of the children that it waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")


class Peak:
    """The most memory that a process tree had at once, looked at twenty times a second."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.most = self.resident = 0.0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def settled(self, seconds: float = 5.0) -> float:
        """The most so far, after some time in which nothing more is to be done.

        `resident` counts in full what others of this machine share, as if nobody did.
        """
        time.sleep(seconds)
        if not memory(self._pid):
            raise RuntimeError("the process has ended")
        return self.most

    def _look(self) -> None:
        while not self._end.wait(0.05):
            pids = list(tree(self._pid))
            self.most = max(self.most, sum(memory(pid) for pid in pids))
            self.resident = max(self.resident, sum(memory(pid, "Rss") for pid in pids))


# ---------------------------------------------------------------- the cluster


class World:
    """A control plane with our kinds and roles, and the hand of its admin."""

    def __init__(self, plane: ControlPlane, folder: Path) -> None:
        self.plane = plane
        self._folder = folder
        self._local = threading.local()
        self.kubeconfig = operator_kubeconfig(plane)

    def folder(self, name: str) -> Path:
        made = self._folder / name
        made.mkdir()
        return made

    def operator(
        self, kubeconfig: Path | None = None, *, allow: str = "", operations: str = "127.0.0.1:0"
    ) -> OperatorProcess:
        """The operator of all namespaces, which tells figures at `operations`; begin it by `with`."""
        return OperatorProcess(
            kubeconfig or self.kubeconfig,
            Path(tempfile.mkdtemp(dir=self._folder)),
            namespace=SYSTEM,
            THV_ALLOW=allow,
            THV_LISTEN_OPERATIONS=operations,
        )

    def create(self, objects: Iterable[tuple[str, JsonObject]]) -> float:
        """Makes many objects as fast as the API server takes them; in how many seconds."""
        began = time.perf_counter()
        with ThreadPoolExecutor(WRITERS) as pool:
            for _ in pool.map(lambda made: self._send("POST", *made), objects):
                pass
        return time.perf_counter() - began

    def edit(self, path: str, patch: JsonObject) -> None:
        """A merge patch."""
        self._send("PATCH", path, patch)

    def ready(self) -> int:
        """How many registries are Ready."""
        count, more = 0, ""
        while True:
            page = self._send("GET", f"{REGISTRIES}?limit=250{more}", None)
            count += sum(_is_ready(item) for item in page["items"])
            if not page["metadata"].get("continue"):
                return count
            more = f"&continue={page['metadata']['continue']}"

    def _send(self, method: str, path: str, body: JsonObject | None) -> Any:
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        content = None if body is None else msgspec.json.encode(body)
        connection = self._connection()
        connection.request(method, path, content, {"Content-Type": kind})
        answer = connection.getresponse()
        said = answer.read()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status} {said[:300].decode()}")
        return msgspec.json.decode(said)

    def _connection(self) -> http.client.HTTPSConnection:
        """One for each thread."""
        if not hasattr(self._local, "connection"):
            place = self.plane.url.removeprefix("https://")
            made = http.client.HTTPSConnection(place, context=self.plane.tls, timeout=60)
            self._local.connection = made
        found: http.client.HTTPSConnection = self._local.connection
        return found


def _is_ready(registry: JsonObject) -> bool:
    conditions = registry.get("status", {}).get("conditions", ())
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


@contextlib.contextmanager
def world() -> Iterator[World]:
    """A new cluster, gone at the end."""
    with tempfile.TemporaryDirectory(prefix="thv-bench-") as name:
        folder = Path(name)
        (folder / "plane").mkdir()
        with control_plane_in(folder / "plane", find_or_build()) as plane:
            install(plane)
            make_namespace(plane, NAMESPACE)
            yield World(plane, folder)


@contextlib.contextmanager
def running() -> Iterator[tuple[World, Kubelet]]:
    """A new cluster whose pods run, and in it the operator as it is shipped."""
    with (
        tempfile.TemporaryDirectory(prefix="thv-bench-", dir="/var/tmp") as product,
        world() as made,
    ):
        Path(product).chmod(0o755)
        node = made.folder("node")
        with kubelet_of(made.plane, node, [product_image(Path(product))]) as kubelet:
            wait = ("wait", "--for=condition=Available", "--timeout=60s", "-n", SYSTEM)
            done = made.plane.kubectl(*wait, f"deployment/{OPERATOR}")
            if done.returncode:
                raise RuntimeError(done.stderr)
            yield made, kubelet


def until(holds: Callable[[], bool], seconds: float, pause: float = 0.25) -> float:
    """Waits for it; how long it took."""
    began = time.perf_counter()
    while not holds():
        if time.perf_counter() - began > seconds:
            raise TimeoutError(f"nothing happened within {seconds:.0f} s")
        time.sleep(pause)
    return time.perf_counter() - began


# ---------------------------------------------------------------- objects


def config_map(name: str, content: str, key: str = "registry.json") -> tuple[str, JsonObject]:
    return CONFIG_MAPS, {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name},
        "data": {key: content},
    }


def registry(name: str, source: JsonObject, **api: Any) -> tuple[str, JsonObject]:
    return REGISTRIES, {
        "apiVersion": MCP_REGISTRY.api_version,
        "kind": MCP_REGISTRY.kind,
        "metadata": {"name": name},
        "spec": {"source": source, "api": api},
    }


def configmap_source(name: str, key: str = "registry.json") -> JsonObject:
    return {"type": "configmap", "configMap": {"name": name, "key": key}}

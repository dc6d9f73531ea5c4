"""The product on a cluster whose pods run: a served official API end to end, how soon an edit is served, many APIs.

    python -m bench.cluster [PART ...]

A control plane and a node of its own for each part; operator and APIs run as pods, from an installed wheel, with the
shipped rights. Memory is the most proportional set size of a pod's processes together. The status is 1 when a figure
is above its bar.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.control_plane.binaries import find_or_build
from tests.control_plane.cluster import Cluster, Place
from tests.control_plane.fixtures import namespace_in
from tests.control_plane.images import product_image, python_image
from tests.control_plane.kubelet import kubelet_of
from tests.control_plane.plane import control_plane_in

from bench.sync import Row, Upstream

ROOT = Path(__file__).resolve().parent.parent
SYSTEM = "toolhive-system"
OPERATOR = "deployment/toolhive-registry-operator"
MEGA = 1024 * 1024


@contextmanager
def installed(**environ: str) -> Iterator[Cluster]:
    """A cluster with the product."""
    with (
        tempfile.TemporaryDirectory(prefix="thv-bench-", dir="/var/tmp") as name,
        tempfile.TemporaryDirectory() as plane_folder,
        tempfile.TemporaryDirectory() as node_folder,
        control_plane_in(Path(plane_folder), find_or_build()) as plane,
    ):
        folder = Path(name)
        folder.chmod(0o755)
        images = [python_image(), product_image(folder)]
        with kubelet_of(plane, Path(node_folder), images) as kubelet:
            cluster = Cluster(plane, kubelet)
            system = Place(cluster, SYSTEM)
            for path in ("charts/toolhive-registry-crds/crds", "deploy/install.yaml"):
                system.kubectl("apply", "--server-side", "-f", str(ROOT / path))
            if environ:
                words = [f"{key}={value}" for key, value in environ.items()]
                system.kubectl("set", "env", OPERATOR, *words)
                system.kubectl("rollout", "status", OPERATOR, "--timeout=60s")
            system.wait("condition=Available", OPERATOR, seconds=60)
            yield cluster


@contextmanager
def place_in(cluster: Cluster) -> Iterator[Place]:
    with namespace_in(cluster.plane) as name:
        yield Place(cluster, name)


def registry(name: str, source: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "toolhive.stacklok.io/v1alpha1",
        "kind": "MCPRegistry",
        "metadata": {"name": name},
        "spec": {"source": source, "api": {"anonymousRead": True}, **spec},
    }


def content(name: str, mark: str, count: int = 10) -> dict[str, Any]:
    servers = {
        f"{mark}-{number}": {
            "description": f"The server {number}",
            "tier": "Official",
            "status": "active",
            "transport": "stdio",
            "image": f"ghcr.io/example/server-{number}:1.0.0",
            "tools": ["look"],
        }
        for number in range(count)
    }
    document = json.dumps({"version": "1.0.0", "servers": servers})
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name},
        "data": {"registry.json": document},
    }


def configmap(name: str) -> dict[str, Any]:
    return {"type": "configmap", "configMap": {"name": name}}


def peak(place: Place, word: str) -> float:
    """The most memory of the pods whose name holds the word, in MB."""
    peaks = place.cluster.kubelet.peak_memory(place.namespace)
    return max((size for pod, size in peaks.items() if word in pod), default=0) / MEGA


def until(holds: Callable[[], bool], seconds: float, pause: float = 0.02) -> float:
    begin = time.perf_counter()
    while not holds():
        if time.perf_counter() - begin > seconds:
            raise TimeoutError
        time.sleep(pause)
    return time.perf_counter() - begin


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.load(answer)


# ---------------------------------------------------------------- parts


def large(count: int = 228_000) -> Iterator[Row]:
    """A served official API with all its versions."""
    with Upstream("--versions", str(count)) as up:
        host = up.url.removeprefix("http://")
        with installed(THV_ALLOW=host) as cluster, place_in(cluster) as place:
            source = {"type": "registry", "registry": {"url": up.url, "versions": "all"}}
            begin = time.perf_counter()
            place.apply(registry("official", source))
            place.wait("condition=Ready", "mcpreg/official", seconds=900)
            yield f"{count:,} versions: until Ready", time.perf_counter() - begin, None, "s"
            status = place.get("mcpreg", "official")["status"]
            yield f"{count:,} versions: served", status["versionCount"], None, ""
            yield f"{count:,} versions: chunks", len(status["snapshot"]["chunks"]), 64, ""
            base = place.url("official-api")
            found = get(f"{base}/v0.1/servers?limit=100")
            assert len(found["servers"]) == 100, found
            info = get(f"{base}/api/v1/servers?limit=1")
            total = info["metadata"].get("total_count")
            yield f"{count:,} versions: names told by the API", float(total or 0), None, ""
            walked, cursor = 0, ""
            while True:
                page = get(f"{base}/v0.1/servers?limit=100{f'&cursor={cursor}' if cursor else ''}")
                walked += len(page["servers"])
                cursor = page["metadata"].get("nextCursor", "")
                if not cursor:
                    break
            yield f"{count:,} versions: walked through /v0.1/servers", walked, None, ""
            system = Place(cluster, SYSTEM)
            yield f"{count:,} versions: operator", peak(system, "operator"), 110.0, "MB"
            yield f"{count:,} versions: API pod", peak(place, "official-api"), 120.0, "MB"


def fresh(edits: int = 100) -> Iterator[Row]:
    """From the edit of a ConfigMap to the changed answer."""
    with installed() as cluster, place_in(cluster) as place:
        place.apply(content("data", "first"), registry("corp", configmap("data")))
        place.wait("condition=Ready", "mcpreg/corp", seconds=60)
        base = place.url("corp-api")
        taken = []
        for number in range(edits):
            mark = f"edit{number}"
            body = content("data", mark)
            path = f"/api/v1/namespaces/{place.namespace}/configmaps/data"
            cluster.plane.request("PUT", path, body)

            def served(mark: str = mark) -> bool:
                servers = get(f"{base}/api/v1/servers")["servers"]
                return all(mark in server["name"] for server in servers)

            taken.append(until(served, 30))
        taken.sort()
        yield f"{edits} edits: median until served", taken[len(taken) // 2], None, "s"
        yield f"{edits} edits: p99 until served", taken[int(len(taken) * 0.99) - 1], 2.0, "s"


def several(count: int, title: str, most: float, **api: Any) -> Iterator[Row]:
    with installed() as cluster, place_in(cluster) as place:
        numbers = range(count)
        maps = [content(f"data-{number}", f"s{number}") for number in numbers]
        for part in _parts(maps):
            place.apply(*part)
        made = [
            registry(f"r{number}", configmap(f"data-{number}"), api={"anonymousRead": True, **api})
            for number in numbers
        ]
        begin = time.perf_counter()
        path = f"/apis/toolhive.stacklok.io/v1alpha1/namespaces/{place.namespace}/mcpregistries"
        for each in made:
            cluster.plane.request("POST", path, each)
        yield f"{title}: created", time.perf_counter() - begin, None, "s"

        def ready() -> bool:
            items = cluster.plane.request("GET", path)["items"]
            return sum(map(is_ready, items)) == count

        until(ready, most * 3, 1.0)
        yield f"{title}: until Ready", time.perf_counter() - begin, most, "s"
        answered = sum(
            len(get(f"{place.url(f'r{number}-api')}/api/v1/servers")["servers"]) == 10
            for number in range(0, count, max(1, count // 20))
        )
        yield f"{title}: APIs that answer, of a sample", answered, None, ""
        yield f"{title}: operator", peak(Place(cluster, SYSTEM), "operator"), 100.0, "MB"
        yield f"{title}: largest API pod", peak(place, ""), None, "MB"


def reads(rounds: int = 15) -> Iterator[Row]:
    """What a read of the command line takes over kubectl's same read, of the best of some turns of each."""
    with installed() as cluster, place_in(cluster) as place:
        place.apply(content("data", "first"), registry("corp", configmap("data")))
        place.wait("condition=Ready", "mcpreg/corp", seconds=60)
        environ = {**os.environ, "KUBECONFIG": str(cluster.plane.kubeconfig)}
        theirs = [str(cluster.plane.binaries.path("kubectl")), "get", "mcpreg"]
        ours = {
            words: [str(Path(sys.executable).with_name("thv")), *words.split()]
            for words in ("registry list", "get mcpreg")
        }
        scope = ["-n", place.namespace]
        flags = [*scope, "--backend", "kubernetes"]
        commands = {"": [*theirs, *scope]} | {key: [*line, *flags] for key, line in ours.items()}
        best = dict.fromkeys(commands, float("inf"))
        for _ in range(rounds):  # in turns, so that a busy moment hits all of them
            for words, command in commands.items():
                begin = time.perf_counter()
                subprocess.run(command, env=environ, check=True, capture_output=True)
                best[words] = min(best[words], time.perf_counter() - begin)
        floor = best.pop("")
        yield "kubectl get mcpreg", floor * 1000, None, "ms"
        for words, seconds in best.items():
            yield f"thv {words}: over kubectl", (seconds - floor) * 1000, 150.0, "ms"


def _parts(items: list[Any]) -> Iterator[list[Any]]:
    for at in range(0, len(items), 200):
        yield items[at : at + 200]


def is_ready(obj: dict[str, Any]) -> bool:
    conditions = obj.get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


PARTS: dict[str, Callable[[], Iterator[Row]]] = {
    "reads": reads,
    "large": large,
    "fresh": fresh,
    "dedicated": lambda: several(20, "20 dedicated APIs", 20.0),
    "shared": lambda: several(1000, "1,000 shared APIs", 180.0, mode="shared"),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.cluster")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parts = parser.parse_args().parts or list(PARTS)
    if unknown := set(parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    missed = 0
    for part in parts:
        for what, value, bar, unit in PARTS[part]():
            over = bar is not None and value > bar
            missed += over
            limit = "" if bar is None else f"  (at most {bar:g}){'  MISSED' if over else ''}"
            print(f"{what:<60} {value:>10.2f} {unit}{limit}", flush=True)
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())

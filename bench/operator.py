"""What the operator needs: memory, time until many registries are ready, work at rest, time until an edit is served.

    python -m bench.operator [PART ...]

Each part begins with a new control plane and a new process of the installed console script, which has the shipped
rights and no others. Memory is the proportional set size of the process and of all that it starts, at its peak.
The status is 1 when a figure is above its bar.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

from tests.control_plane.kubelet import Kubelet
from tests.faults.kubernetes.cluster import SYSTEM
from tests.faults.kubernetes.proxy import FaultProxy
from tests.git_server import git_host

from bench.operator_world import (
    CONFIG_MAPS,
    NAMESPACE,
    SERVERS,
    Peak,
    World,
    config_map,
    configmap_source,
    cpu,
    registry,
    running,
    until,
    world,
)
from bench.registry_api import free_port, made_items
from bench.sync import Row, served_files
from thv.domain.canonical import JsonObject

SETTLE = 5.0
"""Seconds that something is looked at when nothing more is to be done."""
SCRAPES = 20

# ---------------------------------------------------------------- memory


def idle() -> Iterator[Row]:
    with world() as cluster, cluster.operator() as operator, Peak(operator.pid) as peak:
        yield "memory, nothing to do", peak.settled(), 55.0, "MB"
        yield "memory, nothing to do, if nothing were shared", peak.resident, None, "MB"


def entries_by_url() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as name, served_files(Path(name)) as url:
        Path(name, "registry.json").write_bytes(document(10_000))
        source = {"type": "url", "url": {"url": f"{url}/registry.json"}}
        yield from _one_registry(source, url.removeprefix("http://"), "URL")


def entries_by_git() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as name, git_host(Path(name)) as host:
        host.repository("bench").commit({"registry.json": document(10_000)})
        source = {"type": "git", "git": {"repository": host.url("bench")}}
        yield from _one_registry(source, host.url("bench").split("/")[2], "Git")


def _one_registry(source: JsonObject, place: str, title: str) -> Iterator[Row]:
    label = f"10,000 entries by {title}"
    with (
        world() as cluster,
        cluster.operator(allow=place) as operator,
        Peak(operator.pid) as peak,
    ):
        cluster.create([registry("large", source, enabled=False)])
        yield f"{label}: time", until(lambda: cluster.ready() == 1, 120), None, "s"
        yield f"{label}: memory", peak.settled(), 65.0, "MB"
        yield f"{label}: memory, if nothing were shared", peak.resident, None, "MB"


def servers() -> Iterator[Row]:
    with world() as cluster:
        with cluster.operator() as operator, Peak(operator.pid) as peak:
            cluster.create(_mcp_server(number) for number in range(10_000))
            yield "10,000 MCPServers come: memory", peak.settled(), 85.0, "MB"
        with cluster.operator() as operator, Peak(operator.pid) as peak:
            yield "10,000 MCPServers are there: memory", peak.settled(), 85.0, "MB"


def _mcp_server(number: int) -> tuple[str, JsonObject]:
    return SERVERS, {
        "apiVersion": "toolhive.stacklok.io/v1alpha1",
        "kind": "MCPServer",
        "metadata": {"name": f"server-{number}", "labels": {"team": f"team-{number % 20}"}},
        "spec": {"image": f"ghcr.io/example/server-{number}:1.0.0", "transport": "stdio"},
    }


# ---------------------------------------------------------------- many registries


def thousand() -> Iterator[Row]:
    place = f"127.0.0.1:{free_port()}"
    with (
        world() as cluster,
        cluster.operator(operations=place) as operator,
        Peak(operator.pid) as peak,
    ):
        before = cpu(operator.pid)
        yield from _many(cluster, 1000, "no API", 60.0, enabled=False)
        yield "1,000 registries: memory", peak.settled(), 100.0, "MB"
        yield "1,000 registries: CPU", cpu(operator.pid) - before, None, "s"
        yield from _scraped(operator.pid, f"http://{place}/metrics")


def _scraped(pid: int, address: str) -> Iterator[Row]:
    """What a collector asks for every half a minute."""
    before, seconds = cpu(pid), list[float]()
    for _ in range(SCRAPES):
        began = time.perf_counter()
        with urllib.request.urlopen(address) as answer:
            size = len(answer.read())
        seconds.append(time.perf_counter() - began)
    yield "1,000 registries: a scrape", median(seconds), 0.2, "s"
    yield "1,000 registries: a scrape, CPU", (cpu(pid) - before) / SCRAPES, None, "s"
    yield "1,000 registries: what it tells", size / 1e6, None, "MB"


def shared() -> Iterator[Row]:
    with running() as (cluster, kubelet):
        yield from _many(cluster, 1000, "a shared API", 180.0, mode="shared")
        yield "1,000 registries, a shared API: operator", _peak(kubelet, SYSTEM), 100.0, "MB"
        yield "1,000 registries, a shared API: its pod", _peak(kubelet, NAMESPACE), None, "MB"


def dedicated() -> Iterator[Row]:
    with running() as (cluster, kubelet):
        yield from _many(cluster, 20, "an API each", 20.0)
        yield "20 registries, an API each: a pod", _peak(kubelet, NAMESPACE), None, "MB"


def _many(cluster: World, count: int, title: str, bar: float, **api: Any) -> Iterator[Row]:
    """Registries of 10 entries, made at once."""
    label, content = f"{count:,} registries, {title}", document(10).decode()
    cluster.create(config_map(f"servers-{number}", content) for number in range(count))
    began = time.perf_counter()
    sources = (configmap_source(f"servers-{number}") for number in range(count))
    created = cluster.create(registry(f"r-{n}", source, **api) for n, source in enumerate(sources))
    until(lambda: cluster.ready() == count, 10 * bar, pause=1.0 if count > 100 else 0.1)
    yield f"{label}: ready", time.perf_counter() - began, bar, "s"
    yield f"{label}: creation", created, None, "s"


def _peak(kubelet: Kubelet, namespace: str) -> float:
    """MB of the largest pod."""
    time.sleep(SETTLE)
    return max(kubelet.peak_memory(namespace).values()) / 1e6


def rest() -> Iterator[Row]:
    """A hundred registries that nothing happens to."""
    with world() as cluster, _proxied(cluster) as (proxy, kubeconfig):
        content = document(10).decode()
        with cluster.operator(kubeconfig) as operator:
            cluster.create(config_map(f"servers-{number}", content) for number in range(100))
            cluster.create(
                registry(f"r-{n}", configmap_source(f"servers-{n}"), enabled=False)
                for n in range(100)
            )
            until(lambda: cluster.ready() == 100, 60)
            time.sleep(SETTLE)
            journal, mark = proxy.journal, proxy.journal.mark()
            asked, used = journal.requests, cpu(operator.pid)
            time.sleep(60)
            heartbeats = len(journal.writes) - mark - len(journal.since(mark))
            yield "100 registries at rest: CPU", (cpu(operator.pid) - used) / 60, 0.02, "core"
            yield "100 registries at rest: writes", len(journal.since(mark)), 0, "a minute"
            yield "100 registries at rest: heartbeats", heartbeats, None, "a minute"
            yield "100 registries at rest: requests", journal.requests - asked, None, "a minute"


@contextlib.contextmanager
def _proxied(cluster: World) -> Iterator[tuple[FaultProxy, Path]]:
    """A proxy that only looks, and the operator's way through it."""
    with tempfile.TemporaryDirectory() as name:
        place = cluster.plane.url, cluster.plane.ca_file, Path(name)
        with FaultProxy(*place) as proxy:
            yield proxy, proxy.kubeconfig(cluster.kubeconfig)


def freshness() -> Iterator[Row]:
    """A ConfigMap is edited a hundred times; how long its registry answers as before."""
    with running() as (cluster, _):
        source = configmap_source("servers")
        cluster.create([config_map("servers", document(10).decode())])
        cluster.create([registry("corp", source, anonymousRead=True)])
        until(lambda: cluster.ready() == 1, 60)
        url = cluster.plane.service_url(NAMESPACE, "corp-api") + "/api/v1/servers?limit=1"
        took = sorted(_edited(cluster, url, 11 + number % 50) for number in range(100))
        yield "an edit until it is answered: p50", took[49], None, "s"
        yield "an edit until it is answered: p99", took[98], 2.0, "s"


def _edited(cluster: World, url: str, count: int) -> float:
    content = document(count).decode()
    began = time.perf_counter()
    cluster.edit(f"{CONFIG_MAPS}/servers", {"data": {"registry.json": content}})
    until(lambda: _total(url) == count, 30, pause=0.005)
    return time.perf_counter() - began


def _total(url: str) -> int:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return int(json.load(answer)["metadata"]["total_count"])


# ---------------------------------------------------------------- content


def document(count: int) -> bytes:
    return json.dumps([item["server"] for item in made_items(count)]).encode()


PARTS: dict[str, Callable[[], Iterator[Row]]] = {
    "idle": idle,
    "entries-url": entries_by_url,
    "entries-git": entries_by_git,
    "servers": servers,
    "thousand": thousand,
    "rest": rest,
    "shared": shared,
    "dedicated": dedicated,
    "freshness": freshness,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.operator")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    asked = parser.parse_args()
    unknown = set(asked.parts) - PARTS.keys()
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    missed = 0
    for part in asked.parts or PARTS:
        for what, value, bar, unit in PARTS[part]():
            above = bar is not None and value > bar
            missed += above
            limit = f"   bar {bar:g}{'   MISSED' if above else ''}" if bar is not None else ""
            print(f"{what:56}{value:10.3f} {unit}{limit}", flush=True)
    return min(missed, 1)


if __name__ == "__main__":
    sys.exit(main())

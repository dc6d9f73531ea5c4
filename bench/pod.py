"""The figures of a registry's pod on a cluster: memory, answers a second, and how soon a change is served.

    python -m bench.pod [memory | speed | change | shared]...

A control plane of its own runs beside it; the process is the installed console script with its own ServiceAccount.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import msgspec
from tests.apps.registry_api.cluster import Pod, Team, pss, rule
from tests.apps.registry_api.pods import LIST, a_pod, a_team
from tests.contracts.cluster import a_namespace
from tests.control_plane.binaries import find_or_build
from tests.control_plane.plane import ControlPlane, control_plane_in
from tests.go_programs import MissingError
from tests.ports import free_ports
from tests.stores.models.world import World, an_entry

from bench.registry_api import made_item
from thv.domain.canonical import canonical
from thv.domain.entry import Entry
from thv.domain.resources import GROUP, MCP_REGISTRY, uid_of
from thv.domain.snapshot import Record, SnapshotDigest, SnapshotRef
from thv.stores.chunks.base import Owner
from thv.stores.chunks.configmaps import ConfigMapChunks
from thv.sync.write import write_all

SEED = 7
MOST_IDLE, MOST_LARGE = 40.0, 120.0
"""MB; the second is what a pod may take that serves the whole official registry."""
MOST_CHANGE = 1.0
"""Seconds from the write of the first chunk until the change is answered, 99 of 100 times."""
LARGE = 228_000
VERSIONS = 11.4
_WORDS = [
    "search",
    "mail",
    "files",
    "notes",
    "issues",
    "graph",
    "weather",
    "chart",
    "cloud",
    "build",
    "queue",
    "vector",
    "image",
    "audio",
    "map",
]


# ---------------------------------------------------------------- content


def records(count: int) -> Iterator[Record]:
    """Versions of servers as the official registry has them, in key order."""
    rnd = random.Random(SEED)  # the same in every run
    names = sorted(
        f"io.github.user{rnd.randrange(9999)}/{rnd.choice(_WORDS)}-{n}"
        for n in range(int(count / VERSIONS))
    )
    for number, name in enumerate(names):
        item = made_item(rnd, name, rnd.sample(_WORDS, 3))
        item["server"].pop("_meta")
        last = int((number + 1) * count / len(names)) - int(number * count / len(names))
        versions = sorted(f"1.{minor}.0" for minor in range(last))
        for version in versions:
            yield _record(item, version, latest=version == f"1.{last - 1}.0")


def _record(item: dict[str, Any], version: str, *, latest: bool) -> Record:
    server = {**item["server"], "version": version}
    entry = Entry(
        server=server, published_at="2026-10-01T08:00:00Z", updated_at="2026-10-01T08:00:00Z"
    )
    content = canonical(entry.content)
    return Record(
        name=entry.name,
        version=version,
        digest="sha256:" + hashlib.sha256(content).hexdigest(),
        entry=msgspec.Raw(content),
        published_at=entry.published_at,
        updated_at=entry.updated_at,
        latest=latest,
    )


async def publish(team: Team, count: int) -> SnapshotRef:
    registry = await team.store.get(MCP_REGISTRY, team.namespace, "corp")
    owner = Owner(team.namespace, "corp", uid_of(registry))
    digest = SnapshotDigest()

    async def every() -> AsyncIterator[Record]:
        for record in records(count):
            digest.add(record.name, record.version, record.digest)
            yield record

    refs = await write_all(ConfigMapChunks(team.store), owner, every(), count)
    snapshot = SnapshotRef(
        digest=digest.value(),
        entries=count,
        bytes=sum(ref.bytes for ref in refs),
        created_at="2026-11-20T10:00:00.000Z",
        spec_digest="sha256:spec",
        store="configmap",
        chunks=refs,
    )
    await team.flip("corp", snapshot)
    return snapshot


# ---------------------------------------------------------------- measuring


class Peak:
    """The most memory of a process in MB, looked at twenty times a second."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.most = 0.0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(0.05):
            self.most = max(self.most, pss(self._pid))


def told(what: str, value: float, unit: str, most: float | None = None) -> bool:
    is_good = most is None or value <= most
    bound = "" if most is None else f"  (at most {most:g}{'' if is_good else '; TOO MUCH'})"
    print(f"{what:58} {value:10.2f} {unit}{bound}", flush=True)
    return is_good


def size(folder: Path) -> float:
    """MB of all files below."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


async def memory(team: Team, folder: Path) -> bool:
    is_good = True
    for count in (0, 10_000, LARGE):
        place = folder / str(count)
        with a_pod(team, place) as pod:
            pod.until("a sign of life", lambda: pod.alive() == 200)
            if count:
                is_good &= await _loaded(team, pod, count)
            else:
                await asyncio.sleep(1)
                is_good &= told("idle, nothing served: PSS", pss(pod.pid), "MB", MOST_IDLE)
    return is_good


async def _loaded(team: Team, pod: Pod, count: int) -> bool:
    token = team.token("alice")
    snapshot = await publish(team, count)
    began = time.monotonic()
    with Peak(pod.pid) as peak:
        pod.until("content", lambda: _served(pod, token) == snapshot.digest, 300)
        took = time.monotonic() - began
        for path in _walk(pod, token):
            assert pod.get(path, token).status == 200, path
    told(f"{count}: chunks", snapshot.bytes / 1e6, f"MB in {len(snapshot.chunks)}")
    told(f"{count}: pointer to served", took, "s")
    told(f"{count}: read model on disk", size(pod.folder / "data"), "MB")
    told(f"{count}: PSS afterwards", pss(pod.pid), "MB")
    return told(f"{count}: peak PSS, build included", peak.most, "MB", MOST_LARGE)


def _served(pod: Pod, token: str) -> str:
    reply = pod.get("/api/v1/info", token)
    return str(reply.json["snapshot"]["digest"]) if reply.status == 200 else ""


def _walk(pod: Pod, token: str) -> Iterator[str]:
    """A little of everything that takes memory."""
    yield from (f"{LIST}?limit=1000&sort={sort}" for sort in ("name", "-updated"))
    yield from (f"{LIST}?search={word}&limit=100" for word in _WORDS)
    yield f"{LIST}?version=all&limit=1000"
    cursor = ""
    for _ in range(50):
        path = f"/v0.1/servers?limit=100{cursor}"
        yield path
        cursor = f"&cursor={pod.get(path, token).json['metadata']['nextCursor']}"
    yield "/api/v1/export?format=upstream"


async def speed(team: Team, folder: Path) -> bool:
    await publish(team, 10_000)
    token = team.reader("bob")
    tokens = [team.token("bob") for _ in range(200)]
    path = f"{LIST}/io.github.user1/x"
    with a_pod(team, folder) as pod:
        pod.until("content", lambda: pod.get(LIST, token).status == 200, 60)
        name = pod.get(f"{LIST}?limit=1", token).json["servers"][0]["name"]
        path = f"{LIST}/{name.replace('/', '%2F')}"
        warm = await load(pod, path, lambda: token)
        told("answers a second, one connection each of 16, warm", warm, "/s")
        cold = await load(pod, path, iter(tokens * 1000).__next__, most=len(tokens))
        told("answers a second, every token for the first time", cold, "/s")
        await team.set_api("corp", anonymousRead=True)
        pod.until("an open door", lambda: pod.get(path).status == 200)
        told("answers a second without a token", await load(pod, path, lambda: ""), "/s")
        await team.set_api("corp", anonymousRead=False)
    return True


async def load(pod: Pod, path: str, token: Callable[[], str], most: int = 10**9) -> float:
    """Answers a second over 16 connections for five seconds, or until so many came."""
    answers = 0
    until = time.monotonic() + 5

    async def connection() -> None:
        nonlocal answers
        reader, writer = await asyncio.open_connection("127.0.0.1", pod.port)
        while time.monotonic() < until and answers < most:
            given = token()
            header = f"Authorization: Bearer {given}\r\n" if given else ""
            writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n{header}\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
            answers += 1
        writer.close()

    began = time.monotonic()
    await asyncio.gather(*(connection() for _ in range(16)))
    return answers / (time.monotonic() - began)


async def change(team: Team, folder: Path) -> bool:
    await team.set_api("corp", anonymousRead=True)
    world = World(*(an_entry(f"com.example/n{number}") for number in range(50)))
    await team.publish(world)
    taken, written = [], []
    with a_pod(team, folder) as pod:
        pod.until_ready()
        for number in range(100):
            world.put(an_entry(f"com.example/a{number}"))
            began = time.monotonic()
            await team.publish(world, delta=number % 10 > 0)
            written.append(time.monotonic() - began)
            path = f"{LIST}/com.example%2Fa{number}"
            await asyncio.to_thread(_answers, pod, path)
            taken.append(time.monotonic() - began)
    await team.set_api("corp", anonymousRead=False)
    told("change: writes of chunks, Role and pointer, median", statistics.median(written), "s")
    told("change: first write to changed answer, median", statistics.median(taken), "s")
    return told("change: p99", sorted(taken)[98], "s", MOST_CHANGE)


def _answers(pod: Pod, path: str) -> None:
    pod.until("the change", lambda: pod.get(path).status == 200)


async def shared(team: Team, folder: Path, count: int = 1000) -> bool:
    account = "registry-api-shared"
    team.account(account)
    team.allow(
        account, rule(GROUP, "mcpregistries", "get", "list", "watch"), rule("", "configmaps", "get")
    )
    team.allow_reviews(account)
    ports = free_ports(count)
    for number, port in enumerate(ports):
        name = f"r{number}"
        team.register_again(name, mode="shared", anonymousRead=True)
        world = World(*(an_entry(f"com.example/{name}-{entry}") for entry in range(10)))
        await team.point(name, await team.write(world, name))
        await team.set_status(name, apiStatus={"endpoint": "http://x", "targetPort": port})
    kubeconfig = team.plane.service_account(team.namespace, account)
    with Pod(kubeconfig, folder, "--namespace", team.namespace, "--shared") as pod:
        began = time.monotonic()
        with Peak(pod.pid) as peak:
            pod.until("readiness", lambda: pod.ready() == 200, 600)
            told(f"shared: {count} registries, start to ready", time.monotonic() - began, "s")
            assert all(len(pod.get(LIST, port=port).names) == 10 for port in ports)
        told("shared: peak PSS", peak.most, "MB")
        told("shared: read models on disk", size(folder / "data" / "models"), "MB")
        told("shared: copies on disk", size(folder / "data" / "registries"), "MB")
        before = cpu(pod.pid)
        await asyncio.sleep(20)
        told("shared: CPU at rest", (cpu(pod.pid) - before) / 20, "cores")
    return True


def cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


PARTS: Mapping[str, Callable[[Team, Path], Coroutine[None, None, bool]]] = {
    "memory": memory,
    "speed": speed,
    "change": change,
    "shared": shared,
}


@asynccontextmanager
async def _team(plane: ControlPlane) -> AsyncIterator[Team]:
    with a_namespace(plane) as namespace:
        async with a_team(plane, namespace) as team:
            team.register()
            team.reader("alice")
            yield team


async def measure(parts: list[str], folder: Path) -> bool:
    with control_plane_in(folder, find_or_build()) as plane:
        results = []
        for part in parts:
            async with _team(plane) as team:
                results.append(await PARTS[part](team, folder / part))
    return all(results)


def main() -> int:
    folder = Path(tempfile.mkdtemp(prefix="thv-bench-pod-"))
    try:
        return 0 if asyncio.run(measure(sys.argv[1:] or list(PARTS), folder)) else 1
    except MissingError as error:
        print(error)
        return 0
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    raise SystemExit(main())

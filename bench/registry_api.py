"""How much of the speed of a bare server the registry API keeps.

    python -m bench.registry_api [--seconds 5] [--entries 10000]

A server is pinned to one core, the load to another one, 16 connections, random names, filters and cursors over all
entries, nothing warmed; every floor is a bare ASGI application on the same uvicorn that answers the same bytes in
the same run. With THV_REAL_DATA (a JSON array of items of the official API) the entries are those.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import msgspec

from bench.registry_server import pin
from thv.domain.canonical import canonical
from thv.domain.entry import PUBLISHER_META, TOOLHIVE_PUBLISHER
from thv.domain.snapshot import ChunkRef, ChunkWriter, Record, SnapshotDigest, SnapshotRef, unpack
from thv.domain.taxonomy import NO_TAXONOMY
from thv.formats.official import entry_of
from thv.stores.models.apply import apply
from thv.stores.models.work import Moment

CONNECTIONS = 16
SEED = 20261121

WORDS = [
    "server",
    "tools",
    "database",
    "files",
    "search",
    "github",
    "issues",
    "weather",
    "calendar",
    "mail",
    "vector",
    "index",
    "query",
    "table",
    "schema",
    "browser",
    "page",
    "click",
    "image",
    "audio",
    "video",
    "speech",
    "translate",
    "summarize",
    "document",
    "pdf",
    "sheet",
    "chart",
    "metric",
    "log",
    "trace",
    "alert",
    "deploy",
    "cluster",
    "container",
    "registry",
    "secret",
    "token",
    "login",
    "user",
    "group",
    "policy",
    "audit",
    "scan",
    "vulnerability",
    "package",
    "release",
    "build",
    "test",
    "coverage",
    "lint",
    "format",
    "code",
    "review",
    "commit",
    "branch",
    "merge",
    "ticket",
    "project",
    "board",
    "sprint",
    "customer",
    "invoice",
    "payment",
    "order",
    "product",
    "stock",
    "price",
    "market",
    "news",
    "paper",
    "citation",
    "graph",
    "node",
    "edge",
    "map",
    "route",
    "place",
    "hotel",
    "flight",
    "ticketing",
    "music",
]
CATEGORIES = [
    "security",
    "web",
    "data",
    "developer-tools",
    "productivity",
    "media",
    "finance",
    "communication",
]
TIERS = ["Official", "Community", "Community", "Community"]
TRANSPORTS = ["stdio", "stdio", "streamable-http", "sse"]


# ---------------------------------------------------------------- content


def made_items(count: int) -> Iterator[dict[str, Any]]:
    """Entries as large and as varied as real ones, the same in every run."""
    rnd = random.Random(SEED)
    for number in range(count):
        words = rnd.sample(WORDS, 3)
        name = f"io.github.{rnd.choice(WORDS)}{rnd.randrange(400)}/{words[0]}-{words[1]}-{number}"
        yield made_item(rnd, name, words)


def made_item(rnd: random.Random, name: str, words: list[str]) -> dict[str, Any]:
    transport = rnd.choice(TRANSPORTS)
    image = f"ghcr.io/{name.removeprefix('io.github.')}:1.{rnd.randrange(9)}.{rnd.randrange(9)}"
    tools = [f"{rnd.choice(WORDS)}_{rnd.choice(WORDS)}" for _ in range(rnd.randrange(3, 10))]
    block = {
        "tier": rnd.choice(TIERS),
        "status": "Active" if rnd.random() < 0.95 else "Deprecated",
        "tags": rnd.sample(WORDS, 4),
        "tools": list(dict.fromkeys(tools)),
        "metadata": {
            "stars": int(rnd.paretovariate(0.9)),
            "pulls": int(rnd.paretovariate(0.7) * 10),
            "last_updated": "2026-11-20T08:00:00Z",
        },
        "permissions": {
            "network": {
                "outbound": {"allow_host": [f"api.{words[0]}.example"], "allow_port": [443]}
            }
        },
        "custom_metadata": {"category": rnd.choice(CATEGORIES), "team": rnd.choice("abcdef")},
        "provenance": {
            "repository_uri": f"https://github.com/{name}",
            "signer_identity": "/.github/workflows/release.yml",
        },
    }
    server = {
        "$schema": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
        "name": name,
        "title": " ".join(word.capitalize() for word in words),
        "description": " ".join(rnd.choice(WORDS) for _ in range(rnd.randrange(8, 14))),
        "version": f"1.{rnd.randrange(9)}.{rnd.randrange(9)}",
        "repository": {"url": f"https://github.com/{name}", "source": "github"},
        "packages": [
            {
                "registryType": "oci",
                "identifier": image,
                "transport": {
                    "type": transport,
                    **({"url": "http://localhost:8080"} if transport != "stdio" else {}),
                },
                "environmentVariables": [
                    {
                        "name": f"{word.upper()}_KEY",
                        "description": f"The {word} key of this server",
                        "isSecret": True,
                    }
                    for word in words[:2]
                ],
            }
        ],
        "_meta": {PUBLISHER_META: {TOOLHIVE_PUBLISHER: {image: block}}},
    }
    official = {
        "status": "active",
        "publishedAt": "2026-10-01T08:00:00Z",
        "updatedAt": f"2026-11-{rnd.randrange(1, 20):02}T08:00:00Z",
        "isLatest": True,
    }
    return {"server": server, "_meta": {"io.modelcontextprotocol.registry/official": official}}


def items(count: int) -> list[dict[str, Any]]:
    real = os.environ.get("THV_REAL_DATA")
    if not real:
        return list(made_items(count))
    found = json.loads(Path(real).read_text(encoding="utf-8-sig"))
    latest = {item["server"]["name"]: item for item in found}
    return list(latest.values())[:count]


def snapshot(count: int) -> tuple[SnapshotRef, dict[str, bytes]]:
    """The chunks of a registry with these entries."""
    writer, digest, chunks = ChunkWriter(), SnapshotDigest(), []
    for entry in sorted((entry_of(item) for item in items(count)), key=lambda entry: entry.name):
        digest.add(entry.name, entry.version, entry.digest)
        record = Record(
            name=entry.name,
            version=entry.version,
            digest=entry.digest,
            entry=msgspec.Raw(canonical(entry.content)),
            published_at=entry.published_at,
            updated_at=entry.updated_at,
            latest=True,
        )
        chunks.append(writer.add(record))
    kept = [chunk for chunk in (*chunks, writer.finish()) if chunk is not None]
    refs = tuple(chunk.ref(chunk.digest[7:23]) for chunk in kept)
    ref = SnapshotRef(
        digest=digest.value(),
        entries=digest.entries,
        bytes=sum(chunk.bytes for chunk in refs),
        created_at="2026-11-21T08:00:00.000Z",
        spec_digest="sha256:bench",
        store="file",
        chunks=refs,
    )
    return ref, {ref.name: chunk.packed for ref, chunk in zip(refs, kept, strict=True)}


# ---------------------------------------------------------------- servers


class Running:
    """A server process."""

    def __init__(self, kind: str, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        command = [sys.executable, "-m", "bench.registry_server", kind, str(folder), str(self.port)]
        self.process = subprocess.Popen(command)

    def __enter__(self) -> Self:
        for _ in range(200):
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", self.port), 0.2),
            ):
                return self
            time.sleep(0.05)
        raise RuntimeError("the server does not come up")

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def get(
        self, path: str, headers: dict[str, str] | None = None
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", headers=headers or {}
        )
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, answer.getheaders(), answer.read()
        except urllib.error.HTTPError as error:
            return error.code, list(error.headers.items()), error.read()

    def memory(self) -> tuple[float, float]:
        """Resident and greatest resident megabytes."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        found = dict(re.findall(r"(VmRSS|VmHWM):\s+(\d+) kB", text))
        return int(found["VmRSS"]) / 1024, int(found["VmHWM"]) / 1024


# ---------------------------------------------------------------- load


_LUA = """
local requests = {}
function init(args)
  math.randomseed(tonumber(os.getenv("BENCH_SEED")))
  for line in io.lines(os.getenv("BENCH_PATHS")) do
    local path, tag = line:match("^(%S+)%s?(.*)$")
    local headers = {["Host"] = "127.0.0.1"}
    if tag ~= "" then headers["If-None-Match"] = tag end
    requests[#requests + 1] = wrk.format("GET", path, headers)
  end
end
function request() return requests[math.random(#requests)] end
"""


def wrk(server: Running, paths: list[str], seconds: float, work: Path) -> float:
    """Requests a second."""
    (work / "paths").write_text("\n".join(paths))
    (work / "load.lua").write_text(_LUA)
    environment = {**os.environ, "BENCH_PATHS": str(work / "paths"), "BENCH_SEED": str(SEED)}
    command = [
        "wrk",
        "-t1",
        f"-c{CONNECTIONS}",
        f"-d{seconds:g}s",
        "-s",
        str(work / "load.lua"),
        f"http://127.0.0.1:{server.port}",
    ]
    done = subprocess.run(
        ["taskset", "-c", "1", *command],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    errors = re.search(r"Non-2xx or 3xx responses: (\d+)|Socket errors: .*", done.stdout)
    if errors or not found:
        raise RuntimeError(done.stdout)
    return float(found[1])


async def paced(port: int, paths: list[str], rate: float, seconds: float) -> list[float]:
    """Latencies in seconds of requests that begin at a fixed rate, whatever the server does."""
    rnd = random.Random(SEED)
    due: asyncio.Queue[float] = asyncio.Queue()
    latencies: list[float] = []

    async def connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (begin := await due.get()) > 0:
            writer.write(f"GET {rnd.choice(paths)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            match = re.search(rb"content-length: (\d+)", head)
            assert match is not None, head
            assert head.startswith(b"HTTP/1.1 200"), head
            await reader.readexactly(int(match[1]))
            latencies.append(time.perf_counter() - begin)
        writer.close()

    workers = [asyncio.create_task(connection()) for _ in range(CONNECTIONS)]
    start = time.perf_counter()
    for number in range(int(rate * seconds)):
        at = start + number / rate
        await asyncio.sleep(max(0.0, at - time.perf_counter()))
        due.put_nowait(at)
    for _ in workers:
        due.put_nowait(-1)
    await asyncio.gather(*workers)
    return sorted(latencies)


# ---------------------------------------------------------------- paths


def walk(server: Running, path: str, key: str) -> list[str]:
    """The addresses of all pages of a list."""
    found = [path]
    while True:
        cursor = json.loads(server.get(found[-1])[2])["metadata"].get(key)
        if not cursor:
            return found
        found.append(f"{path}&cursor={cursor}")


def filtered_pages(server: Running, limit: int = 100) -> list[str]:
    filters = [
        f"category={category}&tier={tier}"
        for category in CATEGORIES
        for tier in ("Official", "Community")
    ]
    filters += [f"transport={transport}" for transport in set(TRANSPORTS)] + [
        "status=Active",
        "kind=container",
    ]
    return [
        page
        for each in filters
        for page in walk(server, f"/api/v1/servers?limit={limit}&{each}", "next_cursor")
    ]


def searches(names: list[str]) -> list[str]:
    rnd = random.Random(SEED)
    rare = [name.rpartition("/")[2] for name in names]
    common = ["server", "tools", "database", "io"]
    prefixes = [word[:3] for word in WORDS]
    letters = list("abcdefghijklmnoprst")
    two = [f"{rnd.choice(WORDS)} {rnd.choice(WORDS)}" for _ in range(2000)]
    chosen = [
        rnd.choice(kind) for _ in range(4000) for kind in (rare, common, prefixes, letters, two)
    ]
    return [f"/api/v1/servers?limit=30&search={quote(text)}" for text in chosen]


# ---------------------------------------------------------------- the run


class Scenario(msgspec.Struct):
    name: str
    paths: list[str]
    bar: float
    """Least share of the floor."""


def scenarios(server: Running, names: list[str]) -> list[Scenario]:
    quoted = [quote(name, safe="") for name in names]
    contiguous = walk(server, "/api/v1/servers?limit=100", "next_cursor")
    official = walk(server, "/v0.1/servers?limit=100", "nextCursor")
    detail = [f"/api/v1/servers/{name}" for name in quoted]
    latest = [f"/v0.1/servers/{name}/versions/latest" for name in quoted]
    tagged = []
    for path in random.Random(SEED).sample(detail, min(2000, len(detail))):
        headers = dict(server.get(path)[1])
        tagged.append(f"{path} {headers['etag']}")
    return [
        Scenario("detail /api/v1", detail, 0.25),
        Scenario("detail /v0.1", latest, 0.25),
        Scenario("page of 100 /api/v1", contiguous, 0.30),
        Scenario("page of 100 /v0.1", official, 0.30),
        Scenario("page of 100 filtered", filtered_pages(server), 0.30),
        Scenario("304", tagged, 0.30),
        Scenario(
            "page of 1 /v0.1",
            walk(server, "/v0.1/servers?limit=1&version=latest", "nextCursor")[:2000],
            0.25,
        ),
    ]


def floor_answers(server: Running, paths: list[str]) -> bytes:
    """What the bare application says: the same bytes for the same addresses."""
    answers: dict[bytes, Any] = {}
    for line in paths:
        path, _, tag = line.partition(" ")
        status, headers, body = server.get(path, {"If-None-Match": tag} if tag else None)
        raw, _, query = path.partition("?")
        kept = [
            (name.lower().encode(), value.encode())
            for name, value in headers
            if name.lower() not in ("date", "connection")
        ]
        answers[raw.encode() + b"?" + query.encode()] = (status, kept, body)
    return msgspec.msgpack.encode(answers)


def build_model(folder: Path, entries: int) -> float:
    ref, chunks = snapshot(entries)

    async def fetch(chunk: ChunkRef) -> bytes:
        return unpack(chunks[chunk.name], chunk)

    start = time.process_time()
    asyncio.run(
        apply(folder, ref, fetch, taxonomy=NO_TAXONOMY, at=Moment("2026-11-21T08:00:00Z", 1.0))
    )
    return (time.process_time() - start) / ref.entries


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--entries", type=int, default=10_000)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        raise SystemExit(run(Path(name), arguments))


def run(work: Path, arguments: argparse.Namespace) -> int:
    folder = work / "model"
    each = build_model(folder, arguments.entries)
    print(f"full apply of {arguments.entries} latest versions: {each * 1e6:.0f} us a row")
    pin(1)
    with Running("registry", folder) as server:
        names = [
            item["name"]
            for page in walk(server, "/api/v1/servers?limit=1000", "next_cursor")
            for item in json.loads(server.get(page)[2])["servers"]
        ]
        every = [each for each in scenarios(server, names) if arguments.only in each.name]
        floors = {
            each.name: floor_answers(
                server, random.Random(SEED).sample(each.paths, min(200, len(each.paths)))
            )
            for each in every
        }
    failed = 0
    for scenario in every:
        failed += measure(scenario, folder, floors[scenario.name], work, arguments.seconds)
    if arguments.only in "search":
        failed += measure_search(folder, searches(names), work, arguments.seconds)
    return min(failed, 1)


def measure(scenario: Scenario, folder: Path, floor: bytes, work: Path, seconds: float) -> int:
    (work / "floor").write_bytes(floor)
    known = list(msgspec.msgpack.decode(floor))
    tags = dict(line.partition(" ")[::2] for line in scenario.paths)
    floor_paths = [
        f"{path} {tags.get(path, '')}".strip()
        for path in (key.decode().rstrip("?") for key in known)
    ]
    with Running("floor", work / "floor") as bare:
        most = wrk(bare, floor_paths, seconds, work)
    with Running("registry", folder) as server:
        reached = wrk(server, scenario.paths, seconds, work)
        resident, greatest = server.memory()
    share = reached / most
    verdict = "ok" if share >= scenario.bar else "BELOW"
    print(
        f"{scenario.name:24} {reached:8.0f}/s of {most:8.0f}/s = {share:5.1%} (bar {scenario.bar:.0%}) {verdict}; "
        f"{len(scenario.paths)} addresses; {resident:.0f} MB, most {greatest:.0f} MB",
        flush=True,
    )
    return share < scenario.bar


def measure_search(folder: Path, paths: list[str], work: Path, seconds: float) -> int:
    with Running("registry", folder) as server:
        most = wrk(server, paths, seconds, work)
    with Running("registry", folder) as server:
        latencies = asyncio.run(paced(server.port, paths, most / 2, seconds))
        resident, greatest = server.memory()
    p50, p99 = latencies[len(latencies) // 2] * 1000, latencies[int(len(latencies) * 0.99)] * 1000
    print(
        f"mixed search: at most {most:.0f}/s; at half of it p50 {p50:.2f} ms, p99 {p99:.2f} ms (bar 15 ms); "
        f"{resident:.0f} MB, most {greatest:.0f} MB"
    )
    return p99 > 15


if __name__ == "__main__":
    main()

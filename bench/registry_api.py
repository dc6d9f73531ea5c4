"""How much of the speed of a bare server the registry API keeps.

    python -m bench.registry_api [--seconds 5] [--entries 10000] [--document FILE] [--only WORD]

The installed `thv serve --registry-file`, with access log, metrics and limits, is pinned to one core and the load (wrk)
to another one: 16 connections, random names, filters and cursors over all entries, a new process for each row, nothing
warmed. Every floor is a bare ASGI application on uvicorn that answers the same bytes on the same core, in turns with
the product. What counts is requests a second of processor time, the middle one of the turns: it hardly changes when
others use the machine. `by wall` is the share of requests a second. A load that is near 100 % of its own core is a floor
of itself.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import msgspec

from bench.registry_server import Answers
from thv.domain.entry import PUBLISHER_META, TOOLHIVE_PUBLISHER

THV = str(Path(sys.executable).with_name("thv"))
CONNECTIONS = 16
SEARCH_BAR = 15
"""Milliseconds."""
HEADING = f"{'':22} {'thv/s':>7} {'bare/s':>7} {'share':>6} {'by wall':>7} {'bar':>4}  load  memory (most)"
TURNS = 3
MANY = 100_000
MEMORY_BARS = (75, 130)
"""Megabytes for a registry, and for one of many entries."""
ON_SERVER_CORE, ON_LOAD_CORE = ["taskset", "-c", "0"], ["taskset", "-c", "1"]
SEED = 20261121

WORDS = """
server tools database files search github issues weather calendar mail vector index query table schema
browser page click image audio video speech translate summarize document pdf sheet chart metric log
trace alert deploy cluster container registry secret token login user group policy audit scan
vulnerability package release build test coverage lint format code review commit branch merge ticket
project board sprint customer invoice payment order product stock price market news paper citation graph
node edge map route place hotel flight ticketing music
""".split()  # noqa: SIM905 # a list would take a line each
CATEGORIES = """
security web data developer-tools productivity media finance communication
""".split()  # noqa: SIM905
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


def write_document(place: Path, arguments: argparse.Namespace) -> None:
    """The registry that is served: made entries as a page of the official API, or the document that was named."""
    if arguments.document:
        place.write_bytes(Path(arguments.document).read_bytes())
        return
    made = list(made_items(arguments.entries))
    place.write_bytes(msgspec.json.encode({"servers": made, "metadata": {"count": len(made)}}))


# ---------------------------------------------------------------- servers


class Load(msgspec.Struct):
    """What a run of load reached, and the shares of their cores that both sides used."""

    rate: float
    server: float
    generator: float

    @property
    def each(self) -> float:
        """Requests a second of processor time: what counts where others use the core too."""
        return self.rate / self.server


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Running:
    """A server process on its core: the `floor`, or a `registry` of a file, or those of a data `folder`."""

    def __init__(self, kind: str, place: Path, *options: str) -> None:
        self.port = free_port()
        self._options = options
        self.home = tempfile.TemporaryDirectory()
        self.process = subprocess.Popen(
            [*ON_SERVER_CORE, *self._command(kind, place)],
            env={**os.environ, "THV_DATA": self.home.name, "THV_CONFIG": f"{self.home.name}/none"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def _command(self, kind: str, place: Path) -> list[str]:
        if kind == "floor":
            return [sys.executable, "-m", "bench.registry_server", str(place), str(self.port)]
        told = ["--port", str(self.port), "--listen-operations", f"127.0.0.1:{free_port()}"]
        if kind == "folder":
            serve = ["--data", str(place), "serve"]
        else:
            serve = ["serve", "--registry-file", str(place)]
        return [THV, *serve, *told, *self._options]

    def __enter__(self) -> Self:
        for _ in range(600):
            with contextlib.suppress(OSError):
                if self.get("/readyz")[0] == 200:
                    return self
            time.sleep(0.05)
        raise RuntimeError("the server does not come up")

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.home.cleanup()

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

    def cpu(self) -> float:
        """Seconds of processor time so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

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
  local token = os.getenv("BENCH_TOKEN")
  for line in io.lines(os.getenv("BENCH_PATHS")) do
    local path, tag = line:match("^(%S+)%s?(.*)$")
    local headers = {["Host"] = "127.0.0.1"}
    if tag ~= "" then headers["If-None-Match"] = tag end
    if token ~= "" then headers["Authorization"] = "Bearer " .. token end
    requests[#requests + 1] = wrk.format("GET", path, headers)
  end
end
function request() return requests[math.random(#requests)] end
"""


def wrk(server: Running, paths: list[str], seconds: float, work: Path, *, token: str = "") -> Load:
    (work / "paths").write_text("\n".join(paths))
    (work / "load.lua").write_text(_LUA)
    environment = {
        **os.environ,
        "BENCH_PATHS": str(work / "paths"),
        "BENCH_SEED": str(SEED),
        "BENCH_TOKEN": token,
    }
    command = [
        "wrk",
        "-t1",
        f"-c{CONNECTIONS}",
        f"-d{max(1, round(seconds))}s",
        "-s",
        str(work / "load.lua"),
    ]
    served, loaded = server.cpu(), children()
    start = time.perf_counter()
    done = subprocess.run(
        [*ON_LOAD_CORE, *command, f"http://127.0.0.1:{server.port}"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    wall = time.perf_counter() - start
    found = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    errors = re.search(r"Non-2xx or 3xx responses: (\d+)|Socket errors: .*", done.stdout)
    if errors or not found:
        raise RuntimeError(done.stdout)
    return Load(float(found[1]), (server.cpu() - served) / wall, (children() - loaded) / wall)


def children() -> float:
    """Processor time of the processes that this one waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


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


def filters() -> list[str]:
    """Every way to narrow a list, alone and together."""
    categories = [f"category={category}" for category in CATEGORIES]
    tiers = [f"tier={tier}" for tier in ("Official", "Community")]
    transports = [f"transport={transport}" for transport in sorted(set(TRANSPORTS))]
    more = [
        "status=Active",
        "kind=container",
        "labelSelector=team%3Da",
        "sort=stars",
        "sort=-updated",
    ]
    tags = [f"tags={word}" for word in WORDS[::3]]
    pairs = [f"{left}&{right}" for left in categories for right in (*tiers, *transports)]
    return [*categories, *tiers, *transports, *more, *tags, *pairs]


def filtered_pages(server: Running, limit: int = 100) -> list[str]:
    """Pages of all of them; as many cursors of each as a client could have."""
    return [
        page
        for each in filters()
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
    tagged: bool = False
    """Every client has the answer already."""


def scenarios(server: Running, names: list[str]) -> list[Scenario]:
    quoted = [quote(name, safe="") for name in names]
    contiguous = walk(server, "/api/v1/servers?limit=100", "next_cursor")
    official = walk(server, "/v0.1/servers?limit=100", "nextCursor")
    detail = [f"/api/v1/servers/{name}" for name in quoted]
    latest = [f"/v0.1/servers/{name}/versions/latest" for name in quoted]
    some = random.Random(SEED).sample(detail, min(2000, len(detail)))
    return [
        Scenario("detail /api/v1", detail, 0.40),
        Scenario("detail /v0.1", latest, 0.40),
        Scenario("page of 100 /api/v1", contiguous, 0.60),
        Scenario("page of 100 /v0.1", official, 0.60),
        Scenario("page of 100 filtered", filtered_pages(server), 0.30),
        Scenario("304", some, 0.50, tagged=True),
        Scenario(
            "page of 1 /v0.1",
            walk(server, "/v0.1/servers?limit=1&version=latest", "nextCursor")[:2000],
            0.25,
        ),
    ]


def with_tags(server: Running, scenario: Scenario) -> list[str]:
    """The addresses as clients of this process ask them."""
    if not scenario.tagged:
        return scenario.paths
    return [f"{path} {dict(server.get(path)[1])['etag']}" for path in scenario.paths]


def floor_answers(server: Running, lines: list[str]) -> Answers:
    """What the bare application says: the same bytes for the same addresses."""
    answers: Answers = {}
    for line in lines:
        path, _, tag = line.partition(" ")
        status, headers, body = server.get(path, {"If-None-Match": tag} if tag else None)
        kept = [
            (name.lower().encode(), value.encode())
            for name, value in headers
            if name.lower() not in ("date", "connection")
        ]
        assert (status == 304) is bool(tag), (line, status)
        raw, _, query = path.partition("?")
        answers[raw.encode() + b"?" + query.encode()] = (status, kept, body)
    return answers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--entries", type=int, default=10_000)
    parser.add_argument("--document", default="", help="serve this instead of made entries")
    parser.add_argument("--only", default="", help="rows whose name holds this")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        raise SystemExit(run(Path(name), arguments))


def run(work: Path, arguments: argparse.Namespace) -> int:
    document = work / "registry.json"
    write_document(document, arguments)
    with Running("registry", document) as server:
        names = [
            item["name"]
            for page in walk(server, "/api/v1/servers?limit=1000", "next_cursor")
            for item in json.loads(server.get(page)[2])["servers"]
        ]
        every = [each for each in scenarios(server, names) if arguments.only in each.name]
    print(HEADING)
    failed, bar = 0, MEMORY_BARS[len(names) >= MANY]
    for scenario in every:
        failed += measure(scenario, document, work, arguments.seconds, bar)
    if arguments.only in "mixed search":
        failed += measure_search(document, searches(names), work, arguments.seconds, bar)
    return min(failed, 1)


def measure(scenario: Scenario, document: Path, work: Path, seconds: float, bar: float) -> int:
    ours: list[Load] = []
    floors: list[Load] = []
    with Running("registry", document) as server:
        lines = with_tags(server, scenario)
        chosen = random.Random(SEED).sample(lines, min(400, len(lines)))
        ours.append(wrk(server, lines, seconds / TURNS, work))
        (work / "floor").write_bytes(msgspec.msgpack.encode(floor_answers(server, chosen)))
        with Running("floor", work / "floor") as bare:
            floors.append(wrk(bare, chosen, seconds / TURNS, work))
            for _ in range(TURNS - 1):
                ours.append(wrk(server, lines, seconds / TURNS, work))
                floors.append(wrk(bare, chosen, seconds / TURNS, work))
        resident, greatest = server.memory()
    reached, most = middle(ours), middle(floors)
    share, by_wall = reached.each / most.each, reached.rate / most.rate
    load = max(each.generator for each in (*ours, *floors))
    verdict = "" if share >= scenario.bar else "  BELOW"
    print(
        f"{scenario.name:22} {reached.each:7.0f} {most.each:7.0f} {share:6.1%} {by_wall:7.1%} {scenario.bar:4.0%}  "
        f"{load:4.0%}  {resident:.0f} ({greatest:.0f}) MB{verdict}",
        flush=True,
    )
    return share < scenario.bar or resident > bar


def middle(loads: list[Load]) -> Load:
    """The one of the middle turn."""
    return sorted(loads, key=lambda load: load.each)[len(loads) // 2]


def measure_search(document: Path, paths: list[str], work: Path, seconds: float, bar: float) -> int:
    with Running("registry", document) as server:
        most = wrk(server, paths, seconds, work).rate
    with Running("registry", document) as server:
        latencies = asyncio.run(paced(server.port, paths, most / 2, seconds))
        resident, greatest = server.memory()
    p50, p99 = latencies[len(latencies) // 2] * 1000, latencies[int(len(latencies) * 0.99)] * 1000
    print(
        f"mixed search: at most {most:.0f}/s; at half of it p50 {p50:.2f} ms, "
        f"p99 {p99:.2f} ms (bar {SEARCH_BAR} ms); {resident:.0f} ({greatest:.0f}) MB"
    )
    return p99 > SEARCH_BAR or resident > bar


if __name__ == "__main__":
    main()
